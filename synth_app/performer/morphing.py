"""Where the morph is on the grid of notes that can be cached, and where it was before."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth_app.performer.wants import steps_ahead
from synth_app.timbre.morph import MorphState, Weights, steps_to_weights
from synth_app.timbre.palette import Palette

MORPH_TICK_NS = 10_000_000
"""How often a gliding morph looks where it is."""


class Morphing:
    """The morph of one palette: asked for at any place, sounding at steps of the palette's grid."""

    def __init__(self, palette: Palette) -> None:
        self._palette = palette
        self._state = MorphState.at_rest(palette.patch.weights)
        self._steps = self._former_steps = palette.steps(self._state.target)
        self._seen_ns = self._state.end_ns

    @property
    def asked(self) -> Weights:
        """The weights as the player set them."""
        return self._state.asked

    @property
    def weights(self) -> Weights:
        """The weights that sound: on the grid, sum 1."""
        return steps_to_weights(self._steps)

    @property
    def next_tick_ns(self) -> int | None:
        """When to look again, or ``None`` at rest."""
        if self._seen_ns >= self._state.end_ns:
            return None
        return min(self._seen_ns + MORPH_TICK_NS, self._state.end_ns)

    def send(self, time_ns: int, weights: Sequence[float], glide_ms: float) -> bool:
        """Send the morph to weights (brought into 0..1); false when they are meant for other anchors."""
        if len(weights) != len(self._steps) or not all(map(math.isfinite, weights)):
            return False
        asked = tuple(min(1.0, max(0.0, float(weight))) for weight in weights)
        self._state = self._state.towards(max(time_ns, self._seen_ns), asked, glide_ms)
        return True

    def advance(self, time_ns: int) -> bool:
        """Bring it to a moment (never back), and say whether it reached another step."""
        self._seen_ns = max(time_ns, self._seen_ns)
        steps = self._palette.steps(self._state.at(self._seen_ns), self._steps)
        if steps == self._steps:
            return False
        self._former_steps, self._steps = self._steps, steps
        return True

    def ahead(self) -> list[Weights]:
        """Where it goes next, nearest first."""
        return steps_ahead(self._steps, self._former_steps, self._state)
