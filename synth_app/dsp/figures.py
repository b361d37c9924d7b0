"""Is a note that was carried on still the same note? Figures, of its picture and of its sound.

A continuation can fail in five ways: it loops (its envelope repeats itself), it pulses or freezes (its bands move more
or less than the note's did), it clicks (a hop changes more than the note's hops do), it turns noise into tone or tone
into noise, or it drifts out of tune. Each has a figure here, the continuation's beside the note's own sustain's.

The picture says exactly what was asked of the decoder: a frozen frame does not move in it at all, although it sounds
like noise once a thousand bands beat against one another. The sound says what is heard: Hann windows of four hops, and
only bands not more than ``SPAN_DB`` under the loudest of their stretch, nor ``FLOOR_DB`` under the loudest of the
note. The course of every band (a parabola of dB over time) is taken out first, so that a dying note is compared by how
it moves and not by where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.dsp.trend import AUDIBLE_DB, NEPERS_PER_DB, fit_lines, straighten

SPAN_DB = 50.0
FLOOR_DB = 75.0
HEARD_STEP_DB = 1.0
"""A smaller change of level is hardly heard, however steady the note was."""

_FEWEST_BANDS = 12  # that make a spectrum
_DEEPEST_DB = 25.0  # a band's dip counts no further: two partials may cancel as deeply as they like
_ENVELOPE_S = 0.01
_NEAR_S = 0.3  # noise that is evened out over 30 ms, in frames of 32 ms that overlap, is alike so far
_SLOW_S = 1.0  # level changes slower than this are no repetition
_SHORT_LAG_S, _PAIRS_S = 1.5, 5.0
_PARTIALS = 10
_PLACE_CENTS = 40.0  # how far a partial may lie from its harmonic
_PARTIAL_CENTS = 70.0

Wave = NDArray[np.floating]
Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Texture:
    """How a continuation moves, beside the note's own sustain. The first three are ratios: 1 is the same.

    Attributes:
        deviation: of the standard deviation of a band's level about its course, mean over bands.
        flux: of the mean change of a band's level from hop to hop.
        noisiness: of the mean unpredictability of a band from the two hops before.
        steps: each hop's log-spectral step (RMS over bands of the change of level) over the 99th percentile of the
            sustain's own (or over ``HEARD_STEP_DB``, in sound, where that is greater), ``[hops]``.
    """

    deviation: float
    flux: float
    noisiness: float
    steps: Real


def compare(sustain: Wave, continued: Wave, hop_samples: int, loudest_db: float) -> Texture:
    """Compare a continuation with the sustain it was made from, a piece as long as the sustain at a time.

    Each piece is compared over the bands that are heard in it and in the sustain; of a dying note's last pieces, in
    which hardly a band is heard, none is. Noisiness is the unpredictability of
    K. Brandenburg's and J. D. Johnston's perceptual coders (the distance of each bin from the straight continuation of
    its last two magnitudes and phases, over the sum of both), not weighted by level.

    Args:
        sustain: the note's own held part, at least 12 hops.
        continued: at least 12 hops; what is left over after the last whole piece does not count.
        loudest_db: level of the note's loudest band, as :func:`loudest_band_db` gives it.

    Raises:
        ValueError: when a wave is too short, or no band is heard in both.
    """
    model, spectra = _spectra(sustain, hop_samples), _spectra(continued, hop_samples)
    hops = min(len(model), len(spectra))
    if hops < 8:
        raise ValueError("a stretch of sound is too short to measure")
    own = _Piece.of(model[-hops:])
    rows: list[tuple[float, ...]] = []
    steps: list[Real] = []
    for start in range(0, len(spectra) - hops + 1, hops):
        piece = _Piece.of(spectra[start : start + hops])
        heard = own.heard(loudest_db) & piece.heard(loudest_db)
        if heard.sum() >= _FEWEST_BANDS or (heard.any() and not rows):
            rows.append((*piece.figures(heard), *own.figures(heard)))
            steps.append(piece.steps_db(heard) / max(float(np.percentile(own.steps_db(heard), 99)), HEARD_STEP_DB))
    if not rows:
        raise ValueError("no band is heard in both stretches of sound")
    total = np.sum(rows, axis=0)
    deviation, flux, noisiness = total[:3] / np.maximum(total[3:], 1e-9)
    return Texture(float(deviation), float(flux), float(noisiness), np.concatenate(steps))


def compare_pictures(
    held: tuple[NDArray[np.floating], NDArray[np.floating]],
    continued: tuple[NDArray[np.floating], NDArray[np.floating]],
    loudest: float,
) -> Texture:
    """Compare pictures, (log-mel, instantaneous frequency) each, over the bands that are heard in the held frames.

    Noisiness is here how much the step of phase changes from frame to frame: the mean of ``|sin(pi d / 2)|``. Steps are
    those of the levels themselves, with nothing taken out.

    Args:
        held: the note's own held frames, ``[frames, bins]`` each.
        continued: at least as many frames.
        loudest: log-mel of the note's loudest band; bands ``AUDIBLE_DB`` under it are not heard.

    Raises:
        ValueError: when no band is heard.
    """
    own_db, other_db = (np.asarray(log_mel, np.float64) / NEPERS_PER_DB for log_mel, _ in (held, continued))
    mean = own_db.mean(axis=0)
    heard = mean > loudest / NEPERS_PER_DB - AUDIBLE_DB
    if not heard.any():
        raise ValueError("no band is heard in the held frames")
    count = len(own_db)
    own = _picture_figures(own_db[:, heard], held[1][:, heard])
    rows = [
        _picture_figures(other_db[start : start + count, heard], continued[1][start : start + count, heard])
        for start in range(0, len(other_db) - count + 1, count)
    ]
    deviation, flux, noisiness = np.mean(rows, axis=0) / np.maximum(own, 1e-9)
    own_steps, steps = (np.sqrt(np.square(np.diff(db[:, heard], axis=0)).mean(axis=1)) for db in (own_db, other_db))
    return Texture(float(deviation), float(flux), float(noisiness), steps / float(np.percentile(own_steps, 99)))


def _picture_figures(level_db: Real, inst_freq: NDArray[np.floating]) -> tuple[float, float, float]:
    _, moves = straighten(fit_lines(level_db)[2])
    turns = np.abs(np.sin(0.5 * np.pi * np.diff(inst_freq.astype(np.float64), axis=0)))
    return float(moves.std(axis=0).mean()), float(np.abs(np.diff(moves, axis=0)).mean()), float(turns.mean())


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Spectra of a stretch, ``[hops, bins]``, with the course of every band's level taken out."""

    spectrum: NDArray[np.complex128]
    level: Real
    moves: Real

    @classmethod
    def of(cls, spectrum: NDArray[np.complex128]) -> _Piece:
        level = 20.0 * np.log10(np.abs(spectrum) + 1e-9)
        _, moves = straighten(fit_lines(level)[2])
        return cls(spectrum, level, np.maximum(moves, -_DEEPEST_DB))

    def heard(self, loudest_db: float) -> NDArray[np.bool_]:
        mean, slope, _ = fit_lines(self.level)
        lowest = mean - np.abs(slope) * len(self.level) / 2.0
        return np.asarray((mean > mean.max() - SPAN_DB) & (lowest > loudest_db - FLOOR_DB))

    def steps_db(self, heard: NDArray[np.bool_]) -> Real:
        return np.asarray(np.sqrt(np.square(np.diff(self.moves[:, heard], axis=0)).mean(axis=1)))

    def figures(self, heard: NDArray[np.bool_]) -> tuple[float, float, float]:
        moves = self.moves[:, heard]
        flux = float(np.abs(np.diff(moves, axis=0)).mean())
        return float(moves.std(axis=0).mean()), flux, _unpredictability(self.spectrum[:, heard])


def steps_db(wave: Wave, hop_samples: int, loudest_db: float) -> Real:
    """The log-spectral step of every hop of a note, ``[hops - 1]``: RMS over all bands of the change of level in dB.

    Levels more than ``AUDIBLE_DB`` under the note's loudest band count as that.
    """
    level = 20.0 * np.log10(np.abs(_spectra(wave, hop_samples)) + 1e-9)
    heard = np.maximum(level, loudest_db - AUDIBLE_DB)
    return np.asarray(np.sqrt(np.square(np.diff(heard, axis=0)).mean(axis=1)))


def loudest_band_db(wave: Wave, hop_samples: int) -> float:
    """Level of the loudest bin of any hop, 20 log10 of its magnitude."""
    return float(20.0 * np.log10(np.abs(_spectra(wave, hop_samples)).max() + 1e-9))


def repetition(wave: Wave, rate_hz: int) -> float:
    """The highest peak of the level-detrended envelope's autocorrelation, -1..1; 1 is a loop.

    The envelope is the level in dB every 10 ms, less its own running mean over a second. Lags run from where the
    autocorrelation first crosses zero to half the length, and longer ones than 1.5 s only where at least 5 s of pairs
    remain: a few seconds agree by chance. Every lag is normalised by the pairs it has.
    """
    return _highest_peak(_moves(wave, rate_hz))


def chance_repetition(wave: Wave, rate_hz: int, draws: int, rng: np.random.Generator) -> float:
    """What :func:`repetition` gives for noise that lasts as long as this sound and moves as much and as fast.

    The noise has the envelope's autocorrelation up to the lag from which on a likeness counts as repetition, and none
    beyond; the mean of so many draws.
    """
    moves = _moves(wave, rate_hz)
    count = len(moves)
    near = round(_NEAR_S / _ENVELOPE_S)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(moves, 2 * count)) ** 2)
    correlation[near : 2 * count - near] = 0.0
    taper = np.cos(0.5 * np.pi * np.arange(near) / near) ** 2
    correlation[:near] *= taper
    correlation[2 * count - near + 1 :] *= taper[:0:-1]
    size = np.sqrt(np.maximum(np.fft.rfft(correlation).real, 0.0))
    noises = (np.fft.irfft(size * np.fft.rfft(rng.standard_normal(2 * count)))[:count] for _ in range(draws))
    return float(np.mean([_highest_peak(noise) for noise in noises]))


def _moves(wave: Wave, rate_hz: int) -> Real:
    """The envelope less its own course."""
    envelope = envelope_db(wave, rate_hz)
    return envelope - _running_mean(envelope, round(_SLOW_S / _ENVELOPE_S))


def _highest_peak(moves: Real) -> float:
    """See :func:`repetition`."""
    count = len(moves)
    padded = np.fft.rfft(moves, 2 * count)
    short, pairs = round(_SHORT_LAG_S / _ENVELOPE_S), round(_PAIRS_S / _ENVELOPE_S)
    lags = min(count // 2, max(count - pairs, short))
    correlation = np.fft.irfft(np.abs(padded) ** 2)[:lags] / (count - np.arange(lags))
    correlation /= max(float(correlation[0]), 1e-12)
    crossings = np.flatnonzero(correlation <= 0.0)
    return float(correlation[crossings[0] :].max()) if len(crossings) else 0.0


def envelope_db(wave: Wave, rate_hz: int) -> Real:
    """Level of every 10 ms, evened out over 30, dB of full scale; -120 dB for silence."""
    size = round(_ENVELOPE_S * rate_hz)
    count = len(wave) // size
    power = np.square(wave[: count * size].astype(np.float64)).reshape(count, size).mean(axis=1)
    return np.asarray(10.0 * np.log10(_running_mean(power, 3) + 1e-12))


def audible_until(wave: Wave, rate_hz: int) -> int:
    """The sample at which a note has fallen ``AUDIBLE_DB`` under its loudest moment for good."""
    envelope = envelope_db(wave, rate_hz)
    heard = np.flatnonzero(envelope > envelope.max() - AUDIBLE_DB)
    return min(len(wave), round((float(heard[-1]) + 1.0) * _ENVELOPE_S * rate_hz))


def cents_apart(one: Wave, other: Wave, frequency_hz: float, rate_hz: int) -> float:
    """By how many cents the partials of ``one`` lie over those of ``other``: a mean, weighted by what both have.

    Each partial's frequency is the centre of the energy within 70 cents of its place, so vibrato averages out, and a
    stretch in which other partials are loud (a piano's are not quite harmonic) is not taken for another pitch.

    Args:
        frequency_hz: the note's; partials are sought near its first ten multiples.
    """
    spectra = [_power(wave, rate_hz) for wave in (one, other)]
    total = weights = 0.0
    for partial in range(1, _PARTIALS + 1):
        place = frequency_hz * partial
        if place * 1.1 > rate_hz / 2.0:
            break
        hz, power = spectra[1]
        near = np.abs(np.log2(hz / place)) < _PLACE_CENTS / 1200.0
        top = float(hz[near][np.argmax(power[near])])
        (first_hz, first), (second_hz, second) = (_centre(*spectrum, top) for spectrum in spectra)
        weight = np.sqrt(first * second)
        total += weight * 1200.0 * float(np.log2(first_hz / second_hz))
        weights += weight
    return total / max(weights, 1e-30)


def _power(wave: Wave, rate_hz: int) -> tuple[Real, Real]:
    """Frequencies above 0 and the energy of a whole stretch at each, as shares."""
    power: Real = np.square(np.abs(np.fft.rfft(wave.astype(np.float64) * np.hanning(len(wave)))))[1:]
    hz = np.asarray(np.fft.rfftfreq(len(wave), 1.0 / rate_hz)[1:], np.float64)
    return hz, np.asarray(power / max(float(power.sum()), 1e-30))


def _centre(hz: Real, power: Real, place_hz: float) -> tuple[float, float]:
    """Centre of the energy around a place, and how much there is."""
    around = np.abs(np.log2(hz / place_hz)) < _PARTIAL_CENTS / 1200.0
    energy = float(power[around].sum())
    return (float((power[around] * hz[around]).sum()) / energy if energy > 0.0 else place_hz), energy


def _spectra(wave: Wave, hop_samples: int) -> NDArray[np.complex128]:
    size = 4 * hop_samples
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), size)[::hop_samples]
    return np.asarray(np.fft.rfft(frames * window, axis=1)[:, 1:])


def _unpredictability(spectrum: NDArray[np.complex128]) -> float:
    size, angle = np.abs(spectrum), np.angle(spectrum)
    expected = 2.0 * size[1:-1] - size[:-2]
    turned = 2.0 * angle[1:-1] - angle[:-2]
    distance = np.abs(spectrum[2:] - expected * np.exp(1j * turned))
    return float((distance / (size[2:] + np.abs(expected) + 1e-12)).mean())


def _running_mean(values: Real, size: int) -> Real:
    """Centred; at the ends over what there is."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    start, stop = np.maximum(index - size // 2, 0), np.minimum(index + size - size // 2, len(values))
    return np.asarray((total[stop] - total[start]) / (stop - start))
