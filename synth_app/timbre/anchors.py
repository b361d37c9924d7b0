"""Anchors: named places in latent space, each a trained instrument (or one that a player captured)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """An anchor's latent for strokes around one velocity; ``latent`` is float32 ``[latent_size]``, read-only."""

    velocity: int
    latent: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A named timbre.

    Attributes:
        name: unique within a model.
        family: "Strings", "Keys", ...
        layers: one or more, by rising velocity; a stroke uses the layer whose velocity is nearest.
        tags: free words for searching.
        descriptors: measured properties, such as ``brightness_hz``, ``attack_ms``, ``noisiness``, ``sustain_db``.
    """

    name: str
    family: str
    layers: tuple[Layer, ...]
    tags: tuple[str, ...] = ()
    descriptors: dict[str, float] = field(default_factory=dict)

    def layer_for(self, velocity: int) -> Layer:
        """The layer nearest to a stroke's velocity (the softer one on a tie)."""
        return min(self.layers, key=lambda layer: (abs(layer.velocity - velocity), layer.velocity))
