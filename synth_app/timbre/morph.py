"""The morph: where the player points, and how the sound gets there.

The player points with sliders (weights themselves), with the pad (:mod:`~synth_app.timbre.pad`) or with one controller
(:func:`path_weights`); all of them end as weights over the patch's anchors. The names of those modules are offered
here, so that this is the one to import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synth_app.timbre.pad import Point, pad_position, pad_weights
from synth_app.timbre.weights import (
    GRID,
    HYSTERESIS_STEPS,
    Steps,
    Weights,
    normalise,
    path_position,
    path_weights,
    quantise,
    steps_to_weights,
)

__all__ = [
    "GRID",
    "HYSTERESIS_STEPS",
    "MorphState",
    "Point",
    "Steps",
    "Weights",
    "normalise",
    "pad_position",
    "pad_weights",
    "path_position",
    "path_weights",
    "quantise",
    "steps_to_weights",
]


@dataclass(frozen=True, slots=True)
class MorphState:
    """A morph on its way: asked for at once, sounding when the glide has brought it there.

    Attributes:
        asked: the weights as the player set them, at their own scale.
        origin, target: normalised weights where the glide began and where it ends.
        start_ns, glide_ns: when it began and how long it takes.
    """

    asked: Weights
    origin: Weights
    target: Weights
    start_ns: int = 0
    glide_ns: int = 0

    @classmethod
    def at_rest(cls, weights: Sequence[float]) -> MorphState:
        """A morph that stands still at ``weights``."""
        settled = normalise(weights)
        return cls(tuple(weights), settled, settled)

    def towards(self, time_ns: int, weights: Sequence[float], glide_ms: float) -> MorphState:
        """Sent elsewhere at ``time_ns``: from where it is then, in a straight line of weights."""
        return MorphState(
            tuple(weights), self.at(time_ns), normalise(weights), time_ns, max(0, round(glide_ms * 1_000_000))
        )

    def at(self, time_ns: int) -> Weights:
        """Normalised weights that sound at a moment (before the start: the origin; after the end: the target)."""
        if time_ns >= self.end_ns or self.glide_ns == 0:
            return self.target
        share = max(0, time_ns - self.start_ns) / self.glide_ns
        return tuple(a + (b - a) * share for a, b in zip(self.origin, self.target, strict=True))

    @property
    def end_ns(self) -> int:
        """When it arrives."""
        return self.start_ns + self.glide_ns
