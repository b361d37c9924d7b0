"""The control loop on a clock of its own: when notes start, what they wait for, how they end."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.core.events import (
    ControlChange,
    NoteOff,
    NoteOn,
    Panic,
    ProgramChange,
    SetParam,
)
from synth_app.engine.protocol import SLOTS
from synth_app.engine.voices import Phase
from synth_app.render.streams import Stream, StreamWorker
from tests.helpers.log_rule import ExpectLog
from tests.unit.engine.desk import steepest
from tests.unit.engine.rig import (
    BLOCK,
    DELAY,
    RATE_HZ,
    Rig,
    level_db,
    onset,
    palette,
    tone_db,
)

FULL_DB = -23.4
"""Level of the sine generator's tone at the "Plain" anchor."""


def _phases(rig: Rig) -> list[Phase]:
    return [voice.phase for voice in rig.voices]


# -- starts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 128, 333])
def test_a_cached_note_starts_at_its_time_plus_the_designed_delay_to_the_sample(block: int):
    rig = Rig(block=block)
    [note] = rig.prepare([60])
    rig.run(0.1)
    at = rig.frame + 17
    rig.do(NoteOn(round(at * 1e9 / RATE_HZ), 0, 60, 100))
    rig.run(0.1)
    heard = rig.played[:, 0]
    assert np.all(heard[: at + DELAY] == 0.0)
    gain = rig.voices[0].gain_left
    np.testing.assert_array_equal(
        heard[at + DELAY :], np.float32(gain * note.audio[: len(heard) - at - DELAY].astype(float))
    )
    assert rig.control.ensemble.delays.errors_frames == (0,)


def test_two_notes_keep_their_distance_whatever_the_block():
    for block in (64, 1024):
        rig = Rig(block=block)
        rig.prepare([60, 72])
        rig.do(NoteOn(0, 0, 60, 100), NoteOn(round(100 / RATE_HZ * 1e9), 0, 72, 100))
        rig.run(0.1)
        assert sorted(voice.start_frame for voice in rig.voices) == [DELAY, DELAY + 100]


def test_a_cold_note_rendered_in_time_starts_at_its_designed_frame():
    rig = Rig()
    rig.on(60)
    rig.run(0.1)
    assert rig.voices[0].start_frame == DELAY
    assert onset(rig.played[:, 0]) in range(DELAY, DELAY + 5)


def test_a_note_that_is_ready_just_before_its_frame_is_not_early():
    """Rendered while the block before its own was playing, it used to start a block too soon."""
    rig = Rig(slices_a_block=0.5)
    rig.on(60)
    rig.run(0.1)
    assert rig.voices[0].start_frame == DELAY


def test_a_late_note_starts_with_its_attack_as_soon_as_it_is_there():
    rig = Rig(slices_a_block=0.05)
    rig.on(60)
    rig.run(0.2)
    [voice] = rig.voices
    assert voice.start_frame > DELAY
    gain = voice.gain_left
    heard = rig.played[voice.start_frame : voice.start_frame + 4000, 0]
    np.testing.assert_array_equal(heard, np.float32(gain * voice.note.audio[:4000].astype(float)))


def test_a_cold_chord_gets_all_first_slices_before_any_second_one():
    rig = Rig(slices_a_block=0.0)
    rig.on(60, 64, 67, 71)
    rig.step()
    for _ in range(4):
        rig.core.worker.step()
        rig.control.step(rig.now_ns, ())
    assert [voice.note.available > 0 for voice in rig.voices] == [True] * 4
    assert Phase.PENDING not in _phases(rig)


@pytest.mark.parametrize("delay_ms", [50, 500])
def test_a_short_note_that_was_let_go_before_it_was_there_sounds_once_as_long_as_it_was_held(delay_ms: int):
    rig = Rig(slices_a_block=0.0)
    rig.on(60)
    rig.run(0.02)
    rig.off(60)
    rig.run(delay_ms / 1e3)
    assert _phases(rig) == [Phase.LATCHED]
    assert np.all(rig.played == 0.0)
    rig.slices_a_block = 100.0
    rig.run(1.0)
    heard = rig.played[:, 0]
    start = onset(heard)
    assert level_db(heard[start + 700 : start + 960]) > FULL_DB - 1.0, "full level while it is held"
    assert level_db(heard[start + 960 : start + 1440]) > FULL_DB - 15.0
    assert level_db(heard[start + 960 + 4800 : start + 960 + 9600]) < FULL_DB - 60.0
    rig.assert_clean()
    assert rig.control.ensemble.late == 0, "a release that waited for its note is not late"


def test_a_note_let_go_before_it_sounds_renders_no_more_than_is_heard():
    rig = Rig(slices_a_block=0.0)
    rig.on(60)
    rig.run(0.01)
    rig.off(60)
    rig.run(0.05)
    rig.slices_a_block = 100.0
    rig.run(1.0)
    [note] = rig.control.cache
    assert note.available < 0.5 * RATE_HZ


# -- endings ---------------------------------------------------------------------------------------------------------


def test_a_released_note_dies_away_and_leaves_nothing():
    rig = Rig()
    rig.prepare([60])
    rig.on(60)
    rig.run(0.5)
    rig.off(60)
    rig.run(0.3)
    assert level_db(rig.played[-480:]) < -100.0
    rig.assert_clean()


def test_a_note_struck_and_let_go_within_the_designed_delay_still_sounds():
    rig = Rig(delay=2048, block=128)
    rig.prepare([60])
    rig.do(NoteOn(0, 0, 60, 100), NoteOff(5_000_000, 0, 60))
    rig.run(0.5)
    heard = rig.played[:, 0]
    assert onset(heard) in range(2048, 2055)
    assert level_db(heard[2048:2300]) > FULL_DB - 9.0
    rig.assert_clean()


def test_a_note_off_stamped_before_its_note_on_still_ends_it():
    """Two sources, two threads: their stamps may cross."""
    rig = Rig()
    rig.prepare([60])
    rig.run(0.1)
    now = rig.now_ns
    rig.do(NoteOn(now, 0, 60, 100), NoteOff(now - 1_000_000, 0, 60))
    rig.run(0.5)
    rig.assert_clean()


def test_a_bend_stamped_before_its_note_on_still_counts():
    rig = Rig()
    rig.prepare([60])
    rig.run(0.1)
    now = rig.now_ns
    rig.do(NoteOn(now, 0, 60, 100))
    rig.step()
    rig.control.call(lambda: rig.control.performer.handle(ControlChange(now, 0, 7, 0)))
    from synth_app.core.events import PitchBend

    rig.do(PitchBend(now - 1_000_000, 0, 8191))
    wave = rig.run(0.2)
    assert rig.memory.slots[rig.voices[0].slot]["rate_target"] == pytest.approx(2.0)
    assert level_db(wave[-480:]) < -80.0, "nor is a controller lost"


def test_panic_silences_everything_at_once():
    rig = Rig(slices_a_block=1.0)
    rig.prepare([60, 64])
    rig.on(60, 64, 67, 70)
    rig.run(0.3)
    rig.do(Panic(rig.now_ns))
    rig.run(0.1)
    assert level_db(rig.played[-2000:]) < -120.0
    rig.assert_clean()


def test_a_pending_note_that_is_killed_never_sounds():
    rig = Rig(slices_a_block=0.0)
    rig.on(60)
    rig.run(0.05)
    rig.do(Panic(rig.now_ns))
    rig.run(0.05)
    rig.slices_a_block = 100.0
    rig.run(0.5)
    assert np.all(rig.played == 0.0)
    rig.assert_clean()


def test_a_note_killed_before_its_frame_is_killed_all_the_same():
    rig = Rig(delay=2048)
    rig.prepare([60])
    rig.do(NoteOn(0, 0, 60, 100), Panic(1_000_000))
    rig.run(0.3)
    assert level_db(rig.played[2048 + 300 :]) < -120.0
    rig.assert_clean()


def test_stealing_keeps_the_polyphony_and_never_clicks():
    rig = Rig(settings={"polyphony": 4.0})
    pitches = list(range(48, 72))
    rig.prepare(pitches)
    for pitch in pitches:
        rig.on(pitch)
        rig.run(0.03)
        assert len([v for v in rig.voices if v.phase is not Phase.DYING]) <= 4
    rig.off(*pitches)
    rig.run(0.5)
    rig.assert_clean()
    amplitude = 10 ** (FULL_DB / 20)
    steps = [2 * np.pi * 440 * 2 ** ((p - 69) / 12) / RATE_HZ * amplitude for p in (71, 70, 69, 68, 67)]
    assert steepest(rig.played) < sum(steps) + 2 * amplitude / 240


def test_more_notes_than_the_mixer_has_slots_are_refused_and_forgotten():
    rig = Rig(settings={"polyphony": 64.0}, block=1024)
    rig.prepare([60])
    for number in range(SLOTS + 40):  # all in one block: stolen voices cannot die before the next is struck
        rig.do(NoteOn(number, number % 16, 60, 100, source=str(number)))
    rig.step()
    assert rig.control.ensemble.refused == 40
    assert len(rig.voices) == SLOTS
    rig.do(Panic(rig.now_ns))
    rig.run(0.2)
    rig.assert_clean()


def test_a_volume_change_reaches_sounding_notes_smoothly():
    rig = Rig()
    rig.prepare([60])
    rig.on(60)
    before = rig.run(0.2)
    rig.do(ControlChange(rig.now_ns, 0, 7, 64))
    after = rig.run(0.2)
    assert tone_db(after[4000:], 60) - tone_db(before[4000:], 60) == pytest.approx(40 * np.log10(64 / 100), abs=0.1)
    assert steepest(after) <= steepest(before) * 1.01


@pytest.mark.parametrize("semitones", [-12.0, 0.5, 7.0, 12.0])
def test_a_bend_reaches_sounding_notes(semitones: float):
    rig = Rig()
    rig.prepare([60])
    rig.on(60)
    rig.run(0.2)
    rig.bend(semitones)
    bent = rig.run(0.4)[4000:]
    assert tone_db(bent, 60 + semitones) > FULL_DB - 8.0
    assert tone_db(bent, 60 + semitones) - tone_db(bent, 60 + semitones + 1) > 20.0


def test_master_volume_and_patch_params_are_there_from_the_first_frame():
    """Offline nobody sets the palette again, so the master gain used to stay at 0 dB."""
    rig = Rig(settings={"master_db": -20.0})
    rig.prepare([60])
    rig.on(60)
    wave = rig.run(0.3)
    loud = Rig()
    loud.prepare([60])
    loud.on(60)
    assert tone_db(wave[6000:], 60) - tone_db(loud.run(0.3)[6000:], 60) == pytest.approx(-20.0, abs=0.01)
    rig.do(SetParam(rig.now_ns, "master_db", 0.0))
    assert tone_db(rig.run(0.3)[6000:], 60) == pytest.approx(tone_db(loud.run(0.3)[6000:], 60), abs=0.5)


def test_a_program_change_is_passed_on():
    rig = Rig()
    rig.do(ControlChange(0, 3, 0, 1), ProgramChange(0, 3, 5))
    rig.step()
    assert rig.programs == [(128, 5)]


# -- streams that are late, and that fail ------------------------------------------------------------------------------


def test_a_late_stream_does_not_cut_a_release_short(monkeypatch: pytest.MonkeyPatch):
    """Its thread stands still for 60 ms after it took over: the release waits for it and goes on."""
    rig = Rig(sounds=palette(release_ms=0.0), slices_a_block=100.0)
    rig.on(60)
    rig.run(0.5)
    rig.off(60)
    while (stream := rig.core.streams.get(rig.voices[0].voice_id)) is None or stream.chunk is None:
        rig.step()
    with monkeypatch.context() as still:
        still.setattr(rig.core.streams, "step", lambda: False)
        rig.run(0.06)
    assert rig.memory.state[0]["starved"] == 1
    assert [voice.action.pitch for voice in rig.voices] == [60]
    assert tone_db(rig.run(0.05)[-960:], 60) > -40.0
    rig.run(3.0)
    rig.assert_clean()


def test_a_stream_that_fails_silences_its_own_voice_and_no_other(
    monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
):
    rig = Rig()
    rig.on(60, 67)
    rig.run(0.5)
    broken = next(voice.voice_id for voice in rig.voices if voice.action.pitch == 60)
    keep_ahead = StreamWorker._keep_ahead

    def fail(worker: StreamWorker, stream: Stream) -> bool:
        if stream.voice_id == broken:
            raise FloatingPointError
        return keep_ahead(worker, stream)

    monkeypatch.setattr(StreamWorker, "_keep_ahead", fail)
    with expect_log("ended early"):
        wave = rig.run(4.0)[-4800:]
    assert tone_db(wave, 67) > -40.0
    assert tone_db(wave, 60) < -90.0
    rig.off(60, 67)
    rig.run(1.0)
    rig.assert_clean()


# -- previews --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [True, False])
def test_a_preview_sounds_for_its_time_on_top_of_what_plays(cached: bool):
    rig = Rig(slices_a_block=1.0)
    rig.prepare([48])
    rig.on(48)
    rig.run(0.2)
    other = palette("Loud")
    if cached:
        held, rig.palette = rig.palette, other
        rig.prepare([72])
        rig.palette = held
    rig.control.preview(other, 72, 100, rig.now_ns)
    wave = rig.run(0.9)
    early, late = wave[4800:9600], wave[round(0.5 * RATE_HZ) : round(0.6 * RATE_HZ)]
    assert tone_db(late, 72) == pytest.approx(tone_db(early, 72), abs=0.5), "it does not run dry"
    assert tone_db(late, 72) > -30.0
    assert rig.memory.state[0]["starved"] == 0
    rig.run(1.0)
    assert [voice.action.pitch for voice in rig.voices] == [48]
    rig.off(48)
    rig.run(0.5)
    rig.assert_clean()


def test_a_later_preview_replaces_the_one_before():
    rig = Rig(slices_a_block=0.0)
    for pitch in (60, 62, 64):
        rig.control.preview(palette("Loud"), pitch, 100, rig.now_ns)
        rig.step()
    assert [voice.action.pitch for voice in rig.voices] == [64]


def test_panic_silences_a_preview_too():
    rig = Rig()
    rig.control.preview(palette("Loud"), 60, 100, rig.now_ns)
    rig.run(0.2)
    rig.do(Panic(rig.now_ns))
    rig.run(0.1)
    assert level_db(rig.played[-1000:]) < -100.0
    rig.assert_clean()


# -- the order of news -----------------------------------------------------------------------------------------------


def test_nothing_breaks_when_the_mixer_is_heard_of_late():
    """Many things happen to a voice before any news of it is read."""
    rig = Rig()
    rig.prepare([60, 64])
    rig.on(60, 64)
    rig.step()
    out = np.empty((BLOCK, 2), np.float32)
    rig.off(60)
    rig.step()
    for _ in range(400):
        rig.memory.mix(out)
    rig.do(Panic(rig.now_ns))
    rig.on(60)
    rig.step()
    for _ in range(400):
        rig.memory.mix(out)
    rig.off(60)
    rig.run(1.0)
    rig.assert_clean()


def test_needs_samples_says_when_a_voice_would_run_dry():
    rig = Rig(slices_a_block=0.0)
    assert not rig.control.needs_samples(512)
    rig.on(60)
    rig.step()
    assert rig.control.needs_samples(512), "it waits"
    rig.core.worker.step()
    rig.control.step(rig.now_ns, ())
    assert not rig.control.needs_samples(512)
    rig.run(0.1)
    assert rig.control.needs_samples(512), "the first slice is nearly played"
