"""More notes than voices: who goes, and that someone does before the newcomer starts."""

from __future__ import annotations

import pytest

from synth_app.core.events import NoteOn
from synth_app.performer.actions import KillVoice, StartVoice
from tests.unit.performer.stage import MS, Stage, of_kind

SUSTAIN = 64


def full_stage(polyphony: int = 4) -> tuple[Stage, list[int]]:
    """Keys held as far as the voices go, a second apart."""
    stage = Stage(settings={"polyphony": polyphony})
    return stage, [stage.on(60 + i, at=1000 * i) for i in range(polyphony)]


def test_the_oldest_goes_before_the_newcomer_starts():
    stage, voices = full_stage()
    actions = stage.do(NoteOn(9000 * MS, 0, 80, 100, "keys"))
    kinds = [type(action) for action in actions]
    assert kinds.index(KillVoice) < kinds.index(StartVoice)
    assert stage.killed == {voices[0]}


def test_a_stolen_key_is_forgotten():
    stage, _ = full_stage()
    newcomer = stage.on(80, at=9000)
    assert stage.off(60) == []
    assert newcomer in stage.held


def test_released_voices_go_first_and_the_longest_released_before_others():
    stage, voices = full_stage()
    stage.off(63, at=5000)
    stage.off(62, at=6000)
    stage.on(80, at=9000)
    assert stage.killed == {voices[3]}
    stage.on(81, at=9500)
    assert stage.killed == {voices[3], voices[2]}


def test_what_only_a_pedal_holds_goes_before_keys():
    stage, voices = full_stage()
    stage.cc(SUSTAIN, 127)
    stage.off(62, at=5000)
    stage.on(80, at=9000)
    assert stage.killed == {voices[2]}


def test_a_chord_does_not_eat_itself():
    stage = Stage(settings={"polyphony": 4})
    old = [stage.on(40 + i, at=i) for i in range(2)]
    stage.cc(SUSTAIN, 127)
    stage.off(40, at=10)
    stage.off(41, at=10)
    chord = [stage.on(60 + 4 * i, at=5000 + i) for i in range(4)]
    assert stage.killed == set(old)
    assert stage.held == set(chord)


def test_a_chord_that_only_the_pedal_holds_is_spared_for_an_old_key():
    stage = Stage(settings={"polyphony": 3})
    old = stage.on(40)
    stage.cc(SUSTAIN, 127)
    for i in range(3):
        stage.on(60 + 4 * i, at=5000 + 2 * i)
        stage.off(60 + 4 * i, at=5001 + 2 * i)
    assert stage.killed == {old}


def test_a_chord_note_let_go_at_once_is_fair_game_but_its_held_neighbours_are_not():
    stage = Stage(settings={"polyphony": 3})
    old = stage.on(40)
    stage.on(60, at=5000)
    stage.on(64, at=5001)
    stage.on(67, at=5002)
    assert stage.killed == {old}


def test_when_all_is_one_chord_its_first_note_goes():
    stage = Stage(settings={"polyphony": 2})
    first = stage.on(60, at=0)
    stage.on(64, at=1)
    stage.on(67, at=2)
    assert stage.killed == {first}


@pytest.mark.parametrize("polyphony", [1, 2, 5, 63])
def test_lowering_the_limit_takes_the_excess_at_once(polyphony):
    stage, voices = full_stage(64)
    actions = stage.set("polyphony", polyphony, at=99_000)
    assert len(of_kind(actions, KillVoice)) == 64 - polyphony
    assert stage.held == set(voices[64 - polyphony :])


def test_raising_the_limit_takes_nobody():
    stage, voices = full_stage(4)
    assert stage.set("polyphony", 64, at=9000) == []
    stage.on(90, at=9000)
    assert stage.held >= set(voices)


def test_room_is_free_again_when_a_voice_is_done():
    stage, voices = full_stage()
    stage.off(60, at=5000)
    stage.finish(voices[0])
    stage.on(80, at=9000)
    assert not stage.killed
