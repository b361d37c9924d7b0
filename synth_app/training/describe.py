"""What a timbre is like, in a few numbers that a player can search and sort by, measured on its real notes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.training.feed import NoteFeed
from synth_app.training.harmonics import LOWEST_PITCH
from synth_app.training.pitch import read_near

RATE_HZ = 16_000
HOP = 80
"""Samples between points of the loudness curve: 5 ms."""
MEASURED_NOTES = 8
SUSTAINED_DB = -12.0
BRIGHT_HZ, DARK_HZ = 2200.0, 900.0
SLOW_ATTACK_MS = 80.0


@dataclass(frozen=True, slots=True)
class Description:
    """Descriptors (medians over some notes of the middle range) and words derived from them."""

    descriptors: dict[str, float]
    tags: tuple[str, ...]


def describe(feed: NoteFeed, index: int) -> Description:
    """Measure an anchor of a feed with waves."""
    rows = np.flatnonzero(feed.table[:, 0] == index)
    distance = np.abs(feed.table[rows, 2] + LOWEST_PITCH - 60)
    rows = rows[np.argsort(distance, kind="stable")][: 3 * MEASURED_NOTES : 3]
    batch = feed.load(np.sort(rows))
    pitches = (batch.pitch + LOWEST_PITCH).tolist()
    measured = [measure(wave, pitch) for wave, pitch in zip(batch.wave.numpy(), pitches, strict=True)]
    descriptors = {name: round(float(np.median([one[name] for one in measured])), 3) for name in measured[0]}
    return Description(descriptors, words(descriptors))


def measure(wave: NDArray[np.float32], pitch: int) -> dict[str, float]:
    """Brightness (spectral centroid), attack (10 to 90 % of the peak), noisiness and sustain of one note.

    ``noisiness`` is what does not repeat with the note's period, 0..1; ``sustain_db`` the level at 2.5 s over the
    level of the loudest 100 ms.
    """
    spectrum = np.abs(np.fft.rfft(wave[: 2 * RATE_HZ] * np.hanning(2 * RATE_HZ))) ** 2
    frequency = np.fft.rfftfreq(2 * RATE_HZ, 1.0 / RATE_HZ)
    power = np.convolve(wave.astype(np.float64) ** 2, np.ones(4 * HOP) / (4 * HOP), "same")[::HOP]
    curve = np.sqrt(np.maximum(power, 0.0))
    top = int(np.argmax(curve >= 0.9 * curve.max()))
    start = int(np.argmax(curve >= 0.1 * curve.max()))
    loudest = np.convolve(power, np.ones(20) / 20, "same").max()
    late = power[int(2.4 * RATE_HZ / HOP) : int(2.6 * RATE_HZ / HOP)].mean()
    return {
        "brightness_hz": float((spectrum * frequency).sum() / max(spectrum.sum(), 1e-12)),
        "attack_ms": 1000.0 * (top - start) * HOP / RATE_HZ,
        "noisiness": 1.0 - float(np.clip(read_near(wave, pitch).clarity, 0.0, 1.0)),
        "sustain_db": max(-80.0, 10.0 * float(np.log10(max(late, 1e-12) / max(loudest, 1e-12)))),
    }


def words(descriptors: dict[str, float]) -> tuple[str, ...]:
    """Tags for searching: sustained or decaying, bright or dark, slow, breathy."""
    found = ["sustained" if descriptors["sustain_db"] > SUSTAINED_DB else "decaying"]
    if descriptors["brightness_hz"] > BRIGHT_HZ:
        found.append("bright")
    if descriptors["brightness_hz"] < DARK_HZ:
        found.append("dark")
    if descriptors["attack_ms"] > SLOW_ATTACK_MS:
        found.append("slow attack")
    if descriptors["noisiness"] > 0.1:
        found.append("breathy")
    return tuple(found)
