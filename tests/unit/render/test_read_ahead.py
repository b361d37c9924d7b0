"""Notes of a score are rendered before they are asked for, and whoever asks gets the same frames as without."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from synth_app.render import read_ahead
from synth_app.render.ports import SpectralFrames
from synth_app.render.read_ahead import Ahead, ReadAhead
from tests.helpers.sine_generator import SineGenerator

TIMEOUT_S = 20.0


class Counting(SineGenerator):
    """Writes down what is rendered, and waits while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int, int]] = []
        self.go = threading.Event()
        self.go.set()

    def render(self, latents: np.ndarray, pitches: np.ndarray, start_frame: int, stop_frame: int) -> SpectralFrames:
        assert self.go.wait(TIMEOUT_S)
        self.asked.append((int(pitches[0]), start_frame, stop_frame))
        return super().render(latents, pitches, start_frame, stop_frame)


@pytest.fixture
def generator() -> Counting:
    return Counting()


@pytest.fixture
def latent(generator: Counting) -> np.ndarray:
    return np.ones(generator.info.latent_size, np.float32)


@pytest.fixture
def readers() -> Iterator[list[ReadAhead]]:
    made: list[ReadAhead] = []
    yield made
    for reader in made:
        reader.close()


def _ask(reader: ReadAhead | Counting, latent: np.ndarray, pitch: int, start: int, stop: int) -> np.ndarray:
    return reader.render(latent[None], np.array([pitch]), start, stop).log_mel


def test_what_the_score_needs_is_rendered_once_in_its_order(
    generator: Counting, latent: np.ndarray, readers: list[ReadAhead]
):
    notes = [Ahead(latent, pitch, [(3, 42), (96, 128)]) for pitch in (60, 64, 67)]
    reader = ReadAhead(generator, notes)
    readers.append(reader)
    for pitch in (60, 64, 67):
        for start, stop in ((3, 10), (10, 26), (26, 42), (96, 108), (108, 128)):
            np.testing.assert_array_equal(
                _ask(reader, latent, pitch, start, stop), _ask(Counting(), latent, pitch, start, stop)
            )
    assert generator.asked == [(pitch, *span) for pitch in (60, 64, 67) for span in ((3, 42), (96, 128))]


def test_who_asks_too_soon_waits(generator: Counting, latent: np.ndarray, readers: list[ReadAhead]):
    generator.go.clear()
    reader = ReadAhead(generator, [Ahead(latent, 60, [(3, 42)])])
    readers.append(reader)
    threading.Timer(0.05, generator.go.set).start()
    assert _ask(reader, latent, 60, 3, 10).shape[1] == 7
    assert generator.asked == [(60, 3, 42)]


def test_what_the_score_does_not_name_is_rendered_as_it_is_asked_for(
    generator: Counting, latent: np.ndarray, readers: list[ReadAhead]
):
    reader = ReadAhead(generator, [Ahead(latent, 60, [(3, 26)])])
    readers.append(reader)
    assert _ask(reader, latent, 61, 3, 10).shape[1] == 7
    assert _ask(reader, 0.5 * latent, 60, 3, 10).shape[1] == 7
    np.testing.assert_array_equal(_ask(reader, latent, 60, 20, 40), _ask(Counting(), latent, 60, 20, 40))
    assert sorted(generator.asked) == [(60, 0, 128), (60, 3, 10), (60, 3, 26), (61, 3, 10)], (
        "frames beyond the list come of a whole note: parts would depend on how far the thread is"
    )


def test_it_reads_no_further_ahead_than_memory_allows_and_forgets_what_was_long_ago(
    generator: Counting, latent: np.ndarray, readers: list[ReadAhead], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(read_ahead, "AHEAD", 2)
    monkeypatch.setattr(read_ahead, "KEPT", 3)
    notes = [Ahead(latent, pitch, [(3, 26)]) for pitch in range(60, 70)]
    reader = ReadAhead(generator, notes)
    readers.append(reader)
    for asked, pitch in enumerate(range(60, 70), start=1):
        _ask(reader, latent, pitch, 3, 10)
        assert len(generator.asked) <= asked + 2
        assert sum(bool(note.frames) for note in notes) <= 5
    _ask(reader, latent, 60, 3, 10)
    assert generator.asked[-1] == (60, 3, 26), "the same frames as the first time"


def test_notes_that_nobody_asks_for_hold_nobody_up(
    generator: Counting, latent: np.ndarray, readers: list[ReadAhead], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(read_ahead, "AHEAD", 2)
    reader = ReadAhead(generator, [Ahead(latent, pitch, [(3, 26)]) for pitch in range(60, 70)])
    readers.append(reader)
    assert _ask(reader, latent, 69, 3, 10).shape[1] == 7


def test_a_failure_reaches_whoever_asks(generator: Counting, latent: np.ndarray, readers: list[ReadAhead]):
    def fail(*_args: object) -> SpectralFrames:
        raise RuntimeError("the device is gone")

    generator.render = fail  # type: ignore[method-assign,assignment]
    reader = ReadAhead(generator, [Ahead(latent, 60, [(3, 26)])])
    readers.append(reader)
    with pytest.raises(RuntimeError, match="device"):
        _ask(reader, latent, 60, 3, 10)


def test_it_can_be_closed_while_it_waits(generator: Counting, latent: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_ahead, "AHEAD", 1)
    reader = ReadAhead(generator, [Ahead(latent, pitch, [(3, 26)]) for pitch in (60, 61, 62)])
    reader.close()
    assert len(generator.asked) <= 1
