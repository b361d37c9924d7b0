"""Slots, pins and the order of commands when there are more than the ring holds."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from synth_app.core.keys import NoteKey
from synth_app.engine.protocol import COMMAND_CAPACITY, SLOTS
from synth_app.engine.stage import AT_ONCE, Finished, Sounding, Stage, Started
from synth_app.performer.actions import EnvelopeTimes
from synth_app.render.note import Note
from tests.unit.engine.desk import Desk

OPEN = EnvelopeTimes(0.0, 1.0, 1.0, 100.0)
PLAIN = Sounding(1.0, 0.0, 1.0, 1.0, OPEN)


def _note(samples: int = 48_000, level: float = 0.25) -> Note:
    note = Note(NoteKey("m", b"z", 60), np.zeros(1, np.float32), samples, 0, (1, 1))
    note.prepare()
    note.audio[:] = level
    note.progress[:] = samples, 1
    return note


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def stage(desk: Desk) -> Stage:
    return Stage(desk.memory)


def test_a_note_is_pinned_from_its_start_until_the_mixer_has_done_with_it(desk: Desk, stage: Stage):
    note = _note(1000)
    slot = stage.start(7, note, 100, PLAIN)
    assert note.pins == 1
    assert stage.slots_in_use == 1
    stage.commit()
    desk.play(500)
    assert stage.collect() == [Started(slot, 7, 100, 100)]
    assert note.pins == 1
    desk.play(1000)
    assert note.pins == 1, "nobody was told yet"
    assert stage.collect() == [Finished(slot, 7)]
    assert note.pins == 0
    assert stage.slots_in_use == 0


def test_a_note_that_the_mixer_holds_is_kept_alive_by_the_stage_alone(desk: Desk, stage: Stage):
    note = _note(2000)
    alive = weakref.ref(note.audio)
    stage.start(1, note, AT_ONCE, PLAIN)
    stage.commit()
    del note
    gc.collect()
    assert alive() is not None
    assert np.all(desk.heard(1000) == 0.25)
    desk.play(2000)
    stage.collect()
    gc.collect()
    assert alive() is None


def test_notes_outlive_the_engine_as_long_as_the_stream_may_still_read_them(desk: Desk):
    """The device is switched: the engine goes first, the stream a moment later."""
    stage = Stage(desk.memory)
    note = _note(10_000)
    alive = weakref.ref(note.audio)
    stage.start(1, note, AT_ONCE, PLAIN)
    stage.commit()
    del stage, note
    gc.collect()
    assert alive() is not None
    assert np.all(desk.heard(5000) == 0.25)
    desk.memory.lent.clear()
    gc.collect()
    assert alive() is None


def test_there_are_as_many_slots_as_the_mixer_has_and_no_more(desk: Desk, stage: Stage):
    note = _note()
    slots = [stage.start(n, note, AT_ONCE, PLAIN) for n in range(SLOTS)]
    assert sorted(slot for slot in slots if slot is not None) == list(range(SLOTS))
    assert stage.start(999, note, AT_ONCE, PLAIN) is None
    assert note.pins == SLOTS
    for number, slot in enumerate(slots):
        assert slot is not None
        stage.kill(slot, number, AT_ONCE)
    stage.commit()
    desk.play(500)
    stage.collect()
    assert note.pins == 0
    assert stage.start(1000, note, AT_ONCE, PLAIN) is not None


def test_the_mixer_sees_nothing_before_the_commit(desk: Desk, stage: Stage):
    stage.start(1, _note(), AT_ONCE, PLAIN)
    desk.play(200)
    assert desk.sounding == []
    stage.commit()
    desk.play(200)
    assert desk.sounding == [0]


def test_releases_and_kills_get_through_a_flood_of_changes(desk: Desk, stage: Stage):
    """A pedal and a panic used to wait behind every bend of a dense take."""
    note = _note()
    for number in range(4):
        stage.start(number, note, AT_ONCE, PLAIN)
    stage.commit()
    desk.play(100)
    for number in range(2 * COMMAND_CAPACITY):
        stage.gain(number % 4, number % 4, AT_ONCE, 0.5, 0.5)
    stage.kill(0, 0, AT_ONCE)
    stage.release(1, 1, AT_ONCE, 5.0)
    stage.commit()
    desk.play(480)
    ended = {item.voice_id for item in stage.collect() if isinstance(item, Finished)}
    assert ended == {0, 1}


def test_what_overflowed_arrives_in_order_with_the_last_value_last(desk: Desk, stage: Stage):
    stage.start(1, _note(), AT_ONCE, PLAIN)
    count = 3 * COMMAND_CAPACITY
    for number in range(count):
        stage.gain(0, 1, AT_ONCE, number / count, 1.0)
    stage.gain(0, 1, AT_ONCE, 0.125, 0.125)
    for _ in range(8):
        stage.commit()
        desk.play(64)
    assert desk.memory.slots[0]["gain_left_target"] == 0.125


def test_an_overflowed_start_is_ended_after_it_began_not_before(desk: Desk, stage: Stage):
    """Started, released and killed while the ring is full: nothing may hang, nothing may be lost."""
    stage.start(0, _note(level=0.0), AT_ONCE, PLAIN)
    for _ in range(COMMAND_CAPACITY):
        stage.gain(0, 0, AT_ONCE, 1.0, 1.0)
    note = _note()
    slots = [stage.start(number, note, AT_ONCE, PLAIN) for number in (1, 2, 3)]
    assert None not in slots
    stage.release(slots[0], 1, AT_ONCE, 5.0)  # type: ignore[arg-type]
    stage.kill(slots[1], 2, AT_ONCE)  # type: ignore[arg-type]
    ended = set()
    for _ in range(10):
        stage.commit()
        desk.play(128)
        ended |= {item.voice_id for item in stage.collect() if isinstance(item, Finished)}
    assert ended == {1, 2}
    assert desk.sounding == [0, slots[2]]


def test_the_position_is_that_of_the_voice_asked_for(desk: Desk, stage: Stage):
    slot = stage.start(5, _note(), AT_ONCE, PLAIN)
    assert slot is not None
    assert stage.position(slot, 5) == 0.0
    stage.commit()
    desk.play(300)
    assert stage.position(slot, 5) == 300.0
    assert stage.position(slot, 4) == 0.0


def test_a_slot_is_dry_when_all_that_is_rendered_was_played(desk: Desk, stage: Stage):
    note = _note()
    note.progress[:] = 1000, 0
    slot = stage.start(5, note, AT_ONCE, PLAIN)
    assert slot is not None
    stage.commit()
    desk.play(900)
    assert not stage.dry(slot, 5)
    desk.play(300)
    assert stage.dry(slot, 5)
    note.progress[:] = 48_000, 1
    desk.play(100)
    assert not stage.dry(slot, 5)
