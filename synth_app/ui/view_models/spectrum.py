"""The rainbowgram: magnitude as brightness, instantaneous frequency as colour (Engel et al. 2017), from live samples.

Samples arrive with telemetry; columns are spectra one hop apart. Colour shows where within its semitone a bin's
frequency lies, so that a note in tune is one calm colour, and vibrato or noise shimmers.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synth_app.core.units import hz_to_pitch, pitch_to_hz

FFT_SAMPLES = 3200  # with a hop, no more than one snapshot brings
COLUMNS_PER_SECOND = 60
LOWEST_PITCH, HIGHEST_PITCH = 24.0, 124.0
RANGE_DB = 66.0
QUIETEST_FULL_DB = -46.0
RECOVERY_DB_PER_S = 4.0
LEVELS, HUES = 128, 96
"""A point of the picture is ``level * HUES + hue``; the theme decides what colour that is."""


class SampleTape:
    """The newest samples, spliced from overlapping snapshots by their frame numbers."""

    def __init__(self, length: int) -> None:
        self.samples = np.zeros(length, dtype=np.float32)
        self.end_frame = 0
        self.whole = 0
        """How many of the newest samples follow one another without a gap."""

    def add(self, scope: NDArray[np.float32], end_frame: int) -> int:
        """Append what is new of a snapshot and return how many samples the tape moved on (a gap reads as silence)."""
        if scope.size == 0 or end_frame == self.end_frame:
            return 0
        moved = end_frame - self.end_frame
        if moved < 0 or moved > self.samples.size:
            moved = self.samples.size
        self.whole = min(self.samples.size, self.whole + moved if moved <= scope.size else scope.size)
        fresh = np.zeros(moved, dtype=np.float32)
        count = min(moved, scope.size)
        fresh[moved - count :] = scope[scope.size - count :]
        self.samples = np.concatenate((self.samples[moved:], fresh))
        self.end_frame = end_frame
        return moved


class RainbowModel:
    """Turns the tape into columns of points, ``level * HUES + hue``, top row first (high pitches on top).

    Args:
        rows: height of a column in pixels. rate_hz: of the samples.
    """

    def __init__(self, rows: int, rate_hz: int) -> None:
        self.rows = rows
        self.rate_hz = rate_hz
        self.hop = max(1, round(rate_hz / COLUMNS_PER_SECOND))
        self._tape = SampleTape(FFT_SAMPLES + self.hop + rate_hz // 2)
        self._owed = 0
        self._window = np.hanning(FFT_SAMPLES).astype(np.float32)
        pitches = np.linspace(HIGHEST_PITCH, LOWEST_PITCH, rows)
        hz = np.array([pitch_to_hz(p) for p in pitches])
        self._bins = np.minimum(hz * FFT_SAMPLES / rate_hz, FFT_SAMPLES / 2 - 2)
        self._heard = hz < rate_hz / 2
        self._full_db = QUIETEST_FULL_DB
        self._last = np.zeros((rows, 1), dtype=np.uint16)

    def add(self, scope: NDArray[np.float32], end_frame: int) -> NDArray[np.uint16]:
        """Take a snapshot's samples and return the new columns, uint16 ``[rows, columns]``, oldest first."""
        moved = self._tape.add(scope, end_frame)
        self._owed = min(self._owed + moved, self.rate_hz // 2)
        count, self._owed = divmod(self._owed, self.hop)
        if count == 0:
            return np.zeros((self.rows, 0), dtype=np.uint16)
        backs = self._owed + self.hop * np.arange(count - 1, -1, -1)  # how far before the end each column ends
        known = [int(back) for back in backs if back + FFT_SAMPLES < self._tape.whole]
        if not known:
            return np.repeat(self._last, count, axis=1)
        tape = self._tape.samples
        ends = [tape.size - back for back in known]
        pairs = np.stack([tape[e - FFT_SAMPLES - shift : e - shift] for e in ends for shift in (1, 0)])
        spectra = np.fft.rfft(pairs * self._window, axis=1).reshape(len(known), 2, -1)
        columns = self._points(spectra[:, 0], spectra[:, 1])
        missed = count - len(known)  # a gap is painted over by its neighbours
        before, after = np.repeat(self._last, missed // 2, axis=1), np.repeat(columns[:, :1], -(-missed // 2), axis=1)
        self._last = columns[:, -1:]
        return np.concatenate((before, after, columns), axis=1)

    def _points(self, before: NDArray[np.complex128], after: NDArray[np.complex128]) -> NDArray[np.uint16]:
        """Columns from spectra one sample apart: the phase step between them is the instantaneous frequency."""
        inst_hz = np.abs(np.angle(after * np.conj(before))) * self.rate_hz / (2.0 * np.pi)
        power = np.abs(after) / (FFT_SAMPLES / 4)
        low = np.floor(self._bins).astype(int)
        share = self._bins - low
        magnitude = power[:, low] * (1 - share) + power[:, low + 1] * share
        nearest = np.where(power[:, low + 1] > power[:, low], low + 1, low)
        hz = np.take_along_axis(inst_hz, nearest, axis=1)
        level = self._brightness(20.0 * np.log10(magnitude + 1e-9)) * self._heard
        semitone = 12.0 * np.log2(np.maximum(hz, 8.0) / 440.0)
        hue = (semitone - np.floor(semitone) + 0.5) % 1.0  # in tune lies in the middle of the wheel
        points = (level * (LEVELS - 1)).astype(np.uint16) * HUES + (hue * (HUES - 1)).astype(np.uint16)
        return np.ascontiguousarray(points.T)

    def _brightness(self, level_db: NDArray[np.floating]) -> NDArray[np.floating]:
        """0..1 under the loudest of the last seconds, so that a soft note shows as much of itself as a loud one."""
        columns = np.empty_like(level_db)
        for index, column in enumerate(level_db):
            rested = max(QUIETEST_FULL_DB, self._full_db - RECOVERY_DB_PER_S / COLUMNS_PER_SECOND)
            self._full_db = max(rested, float(column.max()))
            columns[index] = np.clip(1.0 + (column - self._full_db) / RANGE_DB, 0.0, 1.0)
        return columns


@lru_cache(maxsize=2)
def rainbow_table(light: bool = False) -> NDArray[np.uint8]:
    """RGB of every point, uint8 ``[LEVELS * HUES, 3]``: from the background to a colour that stands out on it.

    On dark: nearly black, deep colour, colour, nearly white. On light: nearly white, pale colour, deep colour.
    """
    level = np.linspace(0.0, 1.0, LEVELS)[:, None]
    turn = 2.0 * np.pi * (np.linspace(0.0, 1.0, HUES)[None, :] + 0.02)
    if light:
        lightness = 0.997 - 0.56 * level**0.9
        chroma = 0.16 * np.minimum(1.0, 1.5 * level)
    else:
        lightness = 0.16 + 0.74 * level**0.9
        chroma = 0.17 * np.minimum(1.0, 1.7 * level) * (1.0 - 0.5 * level**3)
    return _oklch_bytes(lightness, chroma, turn).reshape(-1, 3)


def _oklch_bytes(
    lightness: NDArray[np.floating], chroma: NDArray[np.floating], turn: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """OKLCH to sRGB bytes, clipped to the gamut: :func:`synth_app.ui.theme.oklch_to_rgb` for arrays."""
    a, b = chroma * np.cos(turn), chroma * np.sin(turn)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    rgb = np.stack(
        (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ),
        axis=-1,
    )
    linear = np.clip(rgb, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return (encoded * 255.0).round().astype(np.uint8)


def row_of_pitch(pitch: float, rows: int) -> float:
    """Where a pitch lies on a picture of ``rows`` rows."""
    return (HIGHEST_PITCH - pitch) / (HIGHEST_PITCH - LOWEST_PITCH) * (rows - 1)


def pitch_of_hz(hz: float) -> float:
    """The pitch of a frequency (A4 = 440 Hz)."""
    return hz_to_pitch(hz)


def scope_window(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The newest ``length`` samples that begin at a rising zero crossing, so that a steady tone stands still."""
    if samples.size <= length:
        return samples
    early = samples[: samples.size - length]
    crossings = np.flatnonzero((early[:-1] <= 0.0) & (early[1:] > 0.0))
    start = int(crossings[-1]) + 1 if crossings.size else samples.size - length
    return samples[start : start + length]
