"""What "near enough to the note" means, in three terms.

``picture_loss`` compares pictures: an L1 distance of the log-mel level, in which the loudest bins count seventeen times
as much as silence (seven bins in ten lie 70 dB under the peak: unweighted, they decide, and partials come out 4 dB too
soft), and the angle between instantaneous frequencies where there is something to hear.
``spectral_loss`` compares sounds: magnitudes of the decoded wave at three resolutions (Yamamoto et al., "Parallel
WaveGAN", ICASSP 2020). It is what teaches level, and agreement of neighbouring bins about one partial's frequency.
``ear_loss`` compares the picture of the decoded wave, not the painted one: where neighbouring bins disagree about their
phase the sound is 2 to 4 dB softer than what was painted, and only this loss hears it.
``loudness_loss`` compares how the loudness of two waves rises.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from synth_app.training.features import IF_A, LOG_MEL_FLOOR, MAG_A

QUIET_WEIGHT, LOUD_WEIGHT = 0.5, 8.0
LOUD_RANGE = 16.0 * MAG_A
"""Normalised level range (70 dB) over which the weight falls from loud to quiet."""
IF_COMPRESSION = 0.25 / MAG_A
WINDOWS = (512, 1024, 2048)
LOUDNESS_WINDOW, LOUDNESS_STEP = 512, 128
RISE_SAMPLES = 24_000
"""Samples at the beginning of a note in which its loudness is compared: a second and a half."""


@dataclass(frozen=True, slots=True)
class LossParts:
    """The terms, each a scalar tensor, for the log."""

    magnitude: Tensor
    inst_freq: Tensor


def picture_loss(made: Tensor, target: Tensor) -> LossParts:
    """Distances between pictures [B, 2, T, F] in the normalised range."""
    level = target[:, 0]
    top = level.amax(dim=(1, 2), keepdim=True)
    loudness = (1.0 + (level - top) / LOUD_RANGE).clamp_min(0.0)
    magnitude = (made[:, 0] - level).abs() * (QUIET_WEIGHT + LOUD_WEIGHT * loudness.square())
    heard = torch.exp((level - top) * IF_COMPRESSION)
    heard = heard / heard.mean(dim=(1, 2), keepdim=True)
    turn = 1.0 - torch.cos((made[:, 1] - target[:, 1]) * (torch.pi / IF_A))
    return LossParts(magnitude.mean(), (turn * heard).mean())


def spectral_loss(made: Tensor, target: Tensor) -> Tensor:
    """Multi-resolution distance between waves [B, samples]: spectral convergence plus L1 of log magnitudes."""
    total = made.new_zeros(())
    for size in WINDOWS:
        window = torch.hann_window(size, device=made.device)
        a, b = (
            torch.stft(wave, size, size // 4, window=window, center=False, return_complex=True)
            for wave in (made, target)
        )
        a, b = (torch.sqrt(part.real.square() + part.imag.square() + 1e-6) for part in (a, b))
        convergence = (a - b).square().sum(dim=(1, 2)).sqrt() / b.square().sum(dim=(1, 2)).sqrt()
        total = total + convergence.mean() + (torch.log(a + 1e-2) - torch.log(b + 1e-2)).abs().mean()
    return total / len(WINDOWS)


def ear_loss(heard: Tensor, wanted: Tensor) -> Tensor:
    """Log-spectral distance of log-mel pictures [B, T, F], RMS over bins and mean over frames, in units of a picture's
    normalised level. What lies under the floor fades out instead of ending there, so that it can rise again."""
    floor = heard.new_tensor(LOG_MEL_FLOOR)
    difference = (torch.logaddexp(heard, floor) - torch.logaddexp(wanted, floor)) * MAG_A
    return (difference.square().mean(dim=2) + 1e-6).sqrt().mean()


def loudness_loss(made: Tensor, target: Tensor) -> Tensor:
    """L1 distance of the loudness of waves [B, samples] over 32 ms, relative to the target's loudest moment."""
    a, b = (wave[:, :RISE_SAMPLES].unfold(1, LOUDNESS_WINDOW, LOUDNESS_STEP) for wave in (made, target))
    a, b = ((part.square().mean(dim=2) + 1e-8).sqrt() for part in (a, b))
    return ((a - b).abs() / b.amax(dim=1, keepdim=True).clamp_min(1e-3)).mean()
