"""The figures say what they are meant to say, on sounds of which it is known."""

import numpy as np
import pytest

from synth_app.dsp import figures

RATE_HZ, HOP = 16_000, 512


def _noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ)) * 0.1


def _tone(seconds: float, hz: float = 220.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(sum(np.sin(2 * np.pi * hz * k * time + k) / k for k in range(1, 9)) * 0.1)


def test_more_of_the_same_is_the_same() -> None:
    loudest = figures.loudest_band_db(_noise(1.8), HOP)
    same = figures.compare(_noise(1.8), _noise(20.0, 1), HOP, loudest)
    for figure in (same.deviation, same.flux, same.noisiness, np.percentile(same.steps, 99)):
        assert 0.93 < figure < 1.07


def test_a_tone_is_not_noise_and_noise_is_no_tone() -> None:
    loudest = figures.loudest_band_db(_noise(1.8), HOP)
    hum = np.random.default_rng(2).standard_normal(28_800) * 1e-3
    mixed = figures.compare(_noise(1.8), _tone(10.0) + np.resize(hum, 160_000), HOP, loudest)
    assert mixed.noisiness < 0.95
    steady = figures.compare(
        _tone(1.8), _tone(10.0) + _noise(10.0) * 0.1, HOP, figures.loudest_band_db(_tone(1.8), HOP)
    )
    assert steady.noisiness > 5.0 and steady.flux > 5.0


def test_a_click_is_a_step() -> None:
    loudest = figures.loudest_band_db(_tone(1.8) + 0.01 * _noise(1.8), HOP)
    wave = _tone(10.0) + 0.01 * _noise(10.0)
    clean = figures.compare(wave[:28_800], wave, HOP, loudest)
    wave[80_000:] *= -1.0
    clicked = figures.compare(wave[:28_800], wave, HOP, loudest)
    assert clicked.steps.max() > 2.0 * clean.steps.max()


def test_a_dying_note_is_compared_by_how_it_moves() -> None:
    time = np.arange(160_000) / RATE_HZ
    wave = (_tone(10.0) + 0.1 * _noise(10.0)) * 10.0 ** (-4.0 * time / 20.0)
    loudest = figures.loudest_band_db(wave, HOP)
    dying = figures.compare(wave[16_000:44_800], wave[44_800:], HOP, loudest)
    assert 0.85 < dying.flux < 1.15 and 0.85 < dying.deviation < 1.15


def test_a_loop_repeats_and_noise_does_not() -> None:
    assert figures.repetition(_noise(20.0), RATE_HZ) < 0.2
    assert figures.repetition(np.tile(_noise(1.8), 12), RATE_HZ) > 0.85
    time = np.arange(320_000) / RATE_HZ
    assert figures.repetition(_tone(20.0) * (1.0 + 0.2 * np.sin(2 * np.pi * 5.0 * time)), RATE_HZ) > 0.9


def test_chance_is_what_noise_gives_and_a_loop_is_far_above_it() -> None:
    noise, loop = _noise(10.0), np.tile(_noise(1.8), 6)
    for wave, excess in ((noise, (-0.15, 0.15)), (loop, (0.4, 1.0))):
        chance = figures.chance_repetition(wave, RATE_HZ, 32, np.random.default_rng(3))
        assert excess[0] < figures.repetition(wave, RATE_HZ) - chance < excess[1]


@pytest.mark.parametrize("cents", [-4.0, 0.0, 2.5])
def test_cents(cents: float) -> None:
    other = _tone(5.0, 220.0 * 2.0 ** (cents / 1200.0)) + 0.01 * _noise(5.0)
    assert figures.cents_apart(other, _tone(1.8), 220.0, RATE_HZ) == pytest.approx(cents, abs=0.3)


def test_audible_until_finds_the_end() -> None:
    time = np.arange(160_000) / RATE_HZ
    wave = _tone(10.0) * 10.0 ** (-20.0 * time / 20.0)
    assert figures.audible_until(wave, RATE_HZ) / RATE_HZ == pytest.approx(3.0, abs=0.15)
    assert figures.audible_until(_tone(1.0), RATE_HZ) == RATE_HZ


def test_steps_of_a_whole_note() -> None:
    wave = np.concatenate([_noise(2.0) * 1e-5, _noise(2.0)])
    loudest = figures.loudest_band_db(wave, HOP)
    steps = figures.steps_db(wave, HOP, loudest)
    assert 58 <= int(np.argmax(steps)) <= 63
    assert steps[:55].max() < 0.01  # under the threshold of hearing nothing moves


def test_pictures() -> None:
    rng = np.random.default_rng(3)
    log_mel, inst_freq = rng.standard_normal((500, 200)), 0.2 * rng.standard_normal((500, 200))
    held = log_mel[:56], inst_freq[:56]
    same = figures.compare_pictures(held, (log_mel, inst_freq), float(log_mel.max()))
    assert 0.95 < same.flux < 1.05 and 0.95 < same.deviation < 1.05 and 0.95 < same.noisiness < 1.05
    calm = figures.compare_pictures(held, (0.5 * log_mel, 0.5 * inst_freq), float(log_mel.max()))
    assert calm.flux == pytest.approx(0.5, abs=0.05) and calm.steps.max() < 0.7
    with pytest.raises(ValueError, match="no band"):
        figures.compare_pictures(held, held, 1e3)


def test_short_stretches_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        figures.compare(_noise(1.8), _noise(0.3), HOP, 0.0)
    with pytest.raises(ValueError, match="no band"):
        figures.compare(_noise(1.8), _noise(2.0) * 1e-6, HOP, figures.loudest_band_db(_noise(1.8), HOP))
