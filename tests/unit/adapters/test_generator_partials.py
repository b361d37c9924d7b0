"""The built-in generator: in tune, in time, any slice, and every latent a sound."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.adapters.generator_partials import CONTROLS, PartialsGenerator, partials_anchors, sound_of
from synth_app.core.units import pitch_to_hz
from synth_app.spectral.codec import decode
from synth_app.spectral.config import SpectralConfig
from synth_app.timbre.latent import random_latent


@pytest.fixture(scope="module")
def generator() -> PartialsGenerator:
    return PartialsGenerator()


def wave_of(generator: PartialsGenerator, latent: NDArray[np.float32], pitch: int) -> NDArray[np.float64]:
    frames = generator.render(latent[None], np.asarray([pitch]), 0, 128)
    return decode(frames.log_mel[0], frames.inst_freq[0], "centred", SpectralConfig())


def cents_off(wave: NDArray[np.float64], pitch: int) -> float:
    """Distance of the strongest partial from its place."""
    part = wave[4000:36000]
    size = 1 << 19
    spectrum = np.log(np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) + 1e-12)
    peak = int(np.argmax(spectrum))
    left, middle, right = spectrum[peak - 1 : peak + 2]
    hz = (peak + 0.5 * (left - right) / (left - 2 * middle + right)) * 16000 / size
    harmonic = max(1.0, np.round(hz / pitch_to_hz(pitch)))
    return float(1200 * np.log2(hz / harmonic / pitch_to_hz(pitch)))


@pytest.mark.parametrize("pitch", [24, 37, 60, 71, 84])
def test_in_tune_for_anchors_and_draws(generator: PartialsGenerator, pitch: int) -> None:
    rng = np.random.default_rng(pitch)
    latents = [anchor.layers[0].latent for anchor in partials_anchors()[::3]] + [random_latent(rng, 256)]
    for latent in latents:
        wave = wave_of(generator, latent, pitch)
        assert abs(cents_off(wave, pitch)) < 3.0
        assert 0.01 < np.sqrt(np.mean(wave[:16000] ** 2)) < 0.2
        assert np.abs(wave).max() <= 1.0


def test_slices_equal_the_whole(generator: PartialsGenerator) -> None:
    latents, pitches = np.stack([a.layers[0].latent for a in partials_anchors()[:2]]), np.asarray([40, 77])
    whole = generator.render(latents, pitches, 0, 128)
    for start, stop in ((3, 7), (0, 1), (127, 128), (17, 60)):
        part = generator.render(latents, pitches, start, stop)
        assert np.allclose(part.log_mel, whole.log_mel[:, start:stop], atol=1e-4)
        assert np.allclose(part.inst_freq, whole.inst_freq[:, start:stop], atol=1e-4)


def test_silence_before_the_note_and_after_its_release(generator: PartialsGenerator) -> None:
    latent = partials_anchors()[0].layers[0].latent
    frames = generator.render(latent[None], np.asarray([60]), 0, 128)
    assert np.allclose(frames.log_mel[0, :2], np.log(1e-6), atol=0.1)
    wave = wave_of(generator, latent, 60)
    held, after = np.sqrt(np.mean(wave[40000:46000] ** 2)), np.sqrt(np.mean(wave[62000:63000] ** 2))
    assert after < 0.01 * held


def test_latents_move_every_control_smoothly() -> None:
    base = random_latent(np.random.default_rng(0), 256)
    for i in range(len(CONTROLS)):
        direction = np.zeros(256, np.float32)
        direction[i :: len(CONTROLS)] = 0.15
        first, second = sound_of(base), sound_of(base + direction)
        fields = first.__slots__
        moved = [abs(np.log(getattr(second, f) / getattr(first, f))) for f in fields]
        order = ["slope", "attack_s", "decay_s", "even", "noise", "formant_hz"]
        assert fields.index(order[i]) == int(np.argmax(moved))
        assert 0.0 < max(moved) < 3.0


def test_anchors_are_distinct_latents_of_natural_length() -> None:
    anchors = partials_anchors()
    assert len({anchor.name for anchor in anchors}) == len(anchors) >= 8
    for anchor in anchors:
        for layer in anchor.layers:
            assert np.linalg.norm(layer.latent) == pytest.approx(16.0, abs=0.5)
    soft, loud = anchors[0].layers
    assert sound_of(loud.latent).slope < sound_of(soft.latent).slope


def test_says_that_it_is_no_model(generator: PartialsGenerator) -> None:
    assert generator.info.provider == "partials (no model)"
    assert generator.info.phase_convention == "centred"
    with pytest.raises(ValueError, match="pitch 85"):
        generator.render(np.zeros((1, 256), np.float32), np.asarray([85]), 0, 4)
    with pytest.raises(ValueError, match="frames"):
        generator.render(np.zeros((1, 256), np.float32), np.asarray([60]), 4, 4)
    generator.close()
