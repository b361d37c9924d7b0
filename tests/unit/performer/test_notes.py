"""Keys, pedals and channel-mode messages: who sounds and who ends.

The tests named after a bug were each a real one in some other synthesizer.
"""

from __future__ import annotations

import pytest

from synth_app.core.events import NoteOn, Panic, PitchBend, ProgramChange, SourceLost, SystemReset
from synth_app.performer.actions import ChooseProgram, KillVoice, ReleaseVoice, StartVoice, WantsChanged
from tests.unit.performer.stage import MS, Stage, make_palette, of_kind

SUSTAIN, SOSTENUTO, SOFT = 64, 66, 67
ALL_SOUND_OFF, RESET, ALL_NOTES_OFF = 120, 121, 123


def test_a_key_starts_a_voice_and_letting_go_ends_it():
    stage = Stage()
    voice = stage.on(60, at=5)
    assert stage.held == {voice}
    assert stage.off(60, at=9) == [ReleaseVoice(9 * MS, voice)]
    assert stage.held == set()
    stage.finish(voice)
    assert stage.performer.voices == ()


def test_a_note_off_without_a_note_does_nothing():
    stage = Stage()
    assert stage.off(60) == []
    voice = stage.on(60)
    assert stage.off(61) == [] and stage.off(60, channel=1) == [] and stage.off(60, source="other") == []
    assert stage.held == {voice}


def test_a_voice_says_its_key_note_and_stroke():
    stage = Stage()
    start = stage.started[stage.on(61, 90, at=3, channel=4)]
    assert (start.time_ns, start.channel, start.pitch, start.velocity) == (3 * MS, 4, 61, 90)
    assert start.note_key.model_id == "paper-1" and start.note_key.pitch == 61
    assert start.latent.shape == (8,) and not start.latent.flags.writeable
    assert start.rate == 1.0


def test_a_second_note_off_does_not_release_twice():
    stage = Stage()
    stage.on(60)
    assert len(stage.off(60)) == 1
    assert stage.off(60) == []


def test_striking_a_key_that_is_still_down_lets_the_former_note_go():
    stage = Stage()
    first, second = stage.on(60), stage.on(60)
    assert stage.held == {second} and first in stage.released
    stage.off(60)
    assert stage.held == set()


def test_two_keyboards_hold_the_same_note_each_for_itself():
    stage = Stage()
    left, right = stage.on(60, source="left"), stage.on(60, source="right")
    stage.off(60, source="left")
    assert stage.held == {right} and left in stage.released


# --- the sustain pedal ----------------------------------------------------------------------------------------------


def test_sustain_holds_notes_until_it_goes_up():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    voice = stage.on(60)
    assert stage.off(60) == []
    assert stage.held == {voice}
    assert stage.cc(SUSTAIN, 63) == [ReleaseVoice(0, voice)]


def test_a_held_key_is_not_cut_by_pedal_up():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    voice = stage.on(60)
    assert stage.cc(SUSTAIN, 0) == []
    assert stage.held == {voice}


@pytest.mark.parametrize(("value", "down"), [(0, False), (63, False), (64, True), (127, True)])
def test_a_pedal_is_down_from_64(value, down):
    stage = Stage()
    stage.cc(SUSTAIN, value)
    stage.on(60)
    stage.off(60)
    assert bool(stage.held) is down


def test_pedal_on_another_channel_than_the_note():
    stage = Stage()
    stage.cc(SUSTAIN, 127, channel=1)
    stage.on(60, channel=0)
    stage.off(60, channel=0)
    assert stage.held == set()
    assert stage.cc(SUSTAIN, 0, channel=1) == []


def test_restrike_under_pedal_then_pedal_up_with_the_key_held_still_sounds():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    first = stage.on(60)
    stage.off(60)
    second = stage.on(60)
    stage.cc(SUSTAIN, 0)
    assert stage.held == {second} and first in stage.released
    stage.off(60)
    assert stage.held == set()


def test_restrike_under_pedal_does_not_cut_the_first():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    first = stage.on(60)
    stage.off(60)
    second = stage.on(60)
    assert stage.held == {first, second} and not stage.killed


def test_few_voices_of_one_key_pile_up_under_a_pedal_and_the_oldest_is_released_not_cut():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    voices = []
    for _ in range(5):
        voices.append(stage.on(60))
        stage.off(60)
    assert stage.held == set(voices[-3:])
    assert stage.released == set(voices[:2]) and not stage.killed


def test_pedal_and_a_fast_arpeggio_over_the_limit_of_voices_with_long_releases():
    stage = Stage(settings={"polyphony": 8})
    stage.cc(SUSTAIN, 127)
    for step in range(200):
        pitch = 40 + (step * 7) % 40
        stage.on(pitch, at=step * 10)
        stage.off(pitch, at=step * 10 + 5)
        assert len(stage.audible) <= 8
    stage.cc(SUSTAIN, 0, at=3000)
    assert stage.held == set() and len(stage.audible) <= 8
    stage.finish(*stage.audible)
    assert stage.performer.voices == ()


def test_notes_already_released_are_not_caught_by_a_late_pedal():
    stage = Stage()
    voice = stage.on(60)
    stage.off(60)
    stage.cc(SUSTAIN, 127)
    assert voice in stage.released
    assert stage.cc(SUSTAIN, 0) == []


# --- sostenuto and soft ---------------------------------------------------------------------------------------------


def test_sostenuto_holds_only_the_keys_that_were_down():
    stage = Stage()
    before = stage.on(48)
    stage.cc(SOSTENUTO, 127)
    stage.on(60)
    stage.off(48)
    stage.off(60)
    assert stage.held == {before}
    assert stage.cc(SOSTENUTO, 0) == [ReleaseVoice(0, before)]


def test_sostenuto_pressed_again_does_not_catch_more():
    stage = Stage()
    stage.cc(SOSTENUTO, 100)
    stage.on(60)
    stage.cc(SOSTENUTO, 127)
    stage.off(60)
    assert stage.held == set()


def test_sostenuto_does_not_catch_what_only_the_sustain_pedal_holds():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    stage.on(60)
    stage.off(60)
    stage.cc(SOSTENUTO, 127)
    stage.cc(SUSTAIN, 0)
    assert stage.held == set()


def test_either_pedal_is_enough():
    stage = Stage()
    voice = stage.on(60)
    stage.cc(SOSTENUTO, 127)
    stage.cc(SUSTAIN, 127)
    stage.off(60)
    stage.cc(SOSTENUTO, 0)
    assert stage.held == {voice}
    stage.cc(SUSTAIN, 0)
    assert stage.held == set()


def test_the_soft_pedal_softens_new_notes_only():
    stage = Stage(make_palette("Cello", "Flute"))
    plain = stage.on(60, 85)
    assert stage.cc(SOFT, 127) == []
    soft = stage.on(64, 85)
    assert stage.started[soft].gain_left < stage.started[plain].gain_left
    assert stage.started[soft].velocity == 85
    stage.cc(SOFT, 0)
    again = stage.on(67, 85)
    assert stage.started[again].gain_left == stage.started[plain].gain_left


def test_the_soft_pedal_darkens_to_a_softer_layer():
    stage = Stage(make_palette("Cello", "Flute"))
    plain = stage.started[stage.on(60, 68)]
    stage.cc(SOFT, 127)
    soft = stage.started[stage.on(60, 68)]
    assert soft.note_key.latent_key != plain.note_key.latent_key


# --- channel-mode messages ------------------------------------------------------------------------------------------


def test_all_sound_off_kills_its_channel_at_once_and_leaves_the_pedal_down():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    voice, other = stage.on(60), stage.on(60, channel=1)
    assert stage.cc(ALL_SOUND_OFF, 0) == [KillVoice(0, voice)]
    assert stage.held == {other}
    assert stage.off(60) == []
    sustained = stage.on(62)
    stage.off(62)
    assert sustained in stage.held


@pytest.mark.parametrize("controller", [123, 124, 125, 126, 127])
def test_all_notes_off_waits_for_the_pedal(controller):
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    voice, other = stage.on(60), stage.on(60, channel=1)
    assert stage.cc(controller, 0) == []
    assert stage.held == {voice, other}
    assert stage.cc(SUSTAIN, 0) == [ReleaseVoice(0, voice)]
    assert stage.held == {other}


def test_all_notes_off_releases_musically():
    stage = Stage()
    voice = stage.on(60)
    assert stage.cc(ALL_NOTES_OFF, 0) == [ReleaseVoice(0, voice)]
    assert stage.off(60) == []


def test_reset_all_controllers_lifts_the_pedals_and_leaves_held_keys():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    held = stage.on(60)
    sustained = stage.on(64)
    stage.off(64)
    actions = stage.cc(RESET, 0)
    assert of_kind(actions, ReleaseVoice) == [ReleaseVoice(0, sustained)]
    assert stage.held == {held}


def test_panic_with_legato_keys_and_pedals_down_silences_and_forgets():
    stage = Stage()
    for channel in (0, 3):
        stage.cc(SUSTAIN, 127, channel=channel)
        stage.cc(SOSTENUTO, 127, channel=channel)
        stage.on(60, channel=channel)
        stage.on(62, channel=channel)
        stage.off(60, channel=channel)
    actions = stage.do(Panic(7))
    assert len(of_kind(actions, KillVoice)) == len(actions) == 4
    assert stage.performer.voices == ()
    stage.on(70)
    stage.off(70)
    assert stage.held == set()


def test_panic_keeps_volume_and_a_system_reset_forgets_it():
    stage = Stage()
    full = stage.started[stage.on(60)].gain_left
    stage.cc(7, 50)
    stage.do(Panic(0))
    assert stage.started[stage.on(60)].gain_left < full
    actions = stage.do(SystemReset(0))
    assert len(of_kind(actions, KillVoice)) == 1
    assert stage.started[stage.on(60)].gain_left == full


def test_unplugging_with_keys_and_pedal_down_ends_what_that_port_held():
    stage = Stage()
    stage.cc(SUSTAIN, 127, source="usb")
    stage.on(60, source="usb")
    sustained = stage.on(64, source="usb")
    stage.off(64, source="usb")
    other = stage.on(48, source="panel")
    also_sustained = stage.on(50, source="panel")
    stage.off(50, source="panel")
    assert also_sustained in stage.held
    actions = stage.do(SourceLost(0, "usb"))
    assert len(of_kind(actions, ReleaseVoice)) == 3 and sustained in stage.released
    assert stage.held == {other}
    stage.on(70, source="usb")
    stage.off(70, source="usb")
    assert stage.held == {other}, "the pedal is up"


def test_unplugging_leaves_the_pedal_of_another_port_down():
    stage = Stage()
    stage.cc(SUSTAIN, 127, source="pedalboard")
    stage.cc(1, 10, source="usb")
    voice = stage.on(60, source="pedalboard")
    stage.off(60, source="pedalboard")
    assert of_kind(stage.do(SourceLost(0, "usb")), ReleaseVoice) == []
    assert stage.held == {voice}


def test_unplugging_while_bent_brings_the_channel_back_in_tune():
    stage = Stage()
    stage.do(PitchBend(0, 0, 8191, "usb"))
    assert stage.started[stage.on(60)].rate > 1.1
    stage.do(SourceLost(0, "usb"))
    assert stage.started[stage.on(62)].rate == 1.0


def test_a_port_that_never_played_is_lost_without_harm():
    assert Stage().do(SourceLost(0, "nobody")) == []


# --- programs and patches -------------------------------------------------------------------------------------------


def test_a_program_change_names_its_bank_and_leaves_held_notes_alone():
    stage = Stage()
    voice = stage.on(60)
    stage.cc(0, 1)
    stage.cc(32, 2)
    assert stage.do(ProgramChange(4, 0, 9)) == [ChooseProgram(4, 0, 130, 9)]
    assert stage.held == {voice}
    stage.off(60)
    assert stage.held == set()


def test_a_patch_change_with_held_notes_hangs_nothing():
    stage = Stage()
    stage.cc(SUSTAIN, 127)
    first = stage.on(60)
    stage.on(64)
    stage.off(64)
    stage.listen(stage.performer.set_palette(0, make_palette("Cello", "Piano")))
    assert len(stage.held) == 2
    second = stage.on(67)
    assert stage.started[second].note_key.latent_key != stage.started[first].note_key.latent_key
    stage.off(60)
    stage.off(67)
    stage.cc(SUSTAIN, 0)
    assert stage.held == set() and not stage.killed


def test_a_controller_channel_changed_while_a_note_is_held_hangs_nothing():
    """A filter or a keyboard that moves to another channel sends its pedal-up there; the note-off stays behind."""
    stage = Stage()
    stage.cc(SUSTAIN, 127, channel=0)
    stage.on(60, channel=0)
    stage.off(60, channel=0)
    stage.cc(SUSTAIN, 0, channel=5)
    assert len(stage.held) == 1
    stage.cc(RESET, 0, channel=0)
    assert stage.held == set()


def test_a_dialog_that_steals_the_key_up_is_made_good_when_its_source_is_given_up():
    stage = Stage()
    stage.on(60, source="computer keyboard")
    keyboard = stage.on(62, source="usb")
    stage.do(SourceLost(0, "computer keyboard"))
    assert stage.held == {keyboard}


def test_a_note_off_at_the_moment_of_its_note_on_still_lets_the_note_sound_once():
    stage = Stage()
    voice = stage.on(60, at=1)
    assert stage.off(60, at=1) == [ReleaseVoice(MS, voice)]
    assert voice not in stage.killed, "a release, not a kill: the engine latches it until it has sounded"


def test_done_is_no_news_of_a_voice_that_was_killed():
    stage = Stage()
    voice = stage.on(60)
    stage.do(Panic(0))
    stage.finish(voice)
    assert stage.performer.voices == ()


def test_a_held_voice_that_ran_out_by_itself_is_forgotten():
    stage = Stage()
    voice = stage.on(60)
    stage.finish(voice)
    assert stage.off(60) == []


def test_every_stroke_asks_the_planner_to_look_again():
    stage = Stage()
    actions = stage.do(NoteOn(3, 0, 60, 99))
    assert [type(action) for action in actions] == [StartVoice, WantsChanged]
