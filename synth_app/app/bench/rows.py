"""What a benchmark says: rows of figures, each with what should be reached, and the report they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

MEDIAN, P95, P999, WORST, ONLY = "median", "p95", "p99_9", "worst", ""
"""Figures that a limit may stand against; ONLY is the one figure of a row that has no more."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a row should stay below (or above, for ``at_least``): one of its figures against a limit.

    Attributes:
        figure: one of the names above.
        limit: in the row's unit.
        at_least: more is better.
    """

    figure: str
    limit: float
    at_least: bool = False

    def words(self, unit: str) -> str:
        """For the table: "p95 <= 12 ms"."""
        sign = ">=" if self.at_least else "<="
        name = f"{self.figure.replace('p99_9', 'p99.9')} " if self.figure else ""
        return f"{name}{sign} {_short(self.limit)}{' ' + unit if unit else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        group: what it is about. name: what was measured, in words.
        unit: of every figure.
        median, p95, p99, p99_9, worst: of the measurements; ``None`` where there are too few to say (or none).
        count: how many there were.
        reach: what should be reached, in words. met: whether it was (``None`` = nothing asked, or nothing measured).
        of_limit: the figure over its limit (``None`` also where the limit is 0).
        note: what a reader must know beside it.
        skipped: why it was not measured ("" = it was).
        others_cpu: share (0..1) of the machine's processor time that other programs took meanwhile.
    """

    group: str
    name: str
    unit: str = ""
    median: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_9: float | None = None
    worst: float | None = None
    count: int = 0
    reach: str = ""
    met: bool | None = None
    of_limit: float | None = None
    note: str = ""
    skipped: str = ""
    others_cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Which machine measured what program, when, and under what load. Names no host and no path."""

    date: str
    program: str
    system: str
    processor: str
    cores: int
    memory_gb: float
    python: str
    libraries: dict[str, str]
    provider: str
    load_before: tuple[float, ...]
    load_after: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. ``quick`` runs take few measurements: good for seeing that it works, not for figures."""

    facts: Facts
    rows: tuple[Row, ...]
    quick: bool
    seconds: float
    remarks: tuple[str, ...] = field(default=())


def measured(
    group: str,
    name: str,
    values: ArrayLike,
    unit: str,
    reach: Reach | None = None,
    note: str = "",
) -> Row:
    """A row from measurements; worst is the largest (the smallest where more is better).

    A percentile is given only where enough was measured for it to mean something: p95 from 10 values, p99 from 100 and
    p99.9 from 1000. A limit on a percentile that is not given is held against the worst value instead.
    """
    x = np.asarray(values, np.float64).ravel()
    if x.size == 0:
        return skip(group, name, "nothing was measured")
    more_is_better = reach is not None and reach.at_least

    def percentile(share: float, enough: int) -> float | None:
        if x.size < enough:
            return None
        return float(np.percentile(x, 100.0 - share if more_is_better else share))

    row = Row(
        group, name, unit, float(np.median(x)), percentile(95.0, 10), percentile(99.0, 100), percentile(99.9, 1000),
        float(x.min() if more_is_better else x.max()), int(x.size), note=note,
    )  # fmt: skip
    return row if reach is None else held_against(row, reach)


def single(group: str, name: str, value: float, unit: str, reach: Reach | None = None, note: str = "") -> Row:
    """A row of one figure."""
    row = Row(group, name, unit, median=value, count=1, note=note)
    return row if reach is None else held_against(row, reach)


def held_against(row: Row, reach: Reach) -> Row:
    """The row with its verdict."""
    figures: dict[str, float | None] = {
        MEDIAN: row.median,
        P95: row.p95,
        P999: row.p99_9,
        WORST: row.worst,
        ONLY: row.median,
    }
    value = figures[reach.figure]
    if value is None:
        value = row.worst if row.worst is not None else row.median
    assert value is not None
    met = value >= reach.limit if reach.at_least else value <= reach.limit
    of_limit = float(value / reach.limit) if reach.limit else None
    return replace(row, reach=reach.words(row.unit), met=bool(met), of_limit=of_limit)


def skip(group: str, name: str, why: str, unit: str = "", reach: Reach | None = None) -> Row:
    """A row for what was not measured."""
    return Row(group, name, unit, reach=reach.words(unit) if reach is not None else "", skipped=why)


def unmet(rows: Sequence[Row]) -> int:
    """How many rows missed what they should reach."""
    return sum(row.met is False for row in rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
