"""Morph weights: how much of each anchor, and the grid on which they are rounded.

Weights, not latents, are quantised. A finite grid of weights means a finite set of latents and so of notes that can be
cached; hysteresis keeps a resting hand, or a noisy controller, from flickering between two of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

GRID = 32
"""Steps that the weights of a patch sum to."""

HYSTERESIS_STEPS = 0.5
"""How much nearer (Euclidean distance in grid steps) another grid point must be before the morph moves to it.

Distance changes by at most as much as the hand moves, so noise below half of this can never make the morph flicker;
and any two grid points are at least 1.41 steps apart, so every grid point can still be reached."""

Weights = tuple[float, ...]
Steps = tuple[int, ...]


def normalise(weights: Sequence[float]) -> Weights:
    """The weights scaled to sum to 1, negative ones counted as 0; all zero become equal shares.

    Returns:
        As many weights as were given (at least one).
    """
    raised = [max(0.0, float(w)) for w in weights]
    total = math.fsum(raised)
    if total < 1e-9:
        return (1.0 / len(raised),) * len(raised)
    return tuple(w / total for w in raised)


def quantise(weights: Sequence[float], grid: int = GRID, previous: Steps | None = None) -> Steps:
    """Weights as whole steps that sum to ``grid`` (largest remainders first, the earlier anchor on a tie).

    Args:
        weights: any scale; they are normalised first.
        grid: steps in the whole.
        previous: where the morph was. It stays there unless the new point is nearer by more than
            :data:`HYSTERESIS_STEPS`.
    """
    exact = [w * grid for w in normalise(weights)]
    steps = [math.floor(value + 1e-9) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (steps[i] - exact[i], i))
    for index in by_remainder[: grid - sum(steps)]:
        steps[index] += 1
    nearest = tuple(steps)
    if previous is None or len(previous) != len(nearest) or sum(previous) != grid:
        return nearest
    if math.dist(exact, previous) <= math.dist(exact, nearest) + HYSTERESIS_STEPS:
        return previous
    return nearest


def steps_to_weights(steps: Steps) -> Weights:
    """Whole steps as weights that sum to 1."""
    total = sum(steps)
    return tuple(step / total for step in steps)


def path_weights(position: float, count: int) -> Weights:
    """One controller for the whole morph: 0 is the first of ``count`` anchors, 1 the last, through those between."""
    place = min(1.0, max(0.0, position)) * (count - 1)
    lower = min(int(place), max(count - 2, 0))
    share = place - lower
    weights = [0.0] * count
    weights[lower] = 1.0 - share
    if share > 0.0:
        weights[lower + 1] = share
    return tuple(weights)


def path_position(weights: Sequence[float]) -> float:
    """The controller position 0..1 whose :func:`path_weights` come nearest: the anchors' mean place along the path."""
    if len(weights) < 2:
        return 0.0
    return math.fsum(index * share for index, share in enumerate(normalise(weights))) / (len(weights) - 1)
