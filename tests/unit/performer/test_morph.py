"""The morph through the performer: what is asked, what sounds, who follows, and what to render ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synth_app.core.events import NoteOn, SetMorph
from synth_app.performer.actions import RetimbreVoice, SetMaster, StartVoice, WantsChanged
from synth_app.timbre.palette import Palette
from tests.unit.performer.stage import MS, Model, Stage, make_anchors, make_palette, make_patch, of_kind


def test_a_morph_retimbres_held_voices_and_asks_the_planner():
    stage = Stage()
    held, released = stage.on(60), stage.on(64)
    stage.off(64)
    actions = stage.morph(0.0, 1.0, at=3)
    assert [type(action) for action in actions] == [RetimbreVoice, WantsChanged]
    assert actions[0].voice_id == held and actions[0].note_key.pitch == 60 and released not in stage.held
    np.testing.assert_array_equal(actions[0].latent, make_palette().note((0.0, 1.0), 100, 60).latent)


def test_the_same_place_again_is_no_news():
    stage = Stage()
    stage.on(60)
    stage.morph(0.5, 0.5)
    assert stage.morph(0.5, 0.5) == []
    assert stage.morph(0.2, 0.2) == [], "weights count by their ratio"


def test_asked_weights_keep_the_player_own_scale_and_sounding_ones_sum_to_one():
    stage = Stage()
    stage.morph(0.2, 0.6)
    assert stage.performer.asked_weights == (0.2, 0.6)
    assert stage.performer.sounding_weights == (0.25, 0.75)
    assert stage.performer.patch.weights == (0.2, 0.6)


def test_all_sliders_down_sound_as_equal_shares():
    stage = Stage()
    stage.morph(0.0, 0.0)
    assert stage.performer.sounding_weights == (0.5, 0.5)


@pytest.mark.parametrize("weights", [(1.0,), (0.1, 0.2, 0.3), (), (math.nan, 1.0), (math.inf, 0.0)])
def test_weights_for_other_anchors_or_of_no_number_are_ignored(weights):
    stage = Stage()
    before = stage.performer.asked_weights
    assert stage.do(SetMorph(0, weights)) == []
    assert stage.performer.asked_weights == before


def test_weights_out_of_range_are_brought_into_it():
    stage = Stage()
    stage.morph(-1.0, 7.0)
    assert stage.performer.asked_weights == (0.0, 1.0)


def test_a_new_note_takes_the_morph_of_its_moment():
    stage = Stage(make_palette("Flute", "Organ", glide_ms=100.0))
    stage.morph(0.0, 1.0, at=0)
    actions = stage.do(NoteOn(50 * MS, 0, 60, 100, "keys"))
    assert stage.performer.sounding_weights == (0.5, 0.5)
    (start,) = of_kind(actions, StartVoice)
    assert start.note_key == make_palette().note((0.5, 0.5), 100, 60).note_key


def test_a_glide_visits_the_steps_between_and_arrives_on_time():
    stage = Stage(make_palette("Flute", "Organ", glide_ms=100.0))
    stage.on(60)
    assert stage.performer.next_tick_ns is None
    stage.morph(0.0, 1.0, at=1000)
    assert stage.performer.asked_weights == (0.0, 1.0)
    assert stage.performer.sounding_weights == (1.0, 0.0)
    places, retimbred = [], 0
    while (due := stage.performer.next_tick_ns) is not None:
        retimbred += len(of_kind(stage.listen(stage.performer.tick(due)), RetimbreVoice))
        places.append(stage.performer.sounding_weights[1])
    assert due is None and places == sorted(places) and places[-1] == 1.0
    assert len(places) == 10 and retimbred == 10


def test_a_glide_turned_round_starts_from_where_it_sounds():
    stage = Stage(make_palette("Flute", "Organ", glide_ms=100.0))
    stage.morph(0.0, 1.0, at=0)
    stage.listen(stage.performer.tick(50 * MS))
    stage.morph(1.0, 0.0, at=50)
    stage.listen(stage.performer.tick(100 * MS))
    assert stage.performer.sounding_weights == (0.75, 0.25)


def test_a_late_stamp_never_moves_the_morph_back():
    stage = Stage(make_palette("Flute", "Organ", glide_ms=100.0))
    stage.morph(0.0, 1.0, at=1000)
    stage.listen(stage.performer.tick(1080 * MS))
    before = stage.performer.sounding_weights
    stage.on(60, at=20)
    assert stage.performer.sounding_weights == before


def test_one_controller_sweeps_from_the_first_anchor_to_the_last_through_the_others():
    stage = Stage(make_palette("Flute", "Organ", "Piano", morph_cc=21))
    stage.cc(21, 127)
    assert stage.performer.sounding_weights == (0.0, 0.0, 1.0)
    stage.cc(21, 0)
    assert stage.performer.sounding_weights == (1.0, 0.0, 0.0)
    stage.cc(21, 64, channel=9)
    assert stage.performer.sounding_weights == (0.0, 1.0, 0.0), "the grid lets 64 of 127 be the middle"


def test_the_morph_controller_does_nothing_else_and_a_pedal_stays_a_pedal():
    stage = Stage(make_palette("Flute", "Organ", morph_cc=1))
    stage.on(60)
    assert not any(type(action).__name__ == "TuneVoice" for action in stage.cc(1, 127))
    assert stage.performer.sounding_weights == (0.0, 1.0)
    stage.set("morph_cc", 64)
    stage.cc(64, 127)
    assert len(stage.off(60)) == 0 and len(stage.cc(64, 0)) == 1


def test_the_morph_rests_at_the_weights_of_a_new_patch():
    stage = Stage(make_palette("Flute", "Organ", glide_ms=500.0))
    stage.morph(0.0, 1.0)
    actions = stage.performer.set_palette(7, make_palette("Cello", "Piano", "Flute", vibrato_hz=3.0))
    assert [type(action) for action in actions] == [SetMaster, WantsChanged]
    assert actions[0].vibrato_hz == 3.0 and {action.time_ns for action in actions} == {7}
    assert stage.performer.sounding_weights == (1.0, 0.0, 0.0) and stage.performer.next_tick_ns is None


def test_notes_of_a_former_patch_do_not_follow_the_morph_of_the_new_one():
    stage = Stage()
    stage.on(60)
    stage.listen(stage.performer.set_palette(0, make_palette("Cello", "Piano")))
    assert of_kind(stage.morph(0.0, 1.0), RetimbreVoice) == []


def test_at_a_patch_switch_held_notes_follow_into_the_new_patch_where_the_player_chose_so():
    stage = Stage(settings={"switch_follow": 1.0})
    first, second = stage.on(60), stage.on(64)
    let_go = stage.on(67)
    stage.off(67)
    actions = stage.listen(stage.performer.set_palette(0, make_palette("Cello", "Piano")))
    assert sorted(action.voice_id for action in of_kind(actions, RetimbreVoice)) == [first, second], (
        f"{let_go} was let go, and keeps its timbre"
    )
    assert sorted(a.voice_id for a in of_kind(stage.morph(0.0, 1.0), RetimbreVoice)) == [first, second]
    actions = stage.listen(stage.performer.set_palette(0, make_palette("Piano", model=Model(model_id="other"))))
    assert of_kind(actions, RetimbreVoice) == [], "another model's notes cannot be gone over to"


def test_notes_follow_when_the_patch_changed_in_places_and_parameters_only():
    stage = Stage()
    voice = stage.on(60)
    stage.listen(stage.performer.set_palette(0, make_palette(release_ms=50.0)))
    assert [action.voice_id for action in of_kind(stage.morph(0.0, 1.0), RetimbreVoice)] == [voice]


def test_a_loaded_weight_retimbres_notes_of_the_same_anchors():
    stage = Stage()
    voice = stage.on(60)
    patch = make_patch("Flute", "Organ").with_weights((0.0, 1.0))
    actions = stage.listen(stage.performer.set_palette(0, Palette(patch, make_anchors(), Model())))
    assert [action.voice_id for action in of_kind(actions, RetimbreVoice)] == [voice]


# --- wants ----------------------------------------------------------------------------------------------------------


def test_before_anything_is_played_the_hands_are_at_middle_c():
    wants = Stage().performer.wants()
    assert (wants.hand_pitch, wants.sounding, wants.recent, wants.ahead) == (60, (), (), ())
    assert (wants.lowest_pitch, wants.highest_pitch, wants.model_id) == (24, 84, "paper-1")
    assert len(wants.latents) == 1


def test_sounding_and_recent_pitches_are_the_model_own_newest_first():
    stage = Stage(make_palette("Flute", "Organ", transpose_semitones=12.0))
    for pitch in (48, 52, 48, 120):
        stage.on(pitch)
    stage.off(120)
    wants = stage.performer.wants()
    assert wants.sounding == (60, 64)
    assert wants.recent == (84, 60, 64)


def test_the_hands_are_where_they_played_last():
    stage = Stage()
    for _ in range(8):
        stage.on(36)
        stage.off(36)
    assert stage.performer.wants().hand_pitch == 36
    for pitch in (70, 72, 74, 72, 70, 72, 74, 72):
        stage.on(pitch)
    assert stage.performer.wants().hand_pitch == 72


def test_the_zone_played_last_is_the_likeliest():
    stage = Stage(make_palette("Cello", "Flute"))
    stage.on(60, 10)
    soft = stage.performer.wants().latents
    assert [wanted.velocity for wanted in soft] == sorted(wanted.velocity for wanted in soft)
    stage.on(60, 127)
    hard = stage.performer.wants().latents
    assert hard[0].velocity == max(wanted.velocity for wanted in hard) and len(hard) == 3
    start = stage.started[stage.on(62, 127)]
    assert hard[0].latent_key == start.note_key.latent_key


def test_the_planner_is_told_where_the_morph_is_going():
    stage = Stage()
    stage.morph(1.0 - 4 / 32, 4 / 32)
    ahead = stage.performer.wants().ahead
    expected = [make_palette().latent((1 - s / 32, s / 32), 0)[1] for s in (5, 6, 7)]
    assert [wanted.latent_key for wanted in ahead] == expected


def test_during_a_glide_the_way_ahead_is_the_glide():
    stage = Stage(make_palette("Flute", "Organ", "Piano", glide_ms=1000.0))
    stage.morph(0.0, 1.0, 0.0)
    ahead = stage.performer.wants().ahead
    expected = [make_palette("Flute", "Organ", "Piano").latent((1 - s / 32, s / 32, 0.0), 0)[1] for s in (1, 2, 3)]
    assert [wanted.latent_key for wanted in ahead] == expected


def test_at_the_end_of_the_road_nothing_lies_ahead():
    stage = Stage()
    stage.morph(0.0, 1.0)
    assert stage.performer.wants().ahead == ()


def test_the_same_events_give_the_same_actions():
    def play() -> list:
        stage = Stage(make_palette("Cello", "Piano", "Flute", glide_ms=30.0), {"polyphony": 5})
        log = []
        for step in range(300):
            log += stage.do(NoteOn(step * MS, step % 3, 40 + step % 30, 1 + step % 127, "keys"))
            log += stage.morph(step % 7 / 7, step % 5 / 5, 0.5, at=step)
            log += stage.off(40 + (step * 3) % 30, channel=step % 3, at=step)
        return [repr(action) for action in log]

    assert play() == play()
