"""What every scenario is given: how much to measure, which generators, and a folder to work in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth_app.app.bench.rows import Row
from synth_app.core.errors import SynthAppError


class CannotMeasureError(SynthAppError):
    """Something a scenario needs is not at hand; the message says what, and ends up in its row."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A generator to measure.

    Attributes:
        name: in the table ("full width").
        directory: of the model.
        wide: its figures are held against the limits for the full width, else against those for half.
        judged: whether limits apply to it at all.
    """

    name: str
    directory: Path
    wide: bool
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """One run of the benchmark.

    Attributes:
        quick: take few measurements, of a very small generator.
        folder: for temporary files; gone afterwards.
        subjects: the generators, widest first.
        model: what the whole program plays in the scenarios that start it ("" = the default model).
        memory_s: how long random play goes on.
        seed: of every random choice.
        say: tells the person at the terminal what goes on.
    """

    quick: bool
    folder: Path
    subjects: Sequence[Subject]
    model: str
    memory_s: float
    seed: int = 2026
    say: Callable[[str], None] = lambda text: None

    def times(self, full: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else full


Scenario = Callable[[Setting], Sequence[Row]]
