"""Arithmetic in latent space: how two timbres, or any number of them, become one.

The generator was trained on latents drawn from a Gaussian, whose lengths all lie near the square root of the latent
size. A straight line between two of them cuts through the empty middle, so timbres are mixed along the sphere instead
and keep a length that the generator has seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TINY = 1e-6


def slerp(a: ArrayLike, b: ArrayLike, t: float) -> NDArray[np.float32]:
    """Spherical interpolation, ``sin((1-t)W)/sin(W) a + sin(tW)/sin(W) b`` with ``W`` the angle between them.

    This is Magenta's formula (GANSynth, ``generate_util.slerp``): the angle comes from the normalised vectors, the
    lengths are kept. Where it divides by zero it is continued: along the straight line when the vectors point the same
    way (or one of them is zero), and over a fixed perpendicular when they are opposed.

    Args:
        a, b: latents ``[latent_size]``.
        t: 0 gives ``a``, 1 gives ``b``.

    Returns:
        float32 ``[latent_size]``.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    length_a, length_b = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if length_a < _TINY or length_b < _TINY:
        return ((1.0 - t) * first + t * second).astype(np.float32)
    cosine = float(np.clip(first @ second / (length_a * length_b), -1.0, 1.0))
    angle = float(np.arccos(cosine))
    sine = float(np.sin(angle))
    if sine > _TINY:
        mixed = (np.sin((1.0 - t) * angle) * first + np.sin(t * angle) * second) / sine
    elif cosine > 0.0:
        mixed = (1.0 - t) * first + t * second
    else:
        length = (1.0 - t) * length_a + t * length_b
        turn = np.pi * t
        mixed = length * (np.cos(turn) * first / length_a + np.sin(turn) * _perpendicular(first))
    return np.asarray(mixed, np.float32)


def blend(latents: ArrayLike, weights: ArrayLike) -> NDArray[np.float32]:
    """Mix latents by weight: direction and length apart.

    With unit vectors ``z_i/|z_i|``: ``u = sum w_i z_i/|z_i|`` and ``z = (sum w_i |z_i|) u/|u|``. Two latents are mixed
    by :func:`slerp`, which moves at an even angular speed between them.

    The edges: weights that are all zero count as equal ones; when the directions cancel (``u`` near 0) the heaviest
    latent gives the direction; zero latents only shorten the result. The formula is homogeneous in the weights, so
    weights that sum to 1 keep the latents' own length.

    Args:
        latents: ``[count, latent_size]``.
        weights: ``[count]``, none negative.

    Returns:
        float32 ``[latent_size]``.
    """
    rows = np.atleast_2d(np.asarray(latents, np.float64))
    shares = np.asarray(weights, np.float64)
    total = float(shares.sum())
    if total < _TINY:
        shares, total = np.full(len(rows), 1.0 / len(rows)), 1.0
    if len(rows) == 2:
        return (total * slerp(rows[0], rows[1], float(shares[1] / total))).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    units = rows / np.maximum(lengths, _TINY)[:, None]
    direction = shares @ units
    size = float(np.linalg.norm(direction))
    if size < _TINY * total:
        direction = units[int(np.argmax(shares * (lengths >= _TINY)))]
        size = max(float(np.linalg.norm(direction)), _TINY)
    return np.asarray(float(shares @ lengths) * direction / size, np.float32)


def random_latent(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draw a latent as the generator was trained on them: ``size`` independent standard normals, float32 ``[size]``."""
    return rng.standard_normal(size).astype(np.float32)


def _perpendicular(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """A unit vector at a right angle to ``vector``, the same one every time: its least axis, made orthogonal."""
    unit = vector / np.linalg.norm(vector)
    axis = np.zeros_like(unit)
    axis[int(np.argmin(np.abs(unit)))] = 1.0
    across = axis - (axis @ unit) * unit
    length = float(np.linalg.norm(across))
    return np.asarray(across / length if length > _TINY else axis, np.float64)
