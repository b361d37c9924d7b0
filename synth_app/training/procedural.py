"""Instruments that are made up: synthesizer patches written as formulas, in tune by construction.

They fill the places between sampled instruments with sounds whose every partial is known: bare waveforms, pulse width,
frequency modulation, detuned unisons, vowels, plucked strings, bells tuned to their key, breath. Everything is additive
below the Nyquist frequency, so nothing aliases.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.training.pitch import hz_of
from synth_app.training.soundfont import HELD_SAMPLES, NOTE_SAMPLES, SAMPLE_RATE_HZ
from synth_app.training.sources import PITCHES, RawNote

Wave = NDArray[np.float64]
Levels = Callable[[NDArray[np.float64], float], NDArray[np.float64]]
"""(harmonic numbers, fundamental in Hz) -> amplitudes."""

FULL_VELOCITY = 112
_FADE_SAMPLES = 400


@dataclass(frozen=True, slots=True)
class Patch:
    """A recipe for a note.

    Attributes:
        levels: amplitudes of the partials.
        attack_s, decay_s, sustain, release_s: the envelope; ``decay_s`` is the time constant towards ``sustain``.
        dulling: how much faster upper partials decay (1: twice as fast at the second harmonic).
        detune_cents, voices: a unison of this many voices spread over this range.
        vibrato_cents, tremolo: depth of a slow modulation (5 Hz) of pitch and level.
        wobble: depth of a slow filter movement (0.7 Hz), as a share of the brightness.
        inharmonicity: of a stiff string; the stretch of partial k is sqrt(1 + inharmonicity k^2).
        pulse_width, pulse_depth: a rectangle whose width moves by so much around so much of the period (0.6 Hz);
            ``levels`` should then be a sawtooth's.
        breath: level of a noise, in all registers alike, relative to the tone.
        touch: how much darker a soft stroke is: partial k has k^(-touch (1 - v / 112)) of its level at velocity v.
        velocities: that are played, if touch makes a difference.
    """

    name: str
    family: str
    levels: Levels
    attack_s: float = 0.01
    decay_s: float = 1.0
    sustain: float = 1.0
    release_s: float = 0.08
    dulling: float = 0.0
    detune_cents: float = 0.0
    voices: int = 1
    vibrato_cents: float = 0.0
    tremolo: float = 0.0
    wobble: float = 0.0
    inharmonicity: float = 0.0
    pulse_width: float = 0.0
    pulse_depth: float = 0.0
    breath: float = 0.0
    touch: float = 0.0
    velocities: tuple[int, ...] = (FULL_VELOCITY,)

    @property
    def origin(self) -> str:
        """Where the sound is from."""
        return f"procedural {self.name}"

    def notes(self) -> Iterator[RawNote]:
        """All pitches, 24 to 84, at all velocities that differ."""
        for velocity in self.velocities if self.touch > 0.0 else (max(self.velocities),):
            for pitch in PITCHES:
                yield RawNote(pitch, velocity, self.render(pitch, velocity))

    def render(self, pitch: int, velocity: int = FULL_VELOCITY) -> NDArray[np.float32]:
        """One note, float32 [64000], unnormalised."""
        fundamental = hz_of(pitch)
        time = np.arange(NOTE_SAMPLES) / SAMPLE_RATE_HZ
        count = max(1, int(0.47 * SAMPLE_RATE_HZ / fundamental))
        orders = np.arange(1, count + 1, dtype=float)
        levels = self.levels(orders, fundamental) * orders ** (-self.touch * (1.0 - velocity / FULL_VELOCITY))
        stretched = orders * np.sqrt(1.0 + self.inharmonicity * orders**2)
        keep = (np.abs(levels) > 1e-4 * np.abs(levels).max()) & (stretched * fundamental < 0.48 * SAMPLE_RATE_HZ)
        wave = np.zeros(NOTE_SAMPLES)
        for voice in range(self.voices):
            offset = (voice / max(self.voices - 1, 1) - 0.5) * self.detune_cents
            turns = fundamental * 2.0 ** (offset / 1200.0) * self._warped(time, voice)
            for order, frequency, level in zip(orders[keep], stretched[keep], levels[keep], strict=True):
                wave += level * self._curve(time, order) * np.sin(2.0 * np.pi * frequency * (turns + 0.37 * voice))
        return np.asarray((wave + self._breath(pitch, wave)) * self._gate(time) / self.voices, np.float32)

    def _breath(self, pitch: int, wave: Wave) -> Wave:
        """Noise through a low-pass of one pole at 1.5 kHz, the same for the same note."""
        if self.breath == 0.0:
            return np.zeros(NOTE_SAMPLES)
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), pitch])
        spectrum = np.fft.rfft(rng.standard_normal(NOTE_SAMPLES))
        hz = np.arange(len(spectrum)) * SAMPLE_RATE_HZ / NOTE_SAMPLES
        noise = np.fft.irfft(spectrum / (1.0 + 1j * hz / 1500.0), NOTE_SAMPLES)
        return np.asarray(self.breath * noise * np.sqrt(np.mean(wave**2) / np.mean(noise**2)))

    def _warped(self, time: Wave, voice: int) -> Wave:
        """Time, bent by vibrato: its derivative is the momentary frequency ratio."""
        if self.vibrato_cents == 0.0:
            return time
        depth = np.log(2.0) * self.vibrato_cents / 1200.0
        speed = 2.0 * np.pi * 5.0
        swelling = np.clip((time - 0.3) / 0.7, 0.0, 1.0)
        return np.asarray(time - swelling * depth / speed * np.cos(speed * time + voice))

    def _curve(self, time: Wave, order: float) -> Wave:
        """The level of one partial over time, without attack and release."""
        rate = (1.0 + self.dulling * (order - 1.0)) / self.decay_s
        curve = self.sustain + (1.0 - self.sustain) * np.exp(-time * rate)
        if self.wobble > 0.0:
            curve = curve * np.exp(-self.wobble * np.log(order) * (1.0 + np.sin(2.0 * np.pi * 0.7 * time)))
        if self.pulse_width > 0.0:
            width = self.pulse_width + self.pulse_depth * np.sin(2.0 * np.pi * 0.6 * time)
            curve = curve * np.sin(np.pi * order * width)
        return np.asarray(curve * (1.0 + self.tremolo * np.sin(2.0 * np.pi * 5.0 * time)))

    def _gate(self, time: Wave) -> Wave:
        rising = np.clip(time / self.attack_s, 0.0, 1.0)
        falling = np.exp(-np.maximum(time - HELD_SAMPLES / SAMPLE_RATE_HZ, 0.0) / self.release_s)
        end = np.clip(np.arange(NOTE_SAMPLES, 0, -1) / _FADE_SAMPLES, 0.0, 1.0)
        return np.asarray(rising * falling * end)


def slope(power: float, odd_only: bool = False) -> Levels:
    """Amplitudes 1/k^power: 1 is a sawtooth, with odd harmonics only a square; 2 and odd is near a triangle."""
    return lambda k, _: np.where(odd_only & (k % 2 == 0), 0.0, k**-power)


def pulse(width: float) -> Levels:
    """A rectangle that is up for ``width`` of its period."""
    return lambda k, _: np.sin(np.pi * k * width) / k


def resonant(power: float, hz: float, q: float) -> Levels:
    """A slope through a low-pass with a resonance at a fixed frequency."""

    def levels(k: NDArray[np.float64], fundamental: float) -> NDArray[np.float64]:
        x = k * fundamental / hz
        return np.asarray(k**-power / np.sqrt((1.0 - x**2) ** 2 + (x / q) ** 2))

    return levels


def vowel(*formants: tuple[float, float, float]) -> Levels:
    """A voice: a soft slope through formants given as (Hz, bandwidth in Hz, level)."""

    def levels(k: NDArray[np.float64], fundamental: float) -> NDArray[np.float64]:
        frequency = k * fundamental
        peaks = [level / (1.0 + ((frequency - hz) / band) ** 2) for hz, band, level in formants]
        return np.asarray((np.sum(peaks, axis=0) + 0.01) * k**-0.6)

    return levels


def modulated(index: float, ratio: int) -> Levels:
    """Two-operator FM with an integer ratio: Bessel side bands folded onto the harmonics (Chowning 1973)."""

    def levels(k: NDArray[np.float64], _: float) -> NDArray[np.float64]:
        from scipy.special import jv

        amplitudes = np.zeros(len(k))
        for order in range(-24, 25):
            harmonic = 1 + order * ratio
            if 0 < abs(harmonic) <= len(k):
                amplitudes[abs(harmonic) - 1] += np.sign(harmonic) * jv(order, index)
        return amplitudes

    return levels


def only(*harmonics: tuple[int, float]) -> Levels:
    """Drawbars: the named harmonics at the given levels."""

    def levels(k: NDArray[np.float64], _: float) -> NDArray[np.float64]:
        amplitudes = np.zeros(len(k))
        for harmonic, level in harmonics:
            if harmonic <= len(k):
                amplitudes[harmonic - 1] = level
        return amplitudes

    return levels


_AH = ((730.0, 90.0, 1.0), (1090.0, 110.0, 0.5), (2440.0, 160.0, 0.15))
_EE = ((270.0, 60.0, 1.0), (2290.0, 180.0, 0.3), (3010.0, 220.0, 0.2))
_OO = ((300.0, 70.0, 1.0), (870.0, 90.0, 0.3), (2240.0, 160.0, 0.04))


def patches() -> tuple[Patch, ...]:
    """The made-up instruments."""
    return (
        Patch("Pure Saw", "lead", slope(1.0), touch=0.7),
        Patch("Soft Saw", "pad", slope(1.6), attack_s=0.25, release_s=0.3),
        Patch("Pure Square", "lead", slope(1.0, odd_only=True), touch=0.7),
        Patch("Triangle", "lead", slope(2.0, odd_only=True)),
        Patch("Quarter Pulse", "lead", pulse(0.25), touch=0.7),
        Patch("Thin Pulse", "lead", pulse(0.09)),
        Patch("Supersaw", "lead", slope(1.0), detune_cents=26.0, voices=5, release_s=0.2, touch=0.6),
        Patch("Wide Pad", "pad", slope(1.5), attack_s=0.5, release_s=0.35, detune_cents=18.0, voices=3),
        Patch("Moving Pad", "pad", slope(1.1), attack_s=0.3, release_s=0.3, wobble=0.8),
        Patch("Square Pad", "pad", slope(1.3, odd_only=True), attack_s=0.4, release_s=0.3, detune_cents=10, voices=2),
        Patch("Resonant Bass", "bass", resonant(1.0, 420.0, 5.0), decay_s=0.5, sustain=0.5, dulling=0.3, touch=0.9),
        Patch("Rubber Square", "bass", slope(1.4, odd_only=True), decay_s=0.6, sustain=0.3, dulling=0.4, touch=0.9),
        Patch("Acid Line", "bass", resonant(0.9, 1100.0, 8.0), decay_s=0.25, sustain=0.35, dulling=0.5, touch=0.9),
        Patch("FM Keys", "keys", modulated(1.4, 1), decay_s=1.1, sustain=0.0, dulling=0.6, touch=1.0),
        Patch("FM Reed", "reed", modulated(2.2, 2), attack_s=0.04, touch=0.6),
        Patch("FM Brass", "brass", modulated(3.0, 1), attack_s=0.07, vibrato_cents=6.0, touch=1.0),
        Patch("FM Bass", "bass", modulated(2.5, 2), decay_s=0.4, sustain=0.2, dulling=0.5, touch=0.9),
        Patch("FM Glass", "mallets", modulated(1.1, 4), decay_s=1.4, sustain=0.0, dulling=0.15, touch=0.8),
        Patch("Vowel Ah", "voice", vowel(*_AH), attack_s=0.08, vibrato_cents=18.0, touch=0.5),
        Patch("Vowel Ee", "voice", vowel(*_EE), attack_s=0.08, vibrato_cents=18.0, touch=0.5),
        Patch(
            "Vowel Oo", "voice", vowel(*_OO), attack_s=0.1, vibrato_cents=15.0, detune_cents=8.0, voices=2, touch=0.5
        ),
        Patch("Plain String", "plucked", slope(1.1), decay_s=1.6, sustain=0.0, dulling=0.12, attack_s=0.003, touch=0.9),
        Patch(
            "Stiff String", "plucked", slope(0.9), decay_s=1.2, sustain=0.0, dulling=0.2, inharmonicity=8e-5, touch=0.9
        ),
        Patch("Muted String", "plucked", slope(1.3), decay_s=0.25, sustain=0.0, dulling=0.3, attack_s=0.003, touch=0.8),
        Patch(
            "Tuned Bell",
            "mallets",
            only((1, 1.0), (2, 0.6), (4, 0.4), (7, 0.2)),
            decay_s=1.5,
            sustain=0.0,
            dulling=0.3,
            touch=1.0,
        ),
        Patch("Three Drawbars", "organ", only((1, 1.0), (2, 0.8), (3, 0.7)), release_s=0.02),
        Patch(
            "Full Drawbars", "organ", only((1, 1.0), (2, 0.9), (3, 0.7), (4, 0.6), (6, 0.4), (8, 0.5)), release_s=0.02
        ),
        Patch("Hollow Organ", "organ", only((1, 1.0), (3, 0.5), (5, 0.25)), tremolo=0.2, release_s=0.05),
        Patch("Sine Tremolo", "pad", only((1, 1.0), (2, 0.15)), attack_s=0.15, tremolo=0.35, release_s=0.3),
        Patch("Bowed Saw", "strings", resonant(1.0, 2800.0, 1.2), attack_s=0.12, vibrato_cents=14.0, touch=0.6),
        Patch("Moving Pulse", "lead", slope(1.0), pulse_width=0.3, pulse_depth=0.18, touch=0.7),
        Patch("Pulse Pad", "pad", slope(1.3), pulse_width=0.35, pulse_depth=0.12, attack_s=0.4, release_s=0.3),
        Patch("Breath Pipe", "flute", only((1, 1.0), (2, 0.25), (3, 0.12)), attack_s=0.06, breath=0.3, touch=0.5),
        Patch("Airy Reed", "reed", slope(1.2, odd_only=True), attack_s=0.05, breath=0.25, vibrato_cents=8.0, touch=0.8),
        Patch("Wind Choir", "voice", vowel(*_AH), attack_s=0.2, release_s=0.25, breath=0.4),
        Patch("Noise Pad", "pad", slope(1.4), attack_s=0.5, release_s=0.35, breath=0.45, wobble=0.3),
    )
