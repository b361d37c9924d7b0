"""An additive generator behind the ``Generator`` port: it plays at once, with no model, no weights and no runtime.

It writes the same pictures that a trained model paints. A partial at h f0 is a Hann lobe in the magnitudes, and its
instantaneous frequency is what a sinusoid there turns in one hop. Six numbers, read from the latent by sums over its
six interleaved parts (so that every direction of the latent is heard and random draws are valid sounds), set
brightness, attack, decay, the balance of odd and even partials, noise, and the place of a formant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.core.units import pitch_to_hz
from synth_app.render.ports import GeneratorInfo, SpectralFrames
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import mel_table
from synth_app.timbre.anchors import Anchor, Layer

Floats = NDArray[np.float32]

LATENT_SIZE = 256
LOWEST_PITCH, HIGHEST_PITCH = 24, 84
RELEASE_FRAME = 98
HELD_S = 3.0
CONTROLS = ("brightness", "attack", "decay", "odd", "noise", "formant")
_RMS = 0.08
_POWER_FLOOR = 1e-6
_TOP_HZ = 7800.0


@dataclass(frozen=True, slots=True)
class _Sound:
    """What a latent asks for.

    Attributes:
        slope: exponent of 1/h. attack_s, decay_s: time constants. even: gain of even partials.
        noise: power against the tone. formant_hz: a broad peak of +12 dB.
    """

    slope: float
    attack_s: float
    decay_s: float
    even: float
    noise: float
    formant_hz: float


@dataclass(frozen=True, slots=True, eq=False)
class _PitchTable:
    """Of one pitch: each partial's mel power at amplitude 1, float32 ``[partials, bins]``, and the bands' inst_freq."""

    power: Floats
    inst_freq: Floats


class PartialsGenerator:
    """See the module; ``render`` takes a few milliseconds a note."""

    def __init__(self) -> None:
        self._config = SpectralConfig()
        self._table = mel_table(self._config)
        self._forward = self._table.dense_forward()
        self._pitches: dict[int, _PitchTable] = {}
        c = self._config
        shape = (c.frames, c.bins)
        self._hiss = np.random.default_rng(20).uniform(-1.0, 1.0, shape).astype(np.float32)
        freq_hz = (1 + np.arange(c.bins)) * c.sample_rate_hz / c.fft_size
        tilt = 1.0 / (1.0 + (freq_hz / 2500.0) ** 2)
        self._noise_power = np.asarray((tilt / tilt.sum()) @ self._forward, np.float32)
        self._info = GeneratorInfo(
            "partials", "partials-1", LATENT_SIZE, LOWEST_PITCH, HIGHEST_PITCH, c.sample_rate_hz, c.fft_size,
            c.hop_samples, c.frames, c.bins, c.pad_frames, RELEASE_FRAME, "centred", "partials (no model)",
        )  # fmt: skip

    @property
    def info(self) -> GeneratorInfo:
        return self._info

    def render(self, latents: Floats, pitches: NDArray[np.int64], start_frame: int, stop_frame: int) -> SpectralFrames:
        """See the port."""
        if not 0 <= start_frame < stop_frame <= self._config.frames:
            raise ValueError(f"frames {start_frame}..{stop_frame} are not within 0..{self._config.frames}")
        notes = [
            self._note(sound_of(latent), int(pitch), start_frame, stop_frame)
            for latent, pitch in zip(latents, pitches, strict=True)
        ]
        return SpectralFrames(np.stack([note[0] for note in notes]), np.stack([note[1] for note in notes]))

    def close(self) -> None:
        """Nothing to free."""

    def _note(self, sound: _Sound, pitch: int, start: int, stop: int) -> tuple[Floats, Floats]:
        table = self._pitch_table(pitch)
        envelopes = self._envelopes(sound, pitch_to_hz(pitch), len(table.power), start, stop)
        tone = np.square(envelopes[:, :-1]) @ table.power
        full_scale = (self._config.fft_size / 4) ** 2
        noise = np.square(envelopes[:, -1:]) * self._noise_power * np.float32(full_scale * sound.noise)
        phasor = tone * np.exp(1j * np.pi * table.inst_freq) + noise * np.exp(1j * np.pi * self._hiss[start:stop])
        clear = tone > 10.0 * noise
        inst_freq = np.where(clear, table.inst_freq, np.angle(phasor) / np.pi)
        return np.log(tone + noise + _POWER_FLOOR).astype(np.float32), inst_freq.astype(np.float32)

    def _envelopes(self, sound: _Sound, f0_hz: float, partials: int, start: int, stop: int) -> Floats:
        """Amplitudes ``[frames, partials + 1]`` as the analysis window sees them; the last column is the noise's."""
        h = np.arange(1, partials + 1)
        gain = h**-sound.slope * np.where(h % 2 == 0, sound.even, 1.0)
        gain = gain * (1.0 + 3.0 * np.exp(-0.5 * (np.log2(h * f0_hz / sound.formant_hz) / 0.5) ** 2))
        gain = gain * (_RMS * np.sqrt(2.0) / np.sqrt(np.sum(gain**2)))
        steps, c = 32, self._config
        grain = (np.arange(steps) + 0.5) / steps - 0.5
        window = np.cos(np.pi * grain) ** 2
        centres = (np.arange(start, stop) - c.pad_hops + 2) * c.hop_samples / c.sample_rate_hz
        time_s = centres[:, None] + grain * c.fft_size / c.sample_rate_hz
        common = _attack_and_release(time_s, sound.attack_s) @ (window / window.sum())
        # Decays are slow against the window, so they are taken at its centre.
        rate = np.concatenate([(1.0 + 0.15 * (h - 1)), [1.0]]) / sound.decay_s
        decay = np.exp(-np.maximum(centres, 0.0)[:, None] * rate)
        return np.asarray(decay * common[:, None] * np.concatenate([gain, [_RMS]]), np.float32)

    def _pitch_table(self, pitch: int) -> _PitchTable:
        if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            raise ValueError(f"pitch {pitch} is not within {LOWEST_PITCH}..{HIGHEST_PITCH}")
        if pitch not in self._pitches:
            self._pitches[pitch] = self._make_pitch_table(pitch_to_hz(pitch))
        return self._pitches[pitch]

    def _make_pitch_table(self, f0_hz: float) -> _PitchTable:
        c = self._config
        bin_hz = c.sample_rate_hz / c.fft_size
        freq_hz = (1 + np.arange(c.bins)) * bin_hz
        partials_hz = f0_hz * np.arange(1, int(_TOP_HZ / f0_hz) + 1)
        lobes = _hann_lobe((freq_hz - partials_hz[:, None]) / bin_hz)
        power = np.square(lobes * c.fft_size / 4) @ self._forward
        nearest = np.clip(np.round(freq_hz / f0_hz), 1, len(partials_hz))
        step = 2.0 * nearest * f0_hz * c.hop_samples / c.sample_rate_hz
        step -= 2.0 * np.round(step / 2.0)
        # A band speaks for the linear bin that its partial is strongest in.
        inst_freq = np.zeros(c.bins)
        for k in np.argsort(lobes.max(axis=0), kind="stable"):
            inst_freq[self._table.nearest[k]] = step[k]
        return _PitchTable(power.astype(np.float32), inst_freq.astype(np.float32))


def sound_of(latent: Floats) -> _Sound:
    """The six controls of a latent, each a smooth function of a standard normal."""
    u = np.array([latent[i :: len(CONTROLS)].sum() / np.sqrt(len(latent[i :: len(CONTROLS)])) for i in range(6)])
    bright, attack, decay, odd, noise, formant = (float(x) for x in np.tanh(u / 1.5))
    return _Sound(
        slope=1.6 - 0.9 * bright,
        attack_s=0.02 * 8.0**attack,
        decay_s=2.5 * 8.0**decay,
        even=0.55 + 0.45 * odd,
        noise=10.0 ** (-4.0 + 1.5 * noise),
        formant_hz=900.0 * 3.0**formant,
    )


def partials_anchors() -> tuple[Anchor, ...]:
    """A few named places, soft and loud, so that morphing works with no model."""
    recipes = {  # brightness, attack, decay, odd, noise, formant
        "Plain Organ": ("Organ", (0.0, -1.0, 3.0, 1.0, -2.0, 0.0)),
        "Soft Flute": ("Winds", (-2.0, 0.6, 3.0, 0.6, 1.0, -0.5)),
        "Hollow Reed": ("Winds", (0.5, 0.0, 3.0, -2.5, 0.0, 0.0)),
        "Bright Strings": ("Strings", (1.5, 1.0, 3.0, 1.5, 0.0, 1.0)),
        "Plucked String": ("Strings", (0.8, -2.5, -1.2, 1.0, -1.0, 0.3)),
        "Struck Bar": ("Mallets", (-0.6, -3.0, -1.8, -1.5, -2.0, 0.8)),
        "Brass Choir": ("Brass", (1.2, 0.2, 3.0, 2.0, -0.5, 0.5)),
        "Breath Pad": ("Pads", (-0.5, 2.0, 3.0, 0.5, 2.0, 1.5)),
    }
    anchors = []
    for name, (family, controls) in recipes.items():
        loud = (controls[0] + 0.8, controls[1] - 0.4, *controls[2:])
        layers = (Layer(50, _latent_for(controls)), Layer(110, _latent_for(loud)))
        anchors.append(Anchor(name, family, layers, ("built-in",)))
    return tuple(anchors)


def _latent_for(controls: tuple[float, ...]) -> Floats:
    """A latent of length 16 whose sums give the controls; the rest of it is one fixed draw that gives nothing."""
    z = np.random.default_rng(20).standard_normal(LATENT_SIZE)
    for i in range(len(CONTROLS)):
        z[i :: len(CONTROLS)] -= z[i :: len(CONTROLS)].mean()
    z *= np.sqrt(max(LATENT_SIZE - float(np.sum(np.square(controls))), 1.0)) / np.linalg.norm(z)
    for i, value in enumerate(controls):
        z[i :: len(CONTROLS)] += value / np.sqrt(len(z[i :: len(CONTROLS)]))
    latent = z.astype(np.float32)
    latent.setflags(write=False)
    return latent


def _attack_and_release(time_s: NDArray[np.float64], attack_s: float) -> NDArray[np.float64]:
    rise = np.where(time_s < 0.0, 0.0, 1.0 - np.exp(-np.maximum(time_s, 0.0) / (attack_s / 3.0)))
    return rise * np.exp(-np.maximum(time_s - HELD_S, 0.0) / 0.08)


def _hann_lobe(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitude of a Hann window's transform, 1 at its peak; ``x`` in bins. Zero beyond the main lobe."""
    near = np.abs(np.abs(x) - 1.0) < 1e-6
    safe = np.where(near, 0.0, x)
    lobe = np.where(near, 0.5, np.sinc(safe) / (1.0 - safe**2))
    return np.where(np.abs(x) < 2.0, np.abs(lobe), 0.0)
