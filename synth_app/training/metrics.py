"""Distances between sounds, as numbers that a report can carry. Waves are float32 tensors [B, 64000] at 16 kHz."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth_app.training.features import LOG_MEL_FLOOR
from synth_app.training.pitch import read_pitch

DB_PER_NEPER_POWER = 10.0 / float(np.log(10.0))
MIN_CLARITY = 0.3


def log_spectral_distance_db(a: Tensor, b: Tensor) -> Tensor:
    """LSD of log-mel pictures [B, T, F] (natural log of power): RMS over bins, mean over frames, in dB, [B]."""
    difference = (a.clamp_min(LOG_MEL_FLOOR) - b.clamp_min(LOG_MEL_FLOOR)) * DB_PER_NEPER_POWER
    return difference.square().mean(dim=2).sqrt().mean(dim=1)


def spectral_convergence(made: Tensor, real: Tensor) -> Tensor:
    """|| |A| - |B| || / || |B| || over a 1024-point STFT, [B]."""
    window = torch.hann_window(1024)
    a, b = (torch.stft(wave, 1024, 256, window=window, return_complex=True).abs() for wave in (made, real))
    return (a - b).square().sum(dim=(1, 2)).sqrt() / b.square().sum(dim=(1, 2)).sqrt().clamp_min(1e-9)


def level_error_db(made: Tensor, real: Tensor) -> Tensor:
    """RMS of ``made`` relative to ``real`` in dB, [B]."""
    return 10.0 * torch.log10(made.square().mean(dim=1).clamp_min(1e-12) / real.square().mean(dim=1).clamp_min(1e-12))


def consistency(magnitude: Tensor, wave_magnitude: Tensor) -> Tensor:
    """How far the decoded wave's own STFT is from the magnitudes that were asked for, [B]; 0 is agreement.

    Both [B, T, F] linear magnitudes.
    """
    difference = (magnitude - wave_magnitude).square().sum(dim=(1, 2)).sqrt()
    return difference / magnitude.square().sum(dim=(1, 2)).sqrt()


def pitch_errors_cents(waves: Tensor, pitches: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cents between what is heard and what was asked, octaves counted; infinite where no pitch is heard."""
    errors = []
    for wave, pitch in zip(waves.numpy(), pitches.tolist(), strict=True):
        reading = read_pitch(wave)
        errors.append(reading.cents_from(pitch) if reading.clarity > MIN_CLARITY else np.inf)
    return np.array(errors)


def pairwise_lsd_db(pictures: Tensor) -> float:
    """Mean LSD between all pairs of log-mel pictures [N, T, F]: how different a set of sounds is."""
    rows = [
        log_spectral_distance_db(pictures[i : i + 1].expand(len(pictures) - i - 1, -1, -1), pictures[i + 1 :])
        for i in range(len(pictures) - 1)
    ]
    return float(torch.cat(rows).mean())
