"""What is asked of a shipped generator: the rows of the bar, and which of them a measurement reaches.

Two columns: a generator that a laptop's processor trained and plays (``default``), and one of the exact GANSynth width
trained on a graphics card (``full``). Rows are never lowered; what falls short is printed as short.
"""

import math
from dataclasses import dataclass
from typing import Literal

Column = Literal["default", "full"]
Verdict = Literal["pass", "short", "reported"]
Span = tuple[float, float]

FULL_WIDTH = 256
_ANY = math.inf
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is asked.

    Attributes:
        name: for people. figure: its key among a variant's figures.
        default, full: the span in which the figure must lie; ``None`` if it is only reported.
        scale, unit: how it is printed.
    """

    name: str
    figure: str
    default: Span | None
    full: Span | None
    scale: float = 1.0
    unit: str = ""

    def span(self, column: Column) -> Span | None:
        """What a column asks for."""
        return self.full if column == "full" else self.default

    def verdict(self, value: float, column: Column) -> Verdict:
        """What a measurement is worth; a figure that is not a number falls short."""
        span = self.span(column)
        if span is None:
            return "reported"
        return "pass" if span[0] <= value <= span[1] else "short"

    def asked(self, column: Column) -> str:
        """The span in words."""
        span = self.span(column)
        if span is None:
            return "reported"
        low, high = span
        if high == _ANY:
            return f">= {self.shown(low)}"
        return f"<= {self.shown(high)}" if low == -_ANY else f"{self.shown(low)} to {self.shown(high)}"

    def shown(self, value: float) -> str:
        """A figure as it is printed."""
        if self.unit == "%":
            return f"{value * self.scale:.1f}".removesuffix(".0") + "%"
        return f"{value * self.scale:.{1 if self.unit else 2}f}{self.unit}"

    def gain(self, value: float, other: float, column: Column) -> float:
        """Above 0 if a figure is better than another, below 0 if it is worse, 0 if they print alike.

        Ratios whose span has two ends, or that are only reported, are best at 1.
        """
        if self.shown(value) == self.shown(other):
            return 0.0
        low, high = self.span(column) or (1.0, 1.0)
        if high == _ANY:
            return value - other
        if low == -_ANY:
            return other - value
        return abs(math.log(max(other, _TINY))) - abs(math.log(max(value, _TINY)))


def _least(value: float) -> Span:
    return value, _ANY


def _most(value: float) -> Span:
    return -_ANY, value


ROWS: tuple[Row, ...] = (
    Row("strict pitch, anchors", "strict_pitch", _least(0.99), _least(0.99), 100.0, "%"),
    Row("strict pitch, random draws", "draws_strict_pitch", _least(0.97), _least(0.98), 100.0, "%"),
    Row("within 15 cents", "within_15_cents", _least(0.97), _least(0.98), 100.0, "%"),
    Row("held-out log-spectral distance", "held_out_lsd_db", _most(5.0), _most(3.8), 1.0, " dB"),
    Row("instrument retrieval, top-1", "top_1", _least(0.75), _least(0.90), 100.0, "%"),
    Row("instrument retrieval, top-3", "top_3", _least(0.92), _least(0.98), 100.0, "%"),
    Row("beating kept: level modulation over real", "level_modulation", None, (0.7, 1.3)),
    Row("vibrato kept: pitch modulation over real", "pitch_modulation", None, (0.7, 1.3)),
    Row("Frechet distance over real-against-real", "frechet_ratio", _most(3.0), _most(1.5)),
    Row("decode consistency", "consistency", _most(0.30), _most(0.20)),
    Row("level error", "level_error_db", _most(1.5), _most(1.0), 1.0, " dB"),
    Row("diversity over real", "diversity", _least(0.70), _least(0.85)),
    Row("sustain liveliness over real", "liveliness", (0.6, 1.5), (0.8, 1.25)),
    Row("attack time error", "attack_error_ms", _most(15.0), _most(8.0), 1.0, " ms"),
)


def column_of(channels: tuple[int, ...]) -> Column:
    """The column for a generator's width: the exact GANSynth width is "full", everything narrower "default"."""
    return "full" if channels[0] >= FULL_WIDTH else "default"
