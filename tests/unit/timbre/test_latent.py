"""Slerp and blend: Magenta's formula where it is defined, and something sensible where it is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.timbre.latent import blend, random_latent, slerp


def magenta_slerp(a, b, t):
    """The formula as published, unguarded."""
    omega = np.arccos(np.dot(a / np.linalg.norm(a), b / np.linalg.norm(b)))
    return np.sin((1.0 - t) * omega) / np.sin(omega) * a + np.sin(t * omega) / np.sin(omega) * b


def draws(count: int, size: int = 256, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([random_latent(rng, size) for _ in range(count)])


def angle(a, b) -> float:
    return float(np.arccos(np.clip(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


@pytest.mark.parametrize("t", [0.0, 0.1, 0.5, 0.73, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_slerp_is_magenta_formula(t, seed):
    a, b = draws(2, seed=seed).astype(np.float64)
    np.testing.assert_allclose(slerp(a, b, t), magenta_slerp(a, b, t), rtol=1e-5, atol=1e-6)


def test_slerp_turns_evenly_and_keeps_the_length_of_equally_long_latents():
    a, b = draws(2).astype(np.float64)
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    whole = angle(a, b)
    for t in np.linspace(0, 1, 9):
        z = slerp(a, b, t)
        assert angle(a, z) == pytest.approx(t * whole, abs=1e-3)
        assert np.linalg.norm(z) == pytest.approx(np.linalg.norm(a), rel=1e-5)


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 1.0])
def test_slerp_of_the_same_latent_is_that_latent(t):
    a = draws(1)[0]
    np.testing.assert_allclose(slerp(a, a, t), a, rtol=1e-5)
    np.testing.assert_allclose(slerp(a, 3 * a, t), (1 + 2 * t) * a, rtol=1e-5)


def test_slerp_of_opposed_latents_goes_round_and_not_through_nothing():
    a = draws(1)[0].astype(np.float64)
    path = [slerp(a, -a, t) for t in np.linspace(0, 1, 101)]
    np.testing.assert_allclose(path[0], a, atol=1e-5)
    np.testing.assert_allclose(path[-1], -a, atol=1e-5)
    assert all(np.linalg.norm(z) == pytest.approx(np.linalg.norm(a), rel=1e-5) for z in path)
    assert max(np.linalg.norm(y - z) for y, z in itertools.pairwise(path)) < 0.04 * np.linalg.norm(a)


@pytest.mark.parametrize("tilt", [1e-3, 1e-5, 1e-7, 1e-9, 0.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_slerp_near_its_poles_stays_finite_and_no_longer_than_its_ends(tilt, sign):
    a = np.zeros(16)
    a[0] = 4.0
    b = sign * a
    b[1] = tilt
    for t in np.linspace(0, 1, 11):
        z = slerp(a, b, t)
        assert np.all(np.isfinite(z)) and np.linalg.norm(z) <= 4.0 + 1e-3


def test_slerp_with_a_zero_latent_fades():
    a = draws(1)[0]
    np.testing.assert_allclose(slerp(a, np.zeros_like(a), 0.25), 0.75 * a, rtol=1e-6)


def test_blend_of_two_is_slerp():
    a, b = draws(2)
    np.testing.assert_array_equal(blend([a, b], [0.75, 0.25]), slerp(a, b, 0.25))
    np.testing.assert_allclose(blend([a, b], [1.5, 0.5]), 2.0 * slerp(a, b, 0.25), rtol=1e-6)


def test_blend_of_many_is_the_formula():
    rows = draws(5).astype(np.float64) * np.array([[0.5], [1.0], [1.5], [2.0], [1.0]])
    weights = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    lengths = np.linalg.norm(rows, axis=1)
    u = (weights[:, None] * rows / lengths[:, None]).sum(0)
    expected = (weights * lengths).sum() * u / np.linalg.norm(u)
    np.testing.assert_allclose(blend(rows, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_all_weight_on_one_is_that_one(count):
    rows = draws(count)
    for index in range(count):
        weights = np.eye(count)[index]
        np.testing.assert_allclose(blend(rows, weights), rows[index], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_no_weight_at_all_counts_as_equal_weights(count):
    rows = draws(count)
    np.testing.assert_allclose(blend(rows, np.zeros(count)), blend(rows, np.full(count, 1 / count)), rtol=1e-6)


def test_directions_that_cancel_leave_the_heaviest():
    a = np.zeros(8)
    a[0] = 3.0
    c = np.zeros(8)
    c[1] = 3.0
    np.testing.assert_allclose(blend([a, -a, c], [0.5, 0.5, 0.0]), a, atol=1e-6)
    z = blend([a, -a, c, -c], [0.25, 0.25, 0.25, 0.25])
    assert np.all(np.isfinite(z)) and np.linalg.norm(z) == pytest.approx(3.0)


def test_only_zero_latents_give_zero():
    assert not blend(np.zeros((3, 8)), [0.2, 0.3, 0.5]).any()


@given(
    weights=st.lists(st.floats(0, 1), min_size=3, max_size=6),
    seed=st.integers(0, 1000),
)
def test_a_blend_is_finite_single_precision_and_as_long_as_its_parts(weights, seed):
    rows = draws(len(weights), size=64, seed=seed)
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    z = blend(rows, weights)
    assert z.dtype == np.float32 and z.shape == (64,) and np.all(np.isfinite(z))
    total = sum(weights) if sum(weights) >= 1e-6 else 1.0
    assert np.linalg.norm(z) == pytest.approx(total, rel=1e-4)


def test_a_small_move_of_weights_is_a_small_move_of_the_latent():
    rows = draws(4)
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = rng.dirichlet(np.ones(4))
        moved = np.abs(weights + rng.normal(0, 1e-4, 4))
        assert np.linalg.norm(blend(rows, weights) - blend(rows, moved)) < 0.05


def test_random_latents_come_from_the_generator_given():
    first = random_latent(np.random.default_rng(5), 32)
    np.testing.assert_array_equal(first, random_latent(np.random.default_rng(5), 32))
    assert first.dtype == np.float32 and first.shape == (32,)
    many = random_latent(np.random.default_rng(5), 20000)
    assert abs(many.mean()) < 0.03 and abs(many.std() - 1) < 0.03
