"""The board: what is needed first is rendered first, and nothing that is no longer wanted."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from synth_app.core.keys import NoteKey
from synth_app.render.board import Demand, DemandBoard
from synth_app.render.note import Note

FRAMES = 128


def _note(pitch: int, next_frame: int = 3) -> Note:
    note = Note(NoteKey("m", b"z", pitch), np.zeros(1, np.float32), 1000, 3, (FRAMES, 1))
    note.next_frame = next_frame
    return note


def _at(frame: float):
    return lambda: frame


def _audio(note: Note, stop: int = FRAMES, deadline: float | None = None) -> Demand:
    return Demand(note, 0, stop, True, None if deadline is None else _at(deadline))


@pytest.fixture
def board() -> DemandBoard:
    return DemandBoard()


def _order(board: DemandBoard) -> list[int]:
    """Pitches in the order in which the board hands them out, each demand met as it comes."""
    order = []
    while (demand := board.next()) is not None:
        order.append(demand.note.key.pitch)
        demand.note.next_frame = max(demand.note.next_frame, demand.stop)
        demand.note.have[demand.start : demand.stop] = True
        assert demand.met
    return order


def test_an_empty_board_wants_nothing(board: DemandBoard):
    assert board.next() is None
    assert board.queue_length() == 0


def test_the_earliest_deadline_comes_first_then_the_future_in_its_order(board: DemandBoard):
    board.publish(
        [_audio(_note(60), deadline=900.0), _audio(_note(61), deadline=-50.0), _audio(_note(62), deadline=400.0)],
        [_audio(_note(70)), _audio(_note(50)), _audio(_note(90))],
    )
    assert board.queue_length() == 6
    assert _order(board) == [61, 62, 60, 70, 50, 90]
    assert board.queue_length() == 0


def test_deadlines_are_looked_at_anew_each_time(board: DemandBoard):
    """A voice whose sound was just extended lets another go first."""
    notes = _note(60), _note(61)
    due = {60: 100.0, 61: 200.0}
    board.publish([Demand(n, 0, FRAMES, True, lambda p=n.key.pitch: due[p]) for n in notes])
    first = board.next()
    assert first is not None
    assert first.note.key.pitch == 60
    due[60] = 300.0
    second = board.next()
    assert second is not None
    assert second.note.key.pitch == 61


def test_what_is_met_is_passed_over(board: DemandBoard):
    board.publish([_audio(_note(60, next_frame=10), stop=10, deadline=0.0)], [_audio(_note(61, next_frame=FRAMES))])
    assert board.next() is None


def test_the_newest_board_is_the_only_one(board: DemandBoard):
    board.publish([_audio(_note(60), deadline=0.0)], [_audio(_note(61))])
    board.publish([_audio(_note(62), deadline=0.0)])
    assert _order(board) == [62, 61], "the future stays unless it is replaced"
    board.publish([], [_audio(_note(63))])
    assert _order(board) == [63]
    board.publish([], [])
    assert board.next() is None


def test_frames_are_met_when_each_of_them_is_there(board: DemandBoard):
    note = _note(60)
    demand = Demand(note, 20, 30, audio=False, deadline_frame=_at(0.0))
    assert not demand.met
    note.have[20:29] = True
    assert not demand.met
    note.have[29] = True
    assert demand.met


def test_a_publication_ends_a_wait(board: DemandBoard):
    seen = board.changes
    waiter = threading.Thread(target=lambda: board.wait(60.0, seen))
    waiter.start()
    board.publish([])
    waiter.join(30.0)
    assert not waiter.is_alive()
    board.wait(60.0, seen)  # what came before the wait ends it, too


def test_a_note_is_given_to_one_at_a_time(board: DemandBoard):
    """Two demands for one note, and one for another: the helper gets the other."""
    one, other = _note(60), _note(61)
    board.publish([_audio(one, deadline=0.0), Demand(one, 50, 60, False, _at(1.0)), _audio(other, deadline=2.0)])
    first = board.take()
    assert first is not None
    assert first.note is one
    second = board.take(helper=True)
    assert second is not None
    assert second.note is other
    assert board.take() is None
    board.give_back(first)
    again = board.take()
    assert again is not None
    assert again.note is one


def test_what_failed_comes_last_until_demands_are_published_anew(board: DemandBoard):
    failing, other = _audio(_note(60), deadline=1.0), _audio(_note(61), deadline=2.0)
    board.publish([failing, other], [])
    taken = board.take()
    assert taken is failing
    board.give_back(taken, failed=True)
    assert board.take() is other
    board.give_back(other)
    other.note.next_frame = FRAMES
    assert board.take() is failing, "another try, when nothing else is left"
    board.give_back(failing, failed=True)
    other.note.next_frame = 3
    board.publish([failing, other])
    assert board.take() is failing


def test_a_helper_works_beside_others_only(board: DemandBoard):
    board.publish([_audio(_note(60), deadline=0.0), _audio(_note(61), deadline=0.0)])
    assert board.take(helper=True) is None
    assert board.take() is not None
    assert board.take(helper=True) is not None


def test_the_future_waits_while_something_urgent_is_rendered(board: DemandBoard):
    board.publish([_audio(_note(60), deadline=0.0)], [_audio(_note(70)), _audio(_note(71))])
    urgent = board.take()
    assert urgent is not None
    assert board.take(helper=True) is None
    urgent.note.next_frame = urgent.stop
    board.give_back(urgent)
    ahead = board.take()
    assert ahead is not None
    beside = board.take(helper=True)
    assert beside is not None
    assert [ahead.note.key.pitch, beside.note.key.pitch] == [70, 71]
