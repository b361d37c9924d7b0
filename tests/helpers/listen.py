"""Ears: levels, onsets and pitch of recorded sound, written for tests (plain, exact, not fast)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
SILENCE_DB = -200.0


def level_db(wave: NDArray[np.floating]) -> float:
    """RMS level re full scale."""
    power = float(np.mean(np.square(wave, dtype=np.float64))) if wave.size else 0.0
    return 10.0 * np.log10(power) if power > 0.0 else SILENCE_DB


def peak_db(wave: NDArray[np.floating]) -> float:
    """Largest sample re full scale."""
    peak = float(np.max(np.abs(wave))) if wave.size else 0.0
    return 20.0 * np.log10(peak) if peak > 0.0 else SILENCE_DB


def mono(wave: NDArray[np.floating]) -> Wave:
    """Mean of the channels of ``[frames, channels]``."""
    return np.asarray(wave, np.float32).reshape(len(wave), -1).mean(axis=1)


def pitch_hz(wave: NDArray[np.floating], rate_hz: int, lowest_hz: float = 25.0, highest_hz: float = 4500.0) -> float:
    """Fundamental frequency of a steady monophonic ``wave``; 0.0 when it has none.

    YIN's cumulative mean normalised difference (de Cheveigne & Kawahara, JASA 2002), over the whole wave, its dip
    refined by a parabola. The wave should hold several periods of ``lowest_hz``.
    """
    x = np.asarray(wave, np.float64)
    longest = min(int(rate_hz / lowest_hz) + 2, len(x) // 2)
    shortest = max(2, int(rate_hz / highest_hz))
    window = len(x) - longest
    energy = np.concatenate(([0.0], np.cumsum(x * x)))
    size = 1 << (len(x) + window).bit_length()
    head = np.fft.rfft(x[:window], size)
    correlation = np.fft.irfft(np.fft.rfft(x, size) * np.conj(head), size)[:longest]
    lags = np.arange(longest)
    difference = energy[window] + energy[lags + window] - energy[lags] - 2.0 * correlation
    running = np.cumsum(difference[1:])
    if running[-1] <= 0.0:
        return 0.0
    normal = np.ones(longest)
    normal[1:] = difference[1:] * lags[1:] / np.maximum(running, 1e-30)
    dips = [
        lag
        for lag in range(shortest, longest - 1)
        if normal[lag] < 0.25 and normal[lag] <= normal[lag - 1] and normal[lag] < normal[lag + 1]
    ]
    if not dips:
        return 0.0
    # Multiples of the period dip as deeply: take the first dip that is nearly as deep as the deepest.
    deepest = min(normal[lag] for lag in dips)
    lag = next(lag for lag in dips if normal[lag] <= deepest + 0.05)
    period = lag + _vertex(difference[lag - 1 : lag + 2])
    for multiple in (2, 4, 8, 16):  # many periods measure one period better
        near = round(multiple * period)
        if near + 3 > longest:
            break
        near += int(np.argmin(difference[near - 1 : near + 2])) - 1
        period = (near + _vertex(difference[near - 1 : near + 2])) / multiple
    return rate_hz / period


def cents_off(hz: float, expected_hz: float) -> float:
    """Interval from ``expected_hz`` to ``hz``; infinite when nothing was heard."""
    return 1200.0 * float(np.log2(hz / expected_hz)) if hz > 0.0 else float("inf")


def chord_cents(wave: NDArray[np.floating], rate_hz: int, notes_hz: Sequence[float]) -> list[float]:
    """How far each note of a steady chord is from where it should be, in cents.

    A note is read from those of its first eight partials that no partial of another note comes near; each partial's
    frequency is the vertex of its spectral peak (Gaussian window, log-parabola), and partials vote by amplitude.
    Infinite when a note cannot be heard.
    """
    x = np.asarray(wave, np.float64)
    width = len(x)
    window = np.exp(-0.5 * ((np.arange(width) - width / 2) / (width / 7)) ** 2)
    size = 4 << width.bit_length()
    spectrum = np.abs(np.fft.rfft(x * window, size))
    bin_hz = rate_hz / size
    resolution_hz = 6.0 * rate_hz / width
    answers = []
    for index, note in enumerate(notes_hz):
        others = [k * other for j, other in enumerate(notes_hz) if j != index for k in range(1, 25)]
        votes = []
        for k in range(1, 9):
            expected = k * note
            reach = expected * (2 ** (60 / 1200) - 1)
            if expected > 0.45 * rate_hz or any(abs(expected - other) < reach + resolution_hz for other in others):
                continue
            first, last = int((expected - reach) / bin_hz), int((expected + reach) / bin_hz) + 2
            peak = first + int(np.argmax(spectrum[first:last]))
            if peak in (first, last - 1):
                continue
            found = (peak + _vertex(np.log(spectrum[peak - 1 : peak + 2] + 1e-30))) * bin_hz
            votes.append((float(spectrum[peak]), cents_off(found, expected)))
        loudest = max((amplitude for amplitude, _ in votes), default=0.0)
        if loudest < 3e-3 * float(spectrum.max()) or loudest == 0.0:
            answers.append(float("inf"))
        else:
            answers.append(float(np.average([cents for _, cents in votes], weights=[a for a, _ in votes])))
    return answers


def onsets_s(
    wave: NDArray[np.floating], rate_hz: int, threshold_db: float = -50.0, quiet_s: float = 0.05
) -> list[float]:
    """Times at which sound begins after at least ``quiet_s`` below ``threshold_db`` (peak), to a millisecond."""
    step = rate_hz // 1000
    whole = np.abs(np.asarray(wave)[: len(wave) // step * step]).reshape(-1, step).max(axis=1)
    loud = whole > 10 ** (threshold_db / 20)
    starts, last_loud = [], -(10**9)
    for ms in np.flatnonzero(loud):
        if ms - last_loud > quiet_s * 1000:
            starts.append(float(ms) / 1000.0)
        last_loud = int(ms)
    return starts


def _vertex(three: NDArray[np.float64]) -> float:
    """Offset (-0.5..0.5) of the extremum of the parabola through three neighbouring values, from the middle one."""
    left, middle, right = three
    bend = left - 2.0 * middle + right
    return float(0.5 * (left - right) / bend) if bend != 0.0 else 0.0
