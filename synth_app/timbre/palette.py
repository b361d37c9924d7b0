"""A patch joined to the model that plays it: from weights, a stroke and a key to one note's address."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synth_app.core.errors import PresetError
from synth_app.core.keys import LatentKey, NoteKey, latent_key
from synth_app.timbre.anchors import Anchor, Layer
from synth_app.timbre.latent import blend
from synth_app.timbre.morph import GRID, Steps, Weights, quantise, steps_to_weights
from synth_app.timbre.patch import Patch, PatchAnchor

MAX_ZONES = 4
_MEMO_LIMIT = 1024


class ModelInfo(Protocol):
    """What a palette must know of a generator (``render.ports.GeneratorInfo`` fits)."""

    @property
    def name(self) -> str: ...
    @property
    def model_id(self) -> str: ...
    @property
    def latent_size(self) -> int: ...
    @property
    def lowest_pitch(self) -> int: ...
    @property
    def highest_pitch(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The note that stands for a stroke.

    Attributes:
        note_key: its address; the pitch lies within the model's range.
        latent: float32 ``[latent_size]``, read-only.
        semitones: what is left to transpose because the wanted pitch lies outside that range.
    """

    note_key: NoteKey
    latent: NDArray[np.float32]
    semitones: float


class Palette:
    """The timbres of one patch on one model.

    A stroke's velocity picks a *zone*, and in it each anchor's layer. A patch has at most :data:`MAX_ZONES` zones, so
    that the notes worth rendering ahead stay few. Latents are remembered by (steps, zone).
    """

    def __init__(self, patch: Patch, anchors: Sequence[Anchor], info: ModelInfo, grid: int = GRID) -> None:
        """Resolve every anchor of ``patch``.

        Raises:
            PresetError: the patch has no anchor, names one the model lacks, or carries a latent of the wrong shape.
        """
        if not patch.anchors:
            raise PresetError(f"The preset {patch.name!r} has no anchor; add at least one timbre to it.")
        known = {anchor.name: anchor for anchor in anchors}
        self.patch = patch
        self.model_info = info
        self.grid = grid
        self._layers = tuple(_resolve(anchor, known, info, patch.name) for anchor in patch.anchors)
        self._bounds = _zone_bounds(self._layers)
        self._memo: dict[tuple[Steps, int], tuple[NDArray[np.float32], LatentKey]] = {}
        self._last: tuple[Weights, Steps] = ((), ())  # every held voice asks for the same weights when the morph moves

    @property
    def zone_velocities(self) -> tuple[int, ...]:
        """The velocity in the middle of each zone, softest first."""
        edges = (0.5, *self._bounds, 127.5)
        zones = itertools.pairwise(edges)  # each from above its lower edge to its upper one
        return tuple(min(max(round((low + high) / 2.0), int(low) + 1), int(high)) for low, high in zones)

    def zone(self, velocity: int) -> int:
        """Index of the zone that a stroke falls in."""
        return sum(velocity > bound for bound in self._bounds)

    def steps(self, weights: Sequence[float], previous: Steps | None = None) -> Steps:
        """Weights on this palette's grid (with hysteresis when ``previous`` is given)."""
        return quantise(weights, self.grid, previous)

    def latent(self, weights: Sequence[float], zone: int) -> tuple[NDArray[np.float32], LatentKey]:
        """The latent at quantised weights in a velocity zone, and its address."""
        place = tuple(weights)
        if place != self._last[0]:
            self._last = (place, self.steps(place))
        memo_key = (self._last[1], zone)
        found = self._memo.get(memo_key)
        if found is None:
            velocity = self.zone_velocities[zone]
            rows = np.stack([_nearest(layers, velocity).latent for layers in self._layers])
            latent = blend(rows, np.asarray(steps_to_weights(memo_key[0])))
            latent.flags.writeable = False
            found = (latent, latent_key(latent))
            if len(self._memo) >= _MEMO_LIMIT:
                del self._memo[next(iter(self._memo))]
            self._memo[memo_key] = found
        return found

    def note(self, weights: Sequence[float], velocity: int, pitch: int) -> Rendered:
        """The note to sound for a stroke: outside the model's range its edge note, to be transposed."""
        latent, address = self.latent(weights, self.zone(velocity))
        inside = self.clamp(pitch)
        return Rendered(NoteKey(self.model_info.model_id, address, inside), latent, float(pitch - inside))

    def clamp(self, pitch: int) -> int:
        """The pitch of the model nearest to ``pitch``."""
        return min(self.model_info.highest_pitch, max(self.model_info.lowest_pitch, pitch))

    def same_timbres(self, other: Palette) -> bool:
        """Whether both have the same anchors, in the same order, on the same model: sounding notes may change over."""
        return (
            self.model_info.model_id == other.model_info.model_id
            and self.grid == other.grid
            and [_identity(layers) for layers in self._layers] == [_identity(layers) for layers in other._layers]
        )


def _resolve(anchor: PatchAnchor, known: dict[str, Anchor], info: ModelInfo, patch_name: str) -> tuple[Layer, ...]:
    """The layers of a patch's anchor: its own, or the model's by name."""
    if anchor.latents:
        layers = tuple(Layer(v, np.asarray(z, np.float32)) for v, z in sorted(anchor.latents))
    elif anchor.name in known:
        layers = known[anchor.name].layers
    else:
        raise PresetError(_unknown_anchor(anchor.name, known, info, patch_name))
    for layer in layers:
        if layer.latent.shape != (info.latent_size,) or not bool(np.all(np.isfinite(layer.latent))):
            raise PresetError(
                f"The anchor {anchor.name!r} of the preset {patch_name!r} has {layer.latent.size} latent values, but "
                f"the model {info.name!r} needs {info.latent_size} finite ones; choose another anchor or model."
            )
    return layers


def _unknown_anchor(name: str, known: dict[str, Anchor], info: ModelInfo, patch_name: str) -> str:
    """One sentence: which anchor is missing and which ones come nearest."""
    by_lower = {known_name.lower(): known_name for known_name in known}
    near = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
    if not near:
        near = sorted(known)[:3]
    hint = f"nearest are {', '.join(near)}" if near else "it names none at all"
    return f"The preset {patch_name!r} needs the anchor {name!r}, which the model {info.name!r} does not have; {hint}."


def _nearest(layers: tuple[Layer, ...], velocity: int) -> Layer:
    """The layer nearest to a velocity, the softer one on a tie."""
    return min(layers, key=lambda layer: (abs(layer.velocity - velocity), layer.velocity))


def _zone_bounds(anchors: Sequence[tuple[Layer, ...]]) -> tuple[float, ...]:
    """Velocities at which some anchor changes its layer, merged (the closest two first) until they make few zones."""
    bounds = sorted(
        {(soft.velocity + hard.velocity) / 2.0 for layers in anchors for soft, hard in itertools.pairwise(layers)}
    )
    while len(bounds) > MAX_ZONES - 1:
        closest = min(range(len(bounds) - 1), key=lambda i: bounds[i + 1] - bounds[i])
        bounds[closest : closest + 2] = [(bounds[closest] + bounds[closest + 1]) / 2.0]
    return tuple(bounds)


def _identity(layers: tuple[Layer, ...]) -> tuple[tuple[int, bytes], ...]:
    """What makes an anchor's sound."""
    return tuple((layer.velocity, latent_key(layer.latent)) for layer in layers)
