"""What sounds while a note is still being rendered: for 0, 50 or 500 ms, or for ever."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.core.events import Panic
from synth_app.engine.ensemble import BRIDGE_AFTER_S
from synth_app.engine.voices import Phase
from tests.unit.engine.desk import steepest
from tests.unit.engine.rig import DELAY, LOOK_AHEAD, RATE_HZ, Rig, level_db, onset, palette, tone_db

TONE_DB = -23.4
SOFT_DB = TONE_DB - 12.0


def _waiting_rig(**options: float) -> Rig:
    """Live, with a worker that renders nothing until the test lets it."""
    return Rig(live=True, slices_a_block=0.0, **options)  # type: ignore[arg-type]


def _settled(wave: np.ndarray) -> np.ndarray:
    return wave[-2400:]


# -- the four delays of issue 4 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("cached", ["nothing", "another pitch", "another timbre"])
def test_a_render_that_takes_its_time(delay_s: float, cached: str):
    rig = _waiting_rig()
    if cached == "another pitch":
        rig.prepare([62])
    elif cached == "another timbre":
        rig.prepare([60], weights=(0.0, 1.0))
    rig.on(60)
    if delay_s == 0.0:
        rig.slices_a_block = 1.0
    wave = rig.run(max(delay_s, 0.04))
    start_s = onset(wave) / RATE_HZ
    if delay_s == 0.0:
        assert start_s * RATE_HZ == pytest.approx(DELAY + LOOK_AHEAD, abs=4)
        assert rig.control.ensemble.bridged == 0
    elif cached == "nothing":
        assert start_s < 0.0, "silence"
        assert rig.control.banner
    else:
        # 15 ms of patience, a block to be heard, and the limiter's look-ahead
        assert BRIDGE_AFTER_S < start_s < BRIDGE_AFTER_S + 2 * rig.block / RATE_HZ + 0.002
        assert rig.control.ensemble.bridged == 1
        assert tone_db(wave[-1000:], 60) > (SOFT_DB if cached == "another timbre" else TONE_DB) - 3.0
        assert rig.control.banner == ""
    rig.slices_a_block = 0.5
    after = _settled(rig.run(0.3))
    assert tone_db(after, 60) == pytest.approx(TONE_DB, abs=0.7), "the true note has taken over"
    assert rig.control.banner == ""
    assert [voice.phase for voice in rig.voices] == [Phase.SOUNDING]
    assert len(rig.sounding) == 1
    rig.off(60)
    rig.run(0.5)
    rig.assert_clean()


def test_for_ever_with_nothing_cached_there_is_silence_and_a_banner_as_long_as_a_key_is_down():
    rig = _waiting_rig()
    rig.on(60, 64)
    rig.run(3.0)
    assert np.all(rig.played == 0.0)
    assert "still being rendered" in rig.control.banner
    rig.do(Panic(rig.now_ns))
    rig.run(0.05)
    assert rig.control.banner == "", "nobody waits any more"
    rig.assert_clean()


def test_for_ever_with_a_neighbour_cached_the_neighbour_plays_once_and_ends():
    rig = _waiting_rig()
    rig.prepare([62])
    rig.on(60)
    wave = rig.run(6.0)
    assert tone_db(wave[RATE_HZ : RATE_HZ + 4800], 60) > TONE_DB - 3.0
    assert rig.control.ensemble.bridged == 1, "it does not strike again and again"
    assert level_db(_settled(wave)) < -70.0
    rig.off(60)
    rig.run(0.5)
    rig.assert_clean()


def test_for_ever_a_short_note_still_sounds_once_on_its_stand_in():
    rig = _waiting_rig()
    rig.prepare([62])
    rig.on(60)
    rig.run(0.010)
    rig.off(60)
    wave = rig.run(0.6)
    assert level_db(wave) > TONE_DB - 3.0
    rig.assert_clean()


def test_a_stand_in_that_was_cut_down_to_its_first_slice_is_heard_to_its_end():
    """Memory was short: of the timbre before only the beginnings were kept."""
    rig = _waiting_rig()
    finisher, cache = rig.control.ensemble.finisher, rig.control.cache
    (whole,) = rig.prepare([60], weights=(0.0, 1.0))
    cache._keep(whole.shortened(finisher.first_stop, finisher.samples_after(finisher.first_stop)))
    rig.on(60)
    rig.run(0.005)
    rig.off(60)
    while not rig.control.ensemble.bridged:
        rig.step()
    rig.slices_a_block = 2.0
    assert level_db(rig.run(0.05)) > SOFT_DB - 10.0
    rig.run(1.0)
    rig.assert_clean()


def test_a_preview_waits_for_its_own_note_and_then_sounds_for_its_time():
    rig = _waiting_rig()
    rig.prepare([60], weights=(0.0, 1.0))
    rig.control.preview(palette("Loud"), 60, 127, rig.now_ns)
    assert np.all(rig.run(3.0) == 0.0), "another timbre would be a lie"
    assert rig.control.banner == ""
    rig.slices_a_block = 1.0
    wave = rig.run(0.5)
    assert tone_db(wave[-4800:], 60) > TONE_DB - 6.0
    assert rig.control.ensemble.bridged == 0
    rig.run(1.5)
    rig.assert_clean()


# -- which note stands in --------------------------------------------------------------------------------------------


def test_the_nearest_pitch_of_the_same_timbre_comes_first():
    rig = _waiting_rig()
    rig.prepare([66, 55, 62])
    rig.prepare([60], weights=(0.0, 1.0))
    rig.on(60)
    wave = _settled(rig.run(0.2))
    assert tone_db(wave, 60) == pytest.approx(TONE_DB, abs=1.5)
    assert rig.voices[0].stand_in_ratio == pytest.approx(2.0 ** (-2 / 12))


def test_without_it_the_old_timbre_plays_on():
    rig = _waiting_rig()
    rig.prepare([60, 61, 48], weights=(0.0, 1.0))
    rig.on(60)
    wave = _settled(rig.run(0.2))
    assert tone_db(wave, 60) == pytest.approx(SOFT_DB, abs=0.7)
    assert rig.voices[0].stand_in_ratio == 1.0


# -- the exchange ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held_s", [0.03, 0.1, 0.7])
def test_the_exchange_is_at_the_same_elapsed_time_and_does_not_click(held_s: float):
    """The stand-in is the very same tone in another timbre, so a shift in time would be heard as a jump in phase."""
    rig = _waiting_rig()
    rig.prepare([60], weights=(0.0, 1.0))
    rig.on(60)
    rig.run(held_s)
    rig.slices_a_block = 0.5
    rig.run(0.3)
    heard = rig.played[:, 0].astype(float)
    [voice] = rig.voices
    start = onset(heard)
    [truth] = [note for note in rig.control.cache if note.key == voice.note.key]
    expected = np.zeros(len(truth.audio))  # beyond what is rendered a note's memory holds anything
    expected[: truth.available] = truth.audio[: truth.available] * voice.gain_left
    tail = heard[-1000:]
    # its place in the true note, by the best fit
    place = len(heard) - 1000 - start
    offsets = range(max(0, place - 300), place + 300)
    errors = [np.abs(tail - expected[o : o + 1000]).max() for o in offsets]
    found = list(offsets)[int(np.argmin(errors))]
    assert min(errors) < 1e-6, "the true note, sample for sample"
    assert abs(found - place) <= 6, "at the elapsed time of the stand-in"
    assert steepest(rig.played[start + 100 :]) < 1.2 * steepest(tail)


def test_a_bend_during_the_bridge_moves_stand_in_and_true_note():
    rig = _waiting_rig()
    rig.prepare([65])
    rig.on(60)
    rig.run(0.1)
    rig.bend(3.0)
    assert tone_db(_settled(rig.run(0.2)), 63) > TONE_DB - 2.0
    rig.slices_a_block = 0.5
    assert tone_db(_settled(rig.run(0.3)), 63) == pytest.approx(TONE_DB, abs=0.7)


def test_a_bend_after_a_short_bridged_note_was_let_go_keeps_its_pitch():
    """The stand-in's own pitch used to show: its transposition was forgotten when the key went up."""
    rig = Rig(palette(release_ms=3000.0), live=True, slices_a_block=0.0)
    rig.prepare([65])
    rig.on(60)
    rig.run(0.1)
    rig.off(60)
    rig.run(0.05)
    rig.bend(2.0)
    wave = rig.run(0.3)[-4800:]
    assert tone_db(wave, 62) > tone_db(wave, 67) + 20.0


def test_let_go_in_the_middle_of_the_exchange_it_ends():
    for blocks in range(1, 8):
        rig = _waiting_rig()
        rig.prepare([62])
        rig.on(60)
        rig.run(0.1)
        rig.slices_a_block = 0.5
        for _ in range(blocks):
            rig.step()
        rig.off(60)
        rig.run(0.6)
        rig.assert_clean()


def test_killed_in_the_middle_of_the_exchange_it_is_silent():
    for blocks in range(1, 8):
        rig = _waiting_rig()
        rig.prepare([62])
        rig.on(60)
        rig.run(0.1)
        rig.slices_a_block = 0.5
        for _ in range(blocks):
            rig.step()
        rig.do(Panic(rig.now_ns))
        rig.run(0.05)
        assert level_db(rig.played[-480:]) < -120.0
        rig.assert_clean()


def test_an_event_a_little_older_than_the_exchange_is_not_lost():
    """A MIDI stamp is up to a few milliseconds old when it is read; the true note is already due by then."""
    from synth_app.core.events import NoteOff

    rig = _waiting_rig()
    rig.prepare([62])
    rig.on(60)
    rig.run(0.1)
    rig.slices_a_block = 0.5
    while not rig.voices[0].slot >= 0:
        rig.step()
    rig.do(NoteOff(rig.now_ns - 4_000_000, 0, 60))
    rig.run(0.6)
    rig.assert_clean()


def test_killed_while_bridged_nothing_is_left():
    rig = _waiting_rig()
    rig.prepare([62])
    rig.on(60)
    rig.run(0.1)
    assert rig.pins == 1
    rig.do(Panic(rig.now_ns))
    rig.run(0.05)
    rig.assert_clean()


def test_struck_again_while_bridged_both_strokes_end():
    rig = _waiting_rig()
    rig.prepare([62])
    for _ in range(5):
        rig.on(60)
        rig.run(0.04)
        rig.off(60)
        rig.run(0.01)
    rig.slices_a_block = 0.5
    rig.run(1.0)
    rig.assert_clean()


def test_a_bridged_chord_that_is_stolen_leaves_nothing():
    rig = _waiting_rig(settings={"polyphony": 3.0})
    rig.prepare([62])
    for pitch in range(48, 72):
        rig.on(pitch)
        rig.run(0.02)
    rig.off(*range(48, 72))
    rig.run(1.0)
    rig.assert_clean()


def test_a_slow_worker_serves_silent_keys_before_bridged_ones():
    rig = _waiting_rig()
    rig.prepare([62])
    rig.on(60)
    rig.run(0.1)
    assert rig.voices[0].stand_in >= 0
    demand = rig.core.board.next()
    assert demand is not None
    assert demand.note.key.pitch == 60


# -- a note whose render falls behind while it sounds ------------------------------------------------------------------


@pytest.mark.parametrize("pause_s", [0.1, 0.5, 2.0])
def test_a_voice_that_runs_out_is_held_by_its_decoder_and_goes_on_where_it_would_be(pause_s: float):
    """Only its first slice is there for a while: neither silence nor a click, and it is counted."""
    rig = _waiting_rig()
    rig.prepare([60], whole=False)
    rig.on(60)
    rig.run(pause_s)
    level = tone_db(rig.played[-2400:, 0].astype(float), 60)
    assert level == pytest.approx(TONE_DB, abs=1.0), "it sounds on"
    assert rig.core.streams.held == (1 if pause_s > 0.13 else 0)
    rig.slices_a_block = 0.5
    rig.run(0.5)
    assert rig.memory.state[0]["starved"] == 0
    assert tone_db(rig.played[-2400:, 0].astype(float), 60) == pytest.approx(TONE_DB, abs=1.0)
    settled = rig.played[round(0.05 * RATE_HZ) :]
    assert steepest(settled) < 1.3 * steepest(rig.played[-2400:])
    rig.off(60)
    rig.run(1.5)
    rig.assert_clean()


def test_a_held_voice_that_is_let_go_while_it_lacks_everything_ends():
    rig = _waiting_rig()
    rig.prepare([60], whole=False)
    rig.on(60)
    rig.run(0.5)
    rig.off(60)
    rig.run(1.0)
    assert level_db(rig.played[-480:]) < -90.0
    rig.assert_clean()
