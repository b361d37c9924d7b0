"""How in tune a note is: McLeod's normalised autocorrelation, refined over many periods.

The normalised square difference function (McLeod & Wyvill, "A smarter way to find pitch", ICMC 2005) is 1 where a
sound repeats itself exactly. Its first high peak gives the period and so the strict pitch; its height is the clarity.
A high note's period is few samples long, so the period is refined at ever larger multiples of itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEGMENT_SAMPLES = 4096
LOWEST_HZ = 25.0
HIGHEST_HZ = 1500.0
KEY_PEAK_RATIO = 0.92
REFINED_LAG_SAMPLES = 700


@dataclass(frozen=True, slots=True)
class PitchReading:
    """What was heard: ``pitch`` in semitones (a real number) and ``clarity`` in 0..1; silence reads 0 and 0."""

    pitch: float
    clarity: float

    def cents_from(self, pitch: int) -> float:
        """Distance to a MIDI note in cents, octaves counted."""
        return 100.0 * (self.pitch - pitch)


def hz_of(pitch: float) -> float:
    """Frequency of a MIDI note, A4 = 69 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def sounding_segment(
    wave: NDArray[np.float32], samples: int = SEGMENT_SAMPLES, rate_hz: int = 16_000
) -> NDArray[np.float64]:
    """``samples`` samples from 30 ms after the onset (10 % of the peak), zeros behind the end."""
    peak = float(np.abs(wave).max(initial=0.0))
    onset = int(np.argmax(np.abs(wave) >= 0.1 * peak)) if peak > 0 else 0
    start = min(onset + rate_hz * 30 // 1000, max(0, len(wave) - samples))
    segment = np.zeros(samples)
    piece = wave[start : start + samples]
    segment[: len(piece)] = piece
    return segment


def normalised_autocorrelation(segment: NDArray[np.float64]) -> NDArray[np.float64]:
    """NSDF of a segment of N samples for the lags 0..N/2, in -1..1 (zeros for silence)."""
    count = len(segment)
    lags = count // 2
    spectrum = np.fft.rfft(segment, 2 * count)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:lags]
    energy = np.concatenate([[0.0], np.cumsum(segment**2)])
    lag = np.arange(lags)
    power = energy[count - lag] + energy[count] - energy[lag]
    return np.asarray(np.divide(2.0 * correlation, power, out=np.zeros(lags), where=power > 1e-12))


def read_pitch(wave: NDArray[np.float32], rate_hz: int = 16_000) -> PitchReading:
    """The pitch of a wave as a listener would name it: the first of the high peaks of the NSDF."""
    nsdf = normalised_autocorrelation(sounding_segment(wave, rate_hz=rate_hz))
    first = int(rate_hz / HIGHEST_HZ)
    last = int(rate_hz / LOWEST_HZ)
    middle = nsdf[first : last + 1]
    peaks = first + np.flatnonzero(
        (middle > 0) & (middle >= nsdf[first - 1 : last]) & (middle > nsdf[first + 1 : last + 2])
    )
    if len(peaks) == 0:
        return PitchReading(0.0, 0.0)
    chosen = int(peaks[np.argmax(nsdf[peaks] >= KEY_PEAK_RATIO * nsdf[peaks].max())])
    period, _ = _top(nsdf, chosen)
    return _reading(_refine(nsdf, period), float(nsdf[chosen]), rate_hz)


def read_near(wave: NDArray[np.float32], pitch: int, rate_hz: int = 16_000) -> PitchReading:
    """The pitch near a wanted note, octaves aside: the clearest repetition within 4 % of one or two of its periods.

    An organ with a 16-foot stop repeats after two periods of the key that is held; it is in tune all the same.
    """
    return _read_near(sounding_segment(wave, rate_hz=rate_hz), pitch, rate_hz)


def read_mean(wave: NDArray[np.float32], pitch: int, rate_hz: int = 16_000) -> float:
    """Cents off a wanted note, octaves aside, as a whole note is heard: the mean over quarter seconds, each as heavy as
    it is loud and clear. A trumpet that bends into its note counts by where it arrives, a plucked string by its start.
    """
    held = wave[: 3 * rate_hz].astype(np.float64)
    peak = float(np.abs(held).max(initial=0.0))
    start = int(np.argmax(np.abs(held) >= 0.1 * peak)) + rate_hz * 30 // 1000
    readings = [
        (
            _read_near(held[at : at + SEGMENT_SAMPLES], pitch, rate_hz),
            float(np.abs(held[at : at + SEGMENT_SAMPLES]).sum()),
        )
        for at in range(start, len(held) - SEGMENT_SAMPLES, SEGMENT_SAMPLES)
    ]
    weights = np.array([level * max(reading.clarity - 0.5, 0.0) for reading, level in readings])
    if not weights.any():
        return 0.0
    return float(np.average([reading.cents_from(pitch) for reading, _ in readings], weights=weights))


def _read_near(segment: NDArray[np.float64], pitch: int, rate_hz: int) -> PitchReading:
    nsdf = normalised_autocorrelation(segment)
    wanted = rate_hz / hz_of(pitch)
    best = PitchReading(0.0, 0.0)
    for periods in (1, 2):
        low, high = int(np.floor(0.96 * periods * wanted)), int(np.ceil(1.04 * periods * wanted))
        peak = low + int(np.argmax(nsdf[low : high + 1]))
        if nsdf[peak] > best.clarity + 0.02:
            lag, _ = _top(nsdf, peak)
            best = _reading(_refine(nsdf, lag) / periods, float(nsdf[peak]), rate_hz)
    return best


def _reading(period: float, clarity: float, rate_hz: int) -> PitchReading:
    return PitchReading(69.0 + 12.0 * float(np.log2(rate_hz / period / 440.0)), min(clarity, 1.0))


def _top(nsdf: NDArray[np.float64], peak: int) -> tuple[float, float]:
    """The parabola through three points: position and height of its top."""
    if peak < 1 or peak + 1 >= len(nsdf):
        return float(peak), float(nsdf[peak])
    left, centre, right = nsdf[peak - 1 : peak + 2]
    bend = left - 2.0 * centre + right
    shift = 0.0 if bend >= 0 else float(np.clip(0.5 * (left - right) / bend, -1.0, 1.0))
    return peak + shift, float(centre - 0.25 * (left - right) * shift)


def _refine(nsdf: NDArray[np.float64], period: float) -> float:
    """The period measured over 2, 4, 8, ... repetitions, as long as they are clear."""
    count = 1
    while 2 * count * period < REFINED_LAG_SAMPLES:
        expected = 2 * count * period
        reach = max(1, int(0.3 * period))
        low = int(expected) - reach
        peak = low + int(np.argmax(nsdf[low : int(expected) + reach + 2]))
        if nsdf[peak] < 0.5:
            break
        count *= 2
        period = _top(nsdf, peak)[0] / count
    return period
