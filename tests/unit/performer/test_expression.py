"""Level, place and pitch of voices, from the formulas and through the performer."""

from __future__ import annotations

import math

import pytest

from synth_app.core.events import ChannelPressure, PitchBend, PolyPressure
from synth_app.midi.channel import Channel
from synth_app.performer import expression
from synth_app.performer.actions import GainVoice, SetMaster, TuneVoice, WantsChanged
from tests.unit.performer.stage import MS, Model, Stage, make_palette, of_kind


def db(gain: float) -> float:
    return 20.0 * math.log10(gain)


def cents(ratio: float) -> float:
    return 1200.0 * math.log2(ratio)


def select_rpn(stage: Stage, number: int, msb: int, lsb: int | None = None) -> list:
    stage.cc(101, 0)
    stage.cc(100, number)
    actions = stage.cc(6, msb)
    if lsb is not None:
        actions = stage.cc(38, lsb)
    return actions


@pytest.mark.parametrize(("velocity", "expected_db"), [(127, 0.0), (1, -40.0), (64, -20.0)])
def test_velocity_is_linear_in_db(velocity, expected_db):
    assert db(expression.velocity_gain(velocity, 40.0)) == pytest.approx(expected_db, abs=1e-9)


def test_a_velocity_range_of_zero_plays_every_stroke_alike():
    assert {expression.velocity_gain(v, 0.0) for v in range(1, 128)} == {1.0}


def test_controllers_follow_the_squared_law():
    assert expression.controller_gain(127) == 1.0
    assert expression.controller_gain(0) == 0.0
    assert db(expression.controller_gain(100)) == pytest.approx(40.0 * math.log10(100 / 127))


@pytest.mark.parametrize("pan", range(128))
def test_pan_keeps_its_power(pan):
    left, right = expression.pan_gains(pan)
    assert left**2 + right**2 == pytest.approx(1.0)


def test_pan_reaches_both_sides_and_is_centred_at_64():
    assert expression.pan_gains(0) == expression.pan_gains(1) == (1.0, 0.0)
    assert expression.pan_gains(127) == pytest.approx((0.0, 1.0))
    left, right = expression.pan_gains(64)
    assert left == pytest.approx(right)


def test_a_stroke_multiplies_velocity_volume_controllers_and_pan():
    stage = Stage(make_palette("Flute", "Organ", volume_db=-3.0, velocity_range_db=20.0))
    stage.cc(7, 127)
    stage.cc(11, 90)
    stage.cc(10, 1)
    start = stage.started[stage.on(60, 64)]
    assert db(start.gain_left) == pytest.approx(-3.0 - 10.0 + 40.0 * math.log10(90 / 127))
    assert start.gain_right == 0.0


@pytest.mark.parametrize(("controller", "value"), [(7, 30), (11, 30), (10, 30)])
def test_level_controllers_reach_every_voice_of_their_channel(controller, value):
    stage = Stage()
    voice, released, other = stage.on(60), stage.on(64), stage.on(60, channel=1)
    stage.off(64)
    changed = of_kind(stage.cc(controller, value), GainVoice)
    assert {action.voice_id for action in changed} == {voice, released}
    assert other in stage.held
    assert stage.cc(controller, value) == [], "the same value again is no news"


def test_patch_volume_reaches_sounding_voices():
    stage = Stage()
    before = stage.started[stage.on(60)].gain_left
    (action,) = stage.set("volume_db", -6.0)
    assert db(action.gain_left) == pytest.approx(db(before) - 6.0)


def test_master_volume_is_told_once_and_not_to_voices():
    stage = Stage()
    stage.on(60)
    assert stage.set("master_db", -12.0, at=2) == [SetMaster(2 * MS, pytest.approx(10 ** (-12 / 20)), 5.5)]


def test_vibrato_speed_is_told_to_the_master():
    assert Stage(settings={"master_db": -6.0}).set("vibrato_hz", 7.0) == [
        SetMaster(0, pytest.approx(10 ** (-6 / 20)), 7.0)
    ]


# --- pitch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "semitones"), [(8191, 2.0), (-8192, -2.0), (0, 0.0), (-4096, -1.0)])
def test_the_bend_wheel_reaches_exactly_as_far_as_the_patch_says(value, semitones):
    stage = Stage()
    voice = stage.on(60)
    tuned = of_kind(stage.do(PitchBend(0, 0, value, "keys")), TuneVoice)
    if value:
        assert [action.voice_id for action in tuned] == [voice]
        assert cents(tuned[0].rate) == pytest.approx(100 * semitones, abs=1e-6)
    else:
        assert tuned == []


def test_rpn_0_sets_the_bend_range_of_its_channel_only():
    stage = Stage()
    select_rpn(stage, 0, 12, 50)
    for channel in (0, 1):
        stage.do(PitchBend(0, channel, 8191, "keys"))
    assert cents(stage.started[stage.on(60)].rate) == pytest.approx(1250.0)
    assert cents(stage.started[stage.on(60, channel=1)].rate) == pytest.approx(200.0)


def test_data_entry_after_rpn_null_is_ignored():
    stage = Stage()
    select_rpn(stage, 0, 12)
    stage.cc(101, 127)
    stage.cc(100, 127)
    stage.cc(6, 24)
    stage.do(PitchBend(0, 0, 8191, "keys"))
    assert cents(stage.started[stage.on(60)].rate) == pytest.approx(1200.0)


def test_setting_the_patch_bend_range_wins_over_an_earlier_rpn():
    stage = Stage()
    select_rpn(stage, 0, 12)
    stage.set("bend_range_semitones", 7.0)
    stage.do(PitchBend(0, 0, 8191, "keys"))
    assert cents(stage.started[stage.on(60)].rate) == pytest.approx(700.0)


def test_rpn_1_tunes_finely_and_sounding_notes_follow():
    stage = Stage()
    voice = stage.on(60)
    actions = select_rpn(stage, 1, 96)
    assert [action.voice_id for action in actions] == [voice]
    assert cents(actions[0].rate) == pytest.approx(50.0)


def test_rpn_2_tunes_coarsely_and_new_notes_take_the_model_note_that_sounds():
    stage = Stage()
    held = stage.on(60)
    (tuned,) = select_rpn(stage, 2, 64 + 5)
    assert tuned.voice_id == held and cents(tuned.rate) == pytest.approx(500.0)
    start = stage.started[stage.on(60)]
    assert start.note_key.pitch == 65 and start.rate == pytest.approx(1.0)


def test_a4_tunes_everything():
    stage = Stage(settings={"a4_hz": 432.0})
    assert stage.started[stage.on(60)].rate == pytest.approx(432 / 440)
    (action,) = stage.set("a4_hz", 440.0)
    assert action.rate == pytest.approx(1.0)


def test_transposition_takes_another_model_note_and_leaves_held_notes_alone():
    stage = Stage()
    stage.on(60)
    assert stage.set("transpose_semitones", 7.0) == [WantsChanged(0)]
    start = stage.started[stage.on(60)]
    assert (start.note_key.pitch, start.rate) == (67, 1.0)
    assert start.pitch == 60


def test_a_fractional_transposition_is_made_up_by_the_rate():
    stage = Stage(make_palette("Flute", "Organ", transpose_semitones=0.5))
    start = stage.started[stage.on(60)]
    assert start.note_key.pitch == 61 and cents(start.rate) == pytest.approx(-50.0)


@pytest.mark.parametrize(("pitch", "edge"), [(100, 84), (127, 84), (10, 24), (0, 24), (84, 84), (24, 24)])
def test_pitches_outside_the_model_are_transposed_from_its_edge(pitch, edge):
    start = (stage := Stage()).started[stage.on(pitch)]
    assert start.note_key.pitch == edge
    assert cents(start.rate) == pytest.approx(100.0 * (pitch - edge))


def test_a_model_with_another_range_is_respected():
    stage = Stage(make_palette("Flute", model=Model(lowest_pitch=48, highest_pitch=50)))
    assert stage.started[stage.on(60)].note_key.pitch == 50


# --- vibrato --------------------------------------------------------------------------------------------------------


def test_the_mod_wheel_makes_vibrato_of_the_patch_depth():
    stage = Stage()
    voice = stage.on(60)
    (action,) = stage.cc(1, 127)
    assert action.voice_id == voice
    assert cents(1.0 + action.vibrato) == pytest.approx(50.0)
    assert stage.cc(1, 0)[0].vibrato == 0.0


def test_pressure_adds_to_the_wheel_and_stops_at_full():
    stage = Stage()
    voice, other = stage.on(60), stage.on(64)
    (first, _) = stage.do(ChannelPressure(0, 0, 64, "keys"))
    assert cents(1.0 + first.vibrato) == pytest.approx(50.0 * 64 / 127)
    (own,) = stage.do(PolyPressure(0, 0, 60, 127, "keys"))
    assert own.voice_id == voice and cents(1.0 + own.vibrato) == pytest.approx(50.0)
    assert other in stage.held


def test_the_pressure_of_a_key_is_forgotten_when_it_is_struck_again():
    stage = Stage()
    stage.on(60)
    stage.do(PolyPressure(0, 0, 60, 127, "keys"))
    assert stage.started[stage.on(60)].vibrato == 0.0


def test_reset_all_controllers_follows_rp_015():
    channel = Channel()
    for controller, value in ((1, 9), (7, 9), (10, 9), (11, 9), (64, 127), (66, 127), (67, 127), (0, 3), (32, 4)):
        channel.control(controller, value)
    for controller, value in ((101, 0), (100, 0), (6, 12)):
        channel.control(controller, value)
    channel.bend, channel.pressure, channel.key_pressure = 99, 5, {60: 4}
    channel.reset_controllers()
    assert (channel.modulation, channel.expression, channel.bend, channel.pressure) == (0, 127, 0, 0)
    assert (channel.sustain, channel.sostenuto, channel.soft, channel.key_pressure) == (False, False, False, {})
    assert (channel.volume, channel.pan, channel.bank) == (9, 9, 3 * 128 + 4), "these stay"
    assert channel.rpn.bend_range_semitones == 12.0, "so does the bend range"
    assert (channel.rpn.msb, channel.rpn.lsb) == (127, 127)


def test_the_envelope_of_the_patch_is_told_with_the_stroke():
    stage = Stage(make_palette("Flute", attack_ms=20, decay_ms=700, sustain_db=-20, release_ms=90))
    envelope = stage.started[stage.on(60)].envelope
    assert (envelope.attack_ms, envelope.decay_ms, envelope.release_ms) == (20, 700, 90)
    assert envelope.sustain == pytest.approx(0.1)


def test_parameters_out_of_range_are_brought_into_it_and_nonsense_is_ignored():
    stage = Stage()
    stage.set("volume_db", 999.0)
    assert stage.performer.patch.param("volume_db") == 12.0
    assert stage.set("no_such_thing", 1.0) == [] and stage.set("volume_db", math.nan) == []
    assert stage.performer.patch.param("volume_db") == 12.0
    stage.set("polyphony", -5)
    assert stage.performer.settings["polyphony"] == 1.0


def test_voices_of_a_former_patch_keep_its_level_and_the_new_patch_has_its_own():
    stage = Stage()
    voice = stage.on(60)
    assert of_kind(stage.listen(stage.performer.set_palette(0, make_palette("Cello", volume_db=-20))), GainVoice) == []
    assert of_kind(stage.set("volume_db", -30.0), GainVoice) == []
    assert len(of_kind(stage.cc(7, 20), GainVoice)) == 1 and voice in stage.held
