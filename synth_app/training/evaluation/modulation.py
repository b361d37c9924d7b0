"""Vibrato and beating: how much level and pitch move at 2 to 12 Hz while a note is held.

Level is followed in octave bands, since the partials of a beating sound swell at different times and their sum hides
it; pitch on the strongest low partial. Both come from one short-time Fourier transform with a window of 64 ms every
4 ms, short enough for 12 Hz and long enough to tell the partials of the lowest note apart. Slow courses are taken out
before the spectrum is. Waves are [B, samples] at 16 kHz.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from synth_app.training.harmonics import fundamentals_hz

RATE_HZ = 16_000
WINDOW, HOP = 1024, 64
START, STOP = 8_192, 44_032
"""The held part, frames 20 to 90 of the picture by window centre: 0.5 to 2.75 s."""
LOWEST_HZ, HIGHEST_HZ = 2.0, 12.0
BAND_EDGES_HZ = (0.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
RANGE_DB = 50.0
"""Levels are followed down to so far under the note's loudest band."""
PITCH_LIMIT_HZ = 700.0
SILENCE = 1e-7
"""Mean power under which a held part is silence (notes have some 1e-2), and does not move."""
HAS_LEVEL_DB = 0.5
HAS_PITCH_CENTS = 4.0
"""An anchor has vibrato or beating if its real notes' median depth reaches this (RMS over 2 to 12 Hz)."""


@dataclass(frozen=True, slots=True)
class Modulation:
    """What moves: RMS depths over 2 to 12 Hz [B], and the amplitude spectra [B, rates] of level and pitch."""

    level_db: Tensor
    pitch_cents: Tensor
    level_spectrum: Tensor
    pitch_spectrum: Tensor


def rates_hz() -> Tensor:
    """The modulation rates of the spectra, [rates]: 2 to 12 Hz."""
    rates = torch.fft.rfftfreq(_points(), HOP / RATE_HZ)
    inside: Tensor = rates[_inside(rates)]
    return inside


def modulation(wave: Tensor, pitch: Tensor) -> Modulation:
    """Measure notes at pitch indices [B] (MIDI note minus 24)."""
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(wave[:, START:STOP], WINDOW, HOP, window=window, center=False, return_complex=True)
    sounds = (wave[:, START:STOP].square().mean(dim=1, keepdim=True) > SILENCE).float()
    level, weight = _levels_db(spectrum.abs().square())
    cents, heard = _cents(spectrum, pitch)
    level_power = (_power(level) * weight[..., None]).sum(dim=1) * sounds
    pitch_power = _power(cents, heard) * sounds
    return Modulation(
        level_power.sum(dim=1).sqrt(), pitch_power.sum(dim=1).sqrt(), level_power.sqrt(), pitch_power.sqrt()
    )


def _points() -> int:
    return (STOP - START - WINDOW) // HOP + 1


def _inside(rates: Tensor) -> Tensor:
    return (rates >= LOWEST_HZ) & (rates <= HIGHEST_HZ)


def _levels_db(power: Tensor) -> tuple[Tensor, Tensor]:
    """([B, F, points]) -> level of each octave band in dB [B, bands, points], the bands' shares [B, bands].

    A band weighs by the square root of its power: halfway between what carries the energy and what can be heard.
    """
    edges = [round(edge * WINDOW / RATE_HZ) for edge in BAND_EDGES_HZ]
    edges[-1] += 1
    sums = torch.stack([power[:, a:b].sum(dim=1) for a, b in pairwise(edges)], dim=1)
    mean = sums.mean(dim=2)
    floor = mean.amax(dim=1).clamp_min(1e-12) * 10.0 ** (-RANGE_DB / 10.0)
    weight = mean.clamp_min(1e-20).sqrt() * (mean > floor[:, None])
    level = 10.0 * torch.log10(torch.maximum(sums, floor[:, None, None]))
    return level, weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-20)


def _cents(spectrum: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
    """(deviation of the strongest low partial in cents [B, points - 1], its amplitude there).

    Instantaneous frequency is the step of phase from hop to hop; 4 ms are short enough that it has one reading. The
    three bins around the partial speak together: a swell alone turns the phase of a bin that lies to one side.
    """
    fundamental = torch.from_numpy(fundamentals_hz()).float()[pitch]
    numbers = torch.arange(1, int(PITCH_LIMIT_HZ / 32.0))
    partial_hz = fundamental[:, None] * numbers
    bins = (partial_hz * WINDOW / RATE_HZ).round().long().clamp_max(spectrum.shape[1] - 2)
    strength = spectrum.abs().square().mean(dim=2).gather(1, bins)
    strength = strength * ((partial_hz <= PITCH_LIMIT_HZ) | (numbers == 1))
    chosen = strength.argmax(dim=1, keepdim=True)
    middle = bins.gather(1, chosen)
    around = (middle + torch.arange(-1, 2))[:, :, None].expand(-1, -1, spectrum.shape[2])
    track = spectrum.gather(1, around)
    expected = 2.0 * torch.pi * middle.float() * HOP / WINDOW
    turn = (track[:, :, 1:] * track[:, :, :-1].conj()).sum(dim=1) * torch.polar(torch.ones_like(expected), -expected)
    hz = (middle.float() / WINDOW + turn.angle() / (2.0 * torch.pi * HOP)) * RATE_HZ
    nominal = partial_hz.gather(1, chosen)
    return 1200.0 * torch.log2((hz / nominal).clamp(0.5, 2.0)), track[:, 1, 1:].abs()


def _power(course: Tensor, amplitude: Tensor | None = None) -> Tensor:
    """Power spectrum of courses [..., points] at 2 to 12 Hz, without their parabola; a sine of depth d sums to d^2/2.

    ``amplitude`` says where the course can be believed: what is 30 dB under its maximum is set to the mean.
    """
    if amplitude is not None:
        weight = (amplitude > 10.0**-1.5 * amplitude.amax(dim=-1, keepdim=True)).float()
        mean = (course * weight).sum(dim=-1, keepdim=True) / weight.sum(dim=-1, keepdim=True).clamp_min(1.0)
        course = torch.where(weight > 0, course, mean)
    flat = without_parabola(course)
    taper = torch.hann_window(flat.shape[-1], dtype=flat.dtype)
    transformed = torch.fft.rfft(flat * taper, n=_points()).abs().square()
    rates = torch.fft.rfftfreq(_points(), HOP / RATE_HZ)
    power: Tensor = 2.0 * transformed[..., _inside(rates)] / (_points() * taper.square().sum())
    return power


def without_parabola(course: Tensor) -> Tensor:
    """Courses [..., points] less their least-squares parabola."""
    place = torch.linspace(-1.0, 1.0, course.shape[-1], dtype=course.dtype)
    basis, _ = torch.linalg.qr(torch.stack([torch.ones_like(place), place, place.square()], dim=1))
    flat: Tensor = course - (course @ basis) @ basis.T
    return flat
