"""New anchors from old ones: drawn at random, mutated, or captured from between. Each carries its own latents.

A draw stays near what the model was trained on: it is a random in-between of a few anchors with a little noise upon it,
not a point anywhere in latent space. Room is left for named directions: :func:`moved` adds any vector to every layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from synth_app.timbre.anchors import Anchor
from synth_app.timbre.latent import blend
from synth_app.timbre.patch import PatchAnchor

Latent = NDArray[np.float32]
Layers = tuple[tuple[int, tuple[float, ...]], ...]


def layers_of(placed: PatchAnchor, anchors: Sequence[Anchor]) -> Layers:
    """The (velocity, latent) layers behind an anchor of a patch: its own, or those of the model's anchor it names.

    Returns an empty tuple for a name the model does not know.
    """
    if placed.latents:
        return placed.latents
    found = next((anchor for anchor in anchors if anchor.name == placed.name), None)
    return layers_from(found) if found is not None else ()


def layers_from(anchor: Anchor) -> Layers:
    """A model anchor's layers as plain values."""
    return tuple((layer.velocity, tuple(float(v) for v in layer.latent)) for layer in anchor.layers)


def captured(placed: Sequence[PatchAnchor], anchors: Sequence[Anchor], weights: Sequence[float]) -> Layers:
    """The in-between at these weights, one layer for each velocity that any of the anchors distinguishes."""
    books = [(layers_of(p, anchors), w) for p, w in zip(placed, weights, strict=True) if w > 1e-6]
    books = [(layers, w) for layers, w in books if layers]
    if not books:
        return ()
    velocities = sorted({velocity for layers, _ in books for velocity, _ in layers})
    total = sum(w for _, w in books)
    shares = [w / total for _, w in books]
    return tuple(
        (velocity, _plain(blend(np.array([_nearest(layers, velocity) for layers, _ in books]), shares)))
        for velocity in velocities
    )


def random_layers(anchors: Sequence[Anchor], rng: np.random.Generator, noise: float = 0.25) -> Layers:
    """A fresh timbre: a random in-between of up to four anchors, with noise of ``noise`` times its length."""
    chosen = rng.permutation(len(anchors))[: min(4, len(anchors))]
    shares = rng.dirichlet(np.full(len(chosen), 0.8))
    rows = np.array([anchors[i].layer_for(96).latent for i in chosen])
    return ((96, _plain(_jittered(blend(rows, shares.tolist()), rng, noise))),)


def mutated(layers: Layers, rng: np.random.Generator, amount: float = 0.3) -> Layers:
    """A relative of a timbre: every layer moved by the same random direction, lengths kept."""
    if not layers:
        return ()
    direction = rng.standard_normal(len(layers[0][1]))
    direction /= np.linalg.norm(direction)
    return tuple((velocity, _plain(_turned(np.asarray(z), direction, amount))) for velocity, z in layers)


def moved(layers: Layers, direction: NDArray[np.floating]) -> Layers:
    """Every layer with ``direction`` (``[Z]``) added: the way for named latent directions."""
    return tuple((velocity, _plain(np.asarray(z) + direction)) for velocity, z in layers)


def similarity(one: Anchor, other: Anchor) -> float:
    """Cosine of the angle between two anchors' loudest latents, -1..1."""
    a, b = one.layers[-1].latent.astype(np.float64), other.layers[-1].latent.astype(np.float64)
    return float(a @ b / max(1e-12, np.linalg.norm(a) * np.linalg.norm(b)))


def fresh_name(wanted: str, taken: Iterable[str]) -> str:
    """``wanted``, or with the first number that makes it new."""
    names = set(taken)
    if wanted not in names:
        return wanted
    return next(f"{wanted} {n}" for n in range(2, len(names) + 3) if f"{wanted} {n}" not in names)


def _nearest(layers: Layers, velocity: int) -> tuple[float, ...]:
    return min(layers, key=lambda layer: (abs(layer[0] - velocity), layer[0]))[1]


def _jittered(latent: Latent, rng: np.random.Generator, noise: float) -> NDArray[np.floating]:
    direction = rng.standard_normal(latent.shape[0])
    return _turned(latent, direction / np.linalg.norm(direction), noise)


def _turned(latent: NDArray[np.floating], direction: NDArray[np.floating], amount: float) -> NDArray[np.floating]:
    length = float(np.linalg.norm(latent))
    away = latent + amount * length * direction
    return away * (length / max(1e-12, float(np.linalg.norm(away))))


def _plain(latent: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(np.float32(v)) for v in latent)
