"""Is the space between two timbres smooth? The sound's steps along straight walks from anchor to anchor."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.timbre.latent import slerp
from synth_app.training import metrics
from synth_app.training.evaluation.subject import Subject
from synth_app.training.features import denormalise

STEPS = 16


@dataclass(frozen=True, slots=True)
class Walks:
    """Steps in log-mel distance (dB) along walks, [walks, steps]."""

    steps_db: NDArray[np.float64]

    def figures(self) -> dict[str, float]:
        """Over all walks: the largest step over the walk's mean step (1 is even) and the smallest, median and worst."""
        mean = np.maximum(self.steps_db.mean(axis=1), 1e-9)
        largest, smallest = self.steps_db.max(axis=1) / mean, self.steps_db.min(axis=1) / mean
        return {
            "largest_step": float(np.median(largest)), "largest_step_worst": float(largest.max()),
            "smallest_step": float(np.median(smallest)), "smallest_step_worst": float(smallest.min()),
            "mean_step_db": float(self.steps_db.mean()),
        }  # fmt: skip


def walk(subject: Subject, count: int, pitches: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Walks]:
    """For each variant, ``count`` spherical walks of 16 even steps between random anchors, each at a random pitch."""
    steps: dict[str, list[NDArray[np.float64]]] = {}
    for _ in range(count):
        start, end = rng.choice(len(subject.anchors), 2, replace=len(subject.anchors) < 2)
        a, b = subject.latents[start].numpy(), subject.latents[end].numpy()
        latents = torch.from_numpy(np.stack([slerp(a, b, i / STEPS) for i in range(STEPS + 1)]))
        pitch = torch.full((STEPS + 1,), int(rng.choice(pitches)))
        for variant, pictures in subject.paint(latents, pitch).items():
            steps.setdefault(variant, []).append(steps_db(pictures))
    return {variant: Walks(np.stack(rows)) for variant, rows in steps.items()}


def steps_db(pictures: Tensor) -> NDArray[np.float64]:
    """Log-spectral distance from each picture [N, 2, T, F] to the next, [N - 1]."""
    log_mel, _ = denormalise(pictures)
    return np.asarray(metrics.log_spectral_distance_db(log_mel[1:], log_mel[:-1]).double().numpy())
