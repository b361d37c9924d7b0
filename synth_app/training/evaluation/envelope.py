"""How a note begins and how alive it stays: attack time, and the level's movement in every band while it is held."""

import torch
from torch import Tensor

from synth_app.training.evaluation.modulation import without_parabola
from synth_app.training.metrics import DB_PER_NEPER_POWER

RATE_HZ = 16_000
SMOOTHING, STEP = 256, 16
"""Samples: loudness over 16 ms, read every millisecond."""
ATTACK_SAMPLES = 24_000
LOW, HIGH = 0.1, 0.8
HELD = slice(20, 90)
SPEAKING_NEPER = 50.0 / DB_PER_NEPER_POWER
STILL_DB = 0.05
"""What moves less than this stands still: rounding does as much."""


def attack_ms(wave: Tensor) -> Tensor:
    """Time in which the loudness of waves [B, samples] rises from 10 to 80 % of its greatest value in 1.5 s, [B].

    Not 90 %: the top of a held note is a plain, and where on it the highest point lies is chance.
    """
    energy = torch.cumsum(wave[:, :ATTACK_SAMPLES].double().square(), dim=1)
    loudness = (energy[:, SMOOTHING::STEP] - energy[:, :-SMOOTHING:STEP]).clamp_min(0.0).sqrt()
    top = loudness.amax(dim=1, keepdim=True)
    start, end = ((loudness >= share * top).float().argmax(dim=1) for share in (LOW, HIGH))
    return (end - start).float() * (1000.0 * STEP / RATE_HZ)


def band_deviation_db(log_mel: Tensor) -> Tensor:
    """Standard deviation of every band's level about its parabola over frames 20 to 90: [B, T, F] -> dB [B, F]."""
    course = log_mel[:, HELD].transpose(1, 2) * DB_PER_NEPER_POWER
    return without_parabola(course).square().mean(dim=2).sqrt()


def liveliness(made: Tensor, real: Tensor, floor: float) -> Tensor:
    """Level deviation of made over real log-mel pictures [B, T, F]: the median over the bands that speak, [B].

    A band speaks if its real level lies within 50 dB of the loudest band's and well above the floor. NaN where
    none does.
    """
    level = real[:, HELD].mean(dim=1)
    speaks = (level > level.amax(dim=1, keepdim=True) - SPEAKING_NEPER) & (level > floor + 1.0)
    ratio = band_deviation_db(made).clamp_min(STILL_DB) / band_deviation_db(real).clamp_min(STILL_DB)
    return torch.where(speaks, ratio, torch.nan).nanmedian(dim=1).values
