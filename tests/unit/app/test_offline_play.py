"""Offline is live with another clock: the same notes give the same samples, however time is cut into blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from synth_app.app import offline
from synth_app.app.compose import Core, build_core
from synth_app.app.offline import play_score, render_events
from synth_app.core.events import ControlChange, Event, NoteOff, NoteOn, PitchBend, SetMorph, SetParam
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.timing import FileClock
from synth_app.render.note import Note
from synth_app.render.ports import GeneratorInfo, SpectralFrames
from synth_app.timbre.palette import Palette
from synth_app.timbre.patch import Patch
from tests.helpers.sine_generator import SineGenerator
from tests.unit.engine.rig import RATE_HZ, Rig, anchors, level_db, onset, palette, tone_db

S = 1_000_000_000


def _core(
    sounds: Palette, rate_hz: int = RATE_HZ, generator: SineGenerator | None = None, master_db: float = -6.0
) -> Core:
    memory = MixerMemory(rate_hz)
    return build_core(
        generator or SineGenerator(),
        sounds,
        {"master_db": master_db},
        memory,
        FileClock(memory),
        Inbox(),
        delay_frames=0,
        live=False,
    )


def _play(events: Sequence[Event], seconds: float, sounds: Palette | None = None, core: Core | None = None):
    core = core or _core(sounds or palette())
    wave = np.concatenate(list(play_score(core, events, round(seconds * S))))
    assert core.memory.state[0]["starved"] == 0
    assert core.control.ensemble.late == 0
    return wave


def _take() -> list[Event]:
    """Some two bars with everything in them: short and long notes, a chord, bends, a pedal, a morph, volumes."""
    events: list[Event] = []

    def note(start_s: float, held_s: float, pitch: int, velocity: int = 100) -> None:
        events.append(NoteOn(round(start_s * S), 0, pitch, velocity))
        events.append(NoteOff(round((start_s + held_s) * S), 0, pitch))

    note(0.0, 0.2, 60)
    note(0.0031, 0.004, 72, 40)
    for pitch in (48, 55, 64):
        note(0.3, 0.8, pitch)
    note(0.5, 4.3, 36)  # beyond its own end
    note(0.9, 0.05, 67)
    note(0.93, 0.05, 67)
    events.append(PitchBend(round(0.6 * S), 0, 3000))
    events.append(PitchBend(round(0.8 * S), 0, -2000))
    events.append(PitchBend(round(1.0 * S), 0, 0))
    events.append(ControlChange(round(1.2 * S), 0, 64, 127))
    note(1.21, 0.01, 52)
    events.append(ControlChange(round(1.7 * S), 0, 64, 0))
    events.append(ControlChange(round(1.3 * S), 0, 7, 70))
    events.append(SetParam(round(1.9 * S), "master_db", -9.0))
    return sorted(events, key=lambda event: event.time_ns)


def _with_morph() -> list[Event]:
    return sorted(
        [*_take(), SetMorph(round(1.0 * S), (0.25, 0.75)), SetMorph(round(3.8 * S), (1.0, 0.0))],
        key=lambda e: e.time_ns,
    )


PATCHES = {"its own release": {"release_ms": 0.0}, "a release of the patch": {"release_ms": 150.0}}


@pytest.mark.parametrize("release", list(PATCHES))
def test_the_same_score_twice_is_the_same_samples(release: str):
    takes = [_play(_with_morph(), 5.0, palette(**PATCHES[release])) for _ in range(2)]
    np.testing.assert_array_equal(*takes)
    assert level_db(takes[0]) > -30.0


@pytest.mark.parametrize("block", [32, 100, 256])
@pytest.mark.parametrize("release", list(PATCHES))
@pytest.mark.parametrize("morphs", [False, True])
def test_the_size_of_the_blocks_does_not_matter(
    block: int, release: str, morphs: bool, monkeypatch: pytest.MonkeyPatch
):
    events = _with_morph() if morphs else _take()
    reference = _play(events, 5.0, palette(**PATCHES[release]))
    monkeypatch.setattr(offline, "block_frames", lambda rate_hz: block)
    other = _play(events, 5.0, palette(**PATCHES[release]))
    length = min(len(reference), len(other))
    np.testing.assert_array_equal(reference[:length], other[:length])


def _live(events: Sequence[Event], seconds: float, sounds: Palette, block: int) -> tuple[NDArray[np.float32], Rig]:
    """The same events as they come in while the engine runs: each is known only after its time has passed."""
    rig = Rig(sounds, live=True, block=block, delay=2 * block, slices_a_block=0.0, settings={"master_db": -6.0})
    pitches = sorted({event.pitch for event in events if isinstance(event, NoteOn)})
    morphs = [event.weights for event in events if isinstance(event, SetMorph)]
    for weights in ((1.0, 0.0), *morphs):
        rig.prepare(pitches, weights)
    at = 0
    for _ in range(round((seconds + 0.5) * RATE_HZ / block)):
        while at < len(events) and events[at].time_ns <= rig.now_ns:
            rig.do(events[at])
            at += 1
        rig.step()
    return rig.played[rig.control.ensemble.delay_frames :], rig


@pytest.mark.parametrize("block", [64, 128, 256])
@pytest.mark.parametrize("release", list(PATCHES))
@pytest.mark.parametrize("morphs", [False, True])
def test_offline_is_live_on_the_same_cached_notes(block: int, release: str, morphs: bool):
    events = _with_morph() if morphs else _take()
    sounds = palette(**PATCHES[release])
    written = _play(events, 5.0, sounds)
    played, rig = _live(events, 5.0, sounds, block)
    assert rig.control.ensemble.bridged == rig.control.ensemble.late == 0
    length = min(len(written), len(played))
    assert length > 5.0 * RATE_HZ
    np.testing.assert_array_equal(written[:length], played[:length])


# -- timing and level ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [0, 1, 511, 512, 513, 30_001])
def test_a_note_sounds_at_its_time_to_the_sample_though_it_is_rendered_on_demand(frame: int):
    """Cold notes used to start at the beginning of their block, up to 10 ms early."""
    time_ns = round(frame * 1e9 / RATE_HZ)
    wave = _play([NoteOn(time_ns, 0, 69, 100), NoteOff(time_ns + S // 2, 0, 69)], 1.0)
    first = onset(wave[:, 0], 0.0)
    assert first in (frame, frame + 1), "the first sample of a note is 0"
    other = _play([NoteOn(0, 0, 69, 100), NoteOff(S // 2, 0, 69)], 1.0)
    np.testing.assert_array_equal(wave[frame : frame + 20_000], other[:20_000])


def test_the_master_volume_is_that_of_the_instrument():
    loud = _play([NoteOn(0, 0, 69, 100)], 0.5)
    rig = Rig(settings={})
    rig.core.control.stage.master(0, 1.0, 5.0)
    rig.on(69)
    full = rig.run(0.5)
    assert tone_db(loud[6000:20_000, 0], 69) == pytest.approx(tone_db(full[6000:20_000], 69) - 6.0, abs=0.1)


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 96_000])
def test_every_rate_plays_the_same_pitch_and_level(rate_hz: int):
    events = [*_take()[:2], NoteOff(S, 0, 60), NoteOff(S, 0, 72)]
    wave = _play(events, 1.0, core=_core(palette(), rate_hz))
    reference = _play(events, 1.0)
    at, half = rate_hz // 5, rate_hz // 2
    assert tone_db(wave[at:half, 0], 60, rate_hz) == pytest.approx(
        tone_db(reference[RATE_HZ // 5 : RATE_HZ // 2, 0], 60), abs=0.1
    )


def test_a_note_without_an_end_is_cut_off_in_the_end():
    wave = _play([NoteOn(0, 0, 60, 100)], 1.0)
    assert len(wave) <= (1.0 + offline.TAIL_LIMIT_S) * RATE_HZ + 2 * offline.block_frames(RATE_HZ)


def test_an_empty_score_is_silence_of_its_length():
    wave = _play([], 0.5)
    assert np.all(wave == 0.0)
    assert len(wave) >= 0.5 * RATE_HZ


def test_only_what_is_heard_is_rendered():
    generator = SineGenerator()
    core = _core(palette(release_ms=50.0), generator=generator)
    _play([NoteOn(0, 0, 60, 100), NoteOff(S // 10, 0, 60)], 0.3, core=core)
    notes: list[Note] = list(core.control.cache)
    assert [note.key.pitch for note in notes] == [60]
    assert notes[0].available < 0.5 * RATE_HZ


# -- files -----------------------------------------------------------------------------------------------------------


class Shelf:
    """What a library is to a render."""

    def __init__(self) -> None:
        self.generator = SineGenerator()
        self.anchors = anchors()

    def palette(self, patch: Patch) -> Palette:
        return Palette(patch, self.anchors, self.generator.info)


def test_the_file_holds_what_was_played_and_the_report_says_so(tmp_path: Path):
    events = _take()
    shares: list[float] = []
    patch = palette().patch
    report = render_events(Shelf(), patch, events, 3 * S, tmp_path / "out.wav", progress=shares.append)  # type: ignore[arg-type]
    written, rate_hz = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(written, _play(events, 3.0, core=_core(palette(), master_db=6.0)), atol=2.0**-22)
    assert report.seconds == pytest.approx(len(written) / RATE_HZ)
    assert report.notes == sum(isinstance(event, NoteOn) for event in events)
    assert report.peak == pytest.approx(np.abs(written).max(), abs=1e-6)
    assert report.speed > 0.0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


class TwoLanes(SineGenerator):
    """Writes down who asked for what."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int, int, int]] = []

    @property
    def info(self) -> GeneratorInfo:
        return replace(super().info, lanes=2)

    def render(self, latents: np.ndarray, pitches: np.ndarray, start_frame: int, stop_frame: int) -> SpectralFrames:
        self.asked.append((threading.current_thread().name, int(pitches[0]), start_frame, stop_frame))
        return super().render(latents, pitches, start_frame, stop_frame)


@pytest.mark.parametrize(("score", "ahead"), [(_take, True), (_with_morph, False)])
def test_a_score_is_read_ahead_where_it_can_be_and_sounds_the_same(
    score: Callable[[], list[Event]], ahead: bool, tmp_path: Path
):
    shelf = Shelf()
    shelf.generator = generator = TwoLanes()
    patch = palette().patch
    render_events(shelf, patch, score(), 3 * S, tmp_path / "ahead.wav")  # type: ignore[arg-type]
    render_events(Shelf(), patch, score(), 3 * S, tmp_path / "plain.wav")  # type: ignore[arg-type]
    assert (tmp_path / "ahead.wav").read_bytes() == (tmp_path / "plain.wav").read_bytes()
    readers = {name for name, *_ in generator.asked}
    assert readers == ({"read ahead"} if ahead else {"MainThread"})


def test_a_render_that_fails_leaves_no_file(tmp_path: Path):
    shelf = Shelf()

    def fail(*_args: object) -> None:
        raise RuntimeError("the device is gone")

    shelf.generator.render = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError, match="device"):
        render_events(shelf, palette().patch, _take(), S, tmp_path / "out.wav")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
