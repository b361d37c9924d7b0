"""Watching notes go to the mixer, and finding them again in a recording."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.app.bench import watch
from synth_app.app.bench.live import _cold_messages, _end_to_end_ms
from synth_app.app.compose import Core, fallback_patch
from synth_app.core.events import NoteOff, NoteOn
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.protocol import STAMP_FRAME, STAMP_NS, STAMP_SEQUENCE, look_ahead_frames
from synth_app.engine.timing import FileClock
from synth_app.timbre.anchors import Anchor, Layer
from synth_app.timbre.palette import Palette
from tests.helpers.sine_generator import SINE_INFO, SineGenerator

RATE_HZ = 48_000


@pytest.fixture
def watched() -> tuple[Core, watch.WatchedStage]:
    anchors = (Anchor("Sine", "Test", (Layer(100, np.ones(4, np.float32)),)),)
    memory = MixerMemory(RATE_HZ)
    palette = Palette(fallback_patch(anchors), anchors, SINE_INFO)
    return watch.build_watched_core(
        SineGenerator(), palette, {}, memory, FileClock(memory), Inbox(), delay_frames=256, live=False
    )


def test_each_voice_is_noted_from_stamp_to_frame(watched: tuple[Core, watch.WatchedStage]) -> None:
    core, stage = watched
    events = [NoteOn(1_000_000, 0, 60, 100), NoteOn(2_000_000, 0, 67, 100)]
    core.control.step(3_000_000, events)
    while core.worker.step():
        core.control.step(3_000_000, ())
    out = np.zeros((512, 2), np.float32)
    core.memory.mix(out)
    core.control.step(4_000_000, ())
    assert [s.stamp_ns for s in stage.struck] == [1_000_000, 2_000_000]
    assert [s.started_frame for s in stage.struck] == [256 + 48, 256 + 96]
    assert watch.errors_frames(stage.struck).tolist() == [0, 0]
    assert all(s.posted_ns > 0 for s in stage.struck)
    core.control.step(5_000_000, [NoteOff(5_000_000, 0, 60), NoteOff(5_000_000, 0, 67)])


def _stamp(memory: MixerMemory, frame: int, time_ns: int) -> None:
    memory.stamps[STAMP_SEQUENCE] += 2
    memory.stamps[STAMP_FRAME], memory.stamps[STAMP_NS] = frame, time_ns


def test_the_clocks_line_ignores_late_wake_ups_and_follows_lost_blocks() -> None:
    memory = MixerMemory(RATE_HZ)
    log = watch.StampLog(memory)
    for i in range(400):  # 10 ms apart; one in ten is woken 3 ms late; two seconds in, 20 ms are lost for good
        lost_ns = 20_000_000 if i >= 200 else 0
        late_ns = 3_000_000 if i % 10 == 3 else 0
        _stamp(memory, 480 * i, 10_000_000 * i + lost_ns + late_ns)
        log.note()
    times = np.array([1_000_000_000, 3_020_000_000], np.int64)
    np.testing.assert_allclose(log.frames_at(times), [48_000, 144_000], atol=0.5)
    struck = [watch.Struck(1_000_000_000, due_frame=48_256, started_frame=48_256)]
    expected_ms = (256 + look_ahead_frames(RATE_HZ)) * 1e3 / RATE_HZ
    assert watch.delays_ms(struck, log, RATE_HZ)[0] == pytest.approx(expected_ms, abs=0.011)


def test_no_stamp_near_an_event_is_an_error() -> None:
    log = watch.StampLog(MixerMemory(RATE_HZ))
    with pytest.raises(ValueError, match="no stamp"):
        log.frames_at(np.array([5], np.int64))


def test_the_ear_finds_a_note_to_the_sample_and_misses_what_is_not_there() -> None:
    rng = np.random.default_rng(3)
    note = rng.standard_normal(4096).astype(np.float32)
    heard = np.zeros(40_000, np.float32)
    struck = [1_000, 12_000, 25_000]
    for frame, delay in zip(struck[:2], (283, 511), strict=True):
        heard[frame + delay : frame + delay + 4096] = 0.1 * note
    delays = _end_to_end_ms(heard, note, struck, RATE_HZ)
    np.testing.assert_allclose(delays * RATE_HZ / 1e3, [283, 511])


def test_cold_keys_are_struck_once_in_each_timbre() -> None:
    messages = _cold_messages(14, 8, 3.0, first_controller=70)
    seen: set[tuple[int, int]] = set()
    controller = -1
    for _, data in messages:
        if data[0] == 0xB0:
            assert data[2] <= 127
            controller = data[2]
        elif data[0] == 0x90:
            assert 24 <= data[1] <= 84
            assert (controller, data[1]) not in seen
            seen.add((controller, data[1]))
    assert len(seen) == 14 * 8
    times = [at_s for at_s, _ in messages]
    assert times == sorted(times)
