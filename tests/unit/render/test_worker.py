"""The worker: a slice a step, most needed first, and word of it after each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from synth_app.render.board import Demand, DemandBoard
from synth_app.render.finish import Finisher
from synth_app.render.note import Note
from synth_app.render.worker import FRAMES_SLICE, RenderWorker
from tests.unit.render.recording import Recording

NewNote = Callable[..., Note]


@pytest.fixture
def board() -> DemandBoard:
    return DemandBoard()


@pytest.fixture
def news() -> list[int]:
    return []


@pytest.fixture
def worker(generator: Recording, finisher: Finisher, board: DemandBoard, news: list[int]) -> RenderWorker:
    return RenderWorker(generator, finisher, board, lambda: news.append(len(generator.asked)))


def test_with_nothing_wanted_it_says_so(worker: RenderWorker, news: list[int]):
    assert not worker.step()
    assert news == []


def test_a_slice_a_step_until_the_demand_is_met(
    worker: RenderWorker, board: DemandBoard, generator: Recording, new_note: NewNote, news: list[int]
):
    note = new_note()
    board.publish([Demand(note, 0, 30, True, lambda: 0.0)])
    while worker.step():
        pass
    assert [(start, stop) for _, start, stop in generator.asked] == [(3, 10), (10, 26), (26, 30)]
    assert news == [1, 2, 3], "it tells of every slice"


def test_a_key_struck_meanwhile_waits_for_one_slice_not_for_one_note(
    worker: RenderWorker, board: DemandBoard, generator: Recording, new_note: NewNote
):
    ahead = [Demand(new_note(pitch), 0, 128) for pitch in (60, 61, 62)]
    board.publish([], ahead)
    worker.step()
    board.publish([Demand(new_note(72), 0, 128, True, lambda: 0.0)])
    worker.step()
    assert [pitch for pitch, _, _ in generator.asked] == [60, 72]


def test_nothing_is_rendered_any_more_that_is_no_longer_wanted(
    worker: RenderWorker, board: DemandBoard, generator: Recording, new_note: NewNote
):
    board.publish([], [Demand(new_note(pitch), 0, 10) for pitch in range(40, 60)])
    worker.step()
    board.publish([], [Demand(new_note(70), 0, 10)])
    while worker.step():
        pass
    assert [pitch for pitch, _, _ in generator.asked] == [40, 70]


def test_frames_for_a_stream_come_in_slices_that_begin_at_the_first_missing_one(
    worker: RenderWorker, board: DemandBoard, generator: Recording, finisher: Finisher, new_note: NewNote
):
    note = new_note()
    finisher.fetch(note, generator, 40, 45)
    board.publish([Demand(note, 40, 70, audio=False, deadline_frame=lambda: 0.0)])
    while worker.step():
        pass
    assert [(start, stop) for _, start, stop in generator.asked[1:]] == [
        (45, 45 + FRAMES_SLICE), (45 + FRAMES_SLICE, 45 + 2 * FRAMES_SLICE), (45 + 2 * FRAMES_SLICE, 70),
    ]  # fmt: skip
    assert note.has(40, 70)
    assert note.available == 0


def test_an_error_of_the_generator_leaves_the_note_as_it_was(
    board: DemandBoard, finisher: Finisher, new_note: NewNote, generator: Recording
):
    class Failing(Recording):
        broken = True

        def render(self, *args, **kwargs):
            if self.broken:
                raise RuntimeError("device lost")
            return super().render(*args, **kwargs)

    failing = Failing()
    worker = RenderWorker(failing, finisher, board, lambda: None)
    note = new_note()
    board.publish([Demand(note, 0, 10, True, lambda: 0.0)])
    with pytest.raises(RuntimeError, match="device lost"):
        worker.step()
    assert note.available == 0
    assert note.kept == 0
    failing.broken = False
    assert worker.step(), "and it can be tried again"
    assert note.available > 0
