"""Crowds of notes compared: Frechet distance between features, and how evenly the kinds of sound are visited.

Both depend on how many notes there are, so each figure has real notes against other real notes beside it, in equal
numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPLITS = 8
CELLS = 50
NOTES_IN_CELL = 10
SIGNIFICANT_Z = 1.959964
ITERATIONS = 40


def frechet_distance(a: Array, b: Array) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of two crowds [N, D] taken for Gaussians (Dowson & Landau 1982).

    The root's trace comes from the eigenvalues of S1^(1/2) S2 S1^(1/2), which are those of S1 S2 and are not negative.
    """
    difference = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.cov(crowd, rowvar=False).reshape(a.shape[1], -1) for crowd in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0.0)).sum()
    distance = difference @ difference + np.trace(first) + np.trace(second) - 2.0 * shared
    return max(0.0, float(distance))


@dataclass(frozen=True, slots=True)
class FrechetResult:
    """Mean distances over random halvings, and the first over the second."""

    made: float
    real: float

    @property
    def ratio(self) -> float:
        """1 where the likenesses are as near to real notes as other real notes are."""
        return self.made / self.real if self.real > 0.0 else float("nan")


def frechet_ratio(made: Array, real: Array, rng: np.random.Generator) -> FrechetResult:
    """Likenesses [N, D] of real notes [N, D], row by row: each half of the real notes, and its likeness, are compared
    with the other half. So both distances are between N / 2 and N / 2 notes of the same labels. NaN under 4 notes."""
    if len(real) < 4:
        return FrechetResult(float("nan"), float("nan"))
    distances = []
    for _ in range(SPLITS):
        order = rng.permutation(len(real))
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        for half, other in ((first, second), (second, first)):
            distances.append((frechet_distance(made[half], real[other]), frechet_distance(real[half], real[other])))
    made_distance, real_distance = np.mean(distances, axis=0)
    return FrechetResult(float(made_distance), float(real_distance))


def find_cells(reference: Array, rng: np.random.Generator) -> Array:
    """Centres [cells, D] by k-means (k-means++ start, Lloyd's steps): 50, or fewer where notes are few."""
    count = max(2, min(CELLS, len(reference) // NOTES_IN_CELL))
    centres = reference[rng.integers(len(reference))][None]
    for _ in range(count - 1):
        nearest = _squared(reference, centres).min(axis=1)
        total = nearest.sum()
        share = nearest / total if total > 0.0 else None
        centres = np.concatenate([centres, reference[rng.choice(len(reference), p=share)][None]])
    for _ in range(ITERATIONS):
        places = assign(reference, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, places, reference)
        size = np.bincount(places, minlength=count)[:, None]
        moved = np.where(size > 0, sums / np.maximum(size, 1), centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return np.asarray(centres)


def assign(crowd: Array, centres: Array) -> NDArray[np.int64]:
    """The nearest centre of each row, [N]."""
    return np.asarray(_squared(crowd, centres).argmin(axis=1), np.int64)


def different_bins(crowd: Array, reference: Array, centres: Array) -> float:
    """Share of cells that a crowd fills otherwise than the reference does (NDB over K, Richardson & Weiss 2018).

    A two-proportion z-test for each cell at 5 %: equal crowds differ in about one cell of twenty.
    """
    counts = [np.bincount(assign(notes, centres), minlength=len(centres)) for notes in (crowd, reference)]
    sizes = (len(crowd), len(reference))
    pooled = (counts[0] + counts[1]) / sum(sizes)
    spread = np.sqrt(pooled * (1.0 - pooled) * (1.0 / sizes[0] + 1.0 / sizes[1]))
    difference = np.abs(counts[0] / sizes[0] - counts[1] / sizes[1])
    z = np.divide(difference, spread, out=np.zeros(len(centres)), where=spread > 0.0)
    return float((z > SIGNIFICANT_Z).mean())


def _squared(crowd: Array, centres: Array) -> Array:
    """Squared distances [N, cells]."""
    distances = (crowd**2).sum(axis=1)[:, None] - 2.0 * crowd @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(np.maximum(distances, 0.0))
