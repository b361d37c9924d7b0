"""The lock holds partials together and leaves attacks and noise alone. Each claim is made against the plain sum too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from synth_app.spectral.codec import decode, encode
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.inst_freq import centre_signs, centred_phase_step
from synth_app.spectral.locking import PULL, accumulate, plan_locking, wrap
from synth_app.spectral.mel import MelTable, log_mel_to_magnitude
from synth_app.spectral.stft import istft

Make = Callable[..., Any]
Picture = tuple[NDArray[np.float64], NDArray[np.float64]]
MAGNITUDES = arrays(np.float64, (4, 12), elements=st.floats(0.001, 10.0))


def decode_unlocked(picture: Picture, config: SpectralConfig, table: MelTable) -> NDArray[np.float64]:
    """The decoder this one replaces: every bin sums its own frequency."""
    step = centred_phase_step(picture[1], table)
    step[: config.pad_frames] = 0.0
    spectrum = log_mel_to_magnitude(picture[0], table) * np.exp(1j * accumulate(step, None))
    return istft(spectrum * centre_signs(config.bins), config)[config.pad_samples :]


def switched(first: Picture, second: Picture, at: int) -> Picture:
    log_mel, inst_freq = (np.concatenate([a[:at], b[at:]]) for a, b in zip(first, second, strict=True))
    return log_mel, inst_freq


def held(picture: Picture, frame: int, frames: int, width: int = 40) -> Picture:
    """A note that goes round in its frames ``frame..frame + width`` for some more frames."""
    order = np.concatenate([np.arange(frame), frame + np.arange(frames) % width])
    return picture[0][order], picture[1][order]


@pytest.mark.parametrize(("pitch", "to_pitch"), [(48, 48), (48, 49), (60, 67), (72, 73)])
def test_no_partial_is_lost_after_a_switch(
    pitch: int,
    to_pitch: int,
    harmonic_tone: Make,
    partial_levels_db: Make,
    config: SpectralConfig,
    table: MelTable,
) -> None:
    rng = np.random.default_rng(pitch)
    pictures = [encode(harmonic_tone(p, rng), "centred", config, table) for p in (pitch, to_pitch)]
    start = 64 * config.hop_samples + 1024 - config.pad_samples  # four frames after the switch
    wanted = partial_levels_db(decode(*pictures[1], "centred", config, table), to_pitch, start)
    heard = wanted > wanted.max() - 30.0
    after = decode(*switched(*pictures, at=60), "centred", config, table)
    assert np.abs(partial_levels_db(after, to_pitch, start) - wanted)[heard].max() < 0.2
    if to_pitch != pitch:
        loose = decode_unlocked(switched(*pictures, at=60), config, table)
        assert (partial_levels_db(loose, to_pitch, start) - wanted)[heard].min() < -5.0


def test_a_held_tone_does_not_waver(
    harmonic_tone: Make, partial_levels_db: Make, config: SpectralConfig, table: MelTable
) -> None:
    """28 s of held frames, with the small errors from band to band that a generator makes."""
    rng = np.random.default_rng(3)
    log_mel, inst_freq = encode(harmonic_tone(55, rng), "centred", config, table)
    picture = held((log_mel, inst_freq + 0.01 * rng.standard_normal(1024)), frame=60, frames=875)
    wander = []
    for wave in (decode(*picture, "centred", config, table), decode_unlocked(picture, config, table)):
        levels = np.array([partial_levels_db(wave, 55, s) for s in range(40_000, len(wave) - 10_000, 16_384)])
        heard = levels[0] > levels[0].max() - 20.0
        wander.append(np.ptp(levels[:, heard], axis=0).max())
    assert wander[0] < 0.2
    assert wander[1] > 6.0


def test_the_lock_costs_real_sounds_nothing(
    harmonic_tone: Make, convergence: Make, config: SpectralConfig, table: MelTable
) -> None:
    """A pluck and noise: sounds whose bins do not agree must not be worse off than under the plain sum."""
    rng = np.random.default_rng(4)
    pluck = harmonic_tone(52, rng, 6.0)
    for wave in (pluck, 0.1 * rng.standard_normal(config.samples)):
        picture = encode(wave, "centred", config, table)
        locked = convergence(wave, decode(*picture, "centred", config, table))
        assert locked <= convergence(wave, decode_unlocked(picture, config, table)) + 0.005


def test_errors_of_single_bands_are_outvoted_by_the_peak(
    harmonic_tone: Make, convergence: Make, config: SpectralConfig, table: MelTable
) -> None:
    rng = np.random.default_rng(5)
    wave = harmonic_tone(57, rng)
    log_mel, inst_freq = encode(wave, "centred", config, table)
    picture = log_mel, inst_freq + 0.05 * rng.standard_normal(inst_freq.shape)
    locked = convergence(wave, decode(*picture, "centred", config, table))
    assert locked < 0.15
    assert locked < convergence(wave, decode_unlocked(picture, config, table)) / 2


@given(MAGNITUDES)
def test_a_leader_is_a_peak_within_two_bins(magnitude: NDArray[np.float64]) -> None:
    plan = plan_locking(magnitude)
    for frame, row in enumerate(magnitude):
        for k, leader in enumerate(plan.leader[frame]):
            assert abs(leader - k) <= 2
            if leader != k:
                step = 1 if leader > k else -1
                assert np.all(np.diff(row[k : leader + step if leader + step >= 0 else None : step]) > 0)
                assert row[leader] >= max(row[max(0, leader - 1) : leader + 2])
                assert plan.leader[frame, leader] == leader


@given(MAGNITUDES)
def test_shares_stay_in_range_and_the_first_frame_is_free(magnitude: NDArray[np.float64]) -> None:
    plan = plan_locking(magnitude)
    assert plan.share.min() >= 0.0
    assert plan.share.max() <= PULL
    assert not plan.share[0].any()


@given(MAGNITUDES, st.integers(1, 3))
def test_a_plan_can_be_made_in_parts(magnitude: NDArray[np.float64], cut: int) -> None:
    whole, second = plan_locking(magnitude), plan_locking(magnitude[cut:], magnitude[cut - 1])
    np.testing.assert_array_equal(whole.leader[cut:], second.leader)
    np.testing.assert_array_equal(whole.share[cut:], second.share)


def test_a_steady_lobe_comes_together() -> None:
    magnitude = np.tile([0.1, 1.0, 2.0, 1.0, 0.1], (30, 1))
    step = np.zeros((30, 5))
    step[0] = [0.0, 2.0, 1.0, -1.0, 0.5]
    phase = accumulate(step, plan_locking(magnitude))
    np.testing.assert_allclose(phase[-1], 1.0, atol=1e-3)
    np.testing.assert_array_equal(phase[:, 2], 1.0)


def test_a_moving_peak_takes_the_phase_of_its_old_lobe() -> None:
    magnitude = np.array([[0.1, 1.0, 2.0, 1.0, 0.1]] * 30 + [[0.1, 1.0, 1.5, 2.0, 0.1]])
    step = np.zeros((31, 5))
    step[0] = [0.0, 2.0, 1.0, -1.0, 0.5]
    step[-1] = 0.25
    assert accumulate(step, plan_locking(magnitude))[-1, 3] == pytest.approx(1.25, abs=1e-3)


@given(st.floats(-1000.0, 1000.0))
def test_wrapping_keeps_the_angle(angle: float) -> None:
    wrapped = float(wrap(np.array([angle]))[0])
    assert abs(wrapped) <= np.pi + 1e-9
    assert np.exp(1j * wrapped) == pytest.approx(np.exp(1j * angle), abs=1e-9)
