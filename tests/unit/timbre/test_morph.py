"""Weights on a grid, the controller's path, the pad, and the glide."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.timbre.morph import (
    HYSTERESIS_STEPS,
    MorphState,
    normalise,
    pad_position,
    pad_weights,
    path_position,
    path_weights,
    quantise,
    steps_to_weights,
)

WEIGHTS = st.lists(st.floats(0, 1), min_size=1, max_size=8)
SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
PLACES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8)


# --- the grid -------------------------------------------------------------------------------------------------------


@given(WEIGHTS)
def test_normalised_weights_sum_to_one(weights):
    shares = normalise(weights)
    assert math.fsum(shares) == pytest.approx(1.0) and min(shares) >= 0.0


def test_negative_weights_count_as_none():
    assert normalise((-3.0, 1.0, 1.0)) == (0.0, 0.5, 0.5)


@given(WEIGHTS, st.sampled_from((4, 32, 100)))
def test_steps_sum_to_the_grid_and_lie_within_one_step(weights, grid):
    steps = quantise(weights, grid)
    assert sum(steps) == grid and min(steps) >= 0
    assert all(abs(step - w * grid) < 1.0 + 1e-6 for step, w in zip(steps, normalise(weights), strict=True))


@given(WEIGHTS)
def test_steps_are_their_own_steps(weights):
    steps = quantise(weights)
    assert quantise(steps_to_weights(steps)) == steps
    assert quantise(steps_to_weights(steps), previous=steps) == steps


def test_a_tie_goes_to_the_earlier_anchor():
    assert quantise((1, 1, 1), 32) == (11, 11, 10)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.integers(0, 2**31))
def test_a_trembling_hand_does_not_flicker(weights, seed):
    """Noise below half the hysteresis never moves the morph to and fro: it may move once and then rests."""
    rng = np.random.default_rng(seed)
    exact = np.array(normalise(weights)) * 32
    steps = quantise(weights)
    seen = [steps]
    for _ in range(40):
        noise = rng.normal(size=len(weights))
        noise -= noise.mean()
        noise *= rng.random() * 0.49 * HYSTERESIS_STEPS / 2 / max(np.linalg.norm(noise), 1e-9)
        place = np.maximum(exact + noise, 0.0)
        steps = quantise(place, previous=steps)
        if steps != seen[-1]:
            seen.append(steps)
    assert len(seen) <= 2


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_hysteresis_keeps_the_morph_near_its_target(weights, elsewhere):
    exact = [w * 32 for w in normalise(weights)]
    steps = quantise(weights, previous=quantise(elsewhere))
    assert math.dist(exact, steps) <= math.dist(exact, quantise(weights)) + HYSTERESIS_STEPS + 1e-9


def test_every_grid_point_can_be_reached_in_spite_of_hysteresis():
    for step in range(33):
        for previous in ((32, 0), (0, 32), (step - 1, 33 - step) if step else (0, 32)):
            assert quantise((step, 32 - step), previous=previous) == (step, 32 - step)


def test_a_previous_place_of_another_patch_is_ignored():
    assert quantise((1, 0), previous=(10, 10, 12)) == (32, 0)
    assert quantise((1, 0), previous=(1, 0)) == (32, 0)


# --- one controller -------------------------------------------------------------------------------------------------


def test_the_controller_path_visits_every_anchor_in_order():
    for index in range(4):
        expected = tuple(float(index == other) for other in range(4))
        assert path_weights(index / 3, 4) == pytest.approx(expected)


@given(st.floats(-1, 2), st.integers(1, 9))
def test_the_path_mixes_two_neighbours_at_most(position, count):
    weights = path_weights(position, count)
    heard = [index for index, w in enumerate(weights) if w > 0]
    assert len(weights) == count and math.fsum(weights) == pytest.approx(1.0)
    assert 1 <= len(heard) <= 2 and heard[-1] - heard[0] <= 1


@given(st.floats(0, 1), st.integers(2, 9))
def test_the_path_position_is_found_again(position, count):
    assert path_position(path_weights(position, count)) == pytest.approx(position, abs=1e-9)


def test_a_lone_anchor_is_everywhere_on_its_path():
    assert path_weights(0.7, 1) == (1.0,) and path_position((1.0,)) == 0.0


# --- the pad --------------------------------------------------------------------------------------------------------


@given(PLACES)
def test_the_pad_is_exactly_an_anchor_on_an_anchor(places):
    for index, (x, y) in enumerate(places):
        weights = pad_weights(x, y, places)
        here = [i for i, place in enumerate(places) if math.dist(place, (x, y)) < 1e-3]
        assert index in here
        assert math.fsum(weights[i] for i in here) == pytest.approx(1.0, abs=0.02)
        if len(here) == 1:
            assert weights[index] == 1.0


@given(st.floats(0, 1), st.floats(0, 1), PLACES)
def test_pad_weights_are_shares(x, y, places):
    weights = pad_weights(x, y, places)
    assert len(weights) == len(places)
    assert min(weights) >= 0.0 and math.fsum(weights) == pytest.approx(1.0)


@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=5))
def test_sliders_put_the_handle_back_where_the_pad_had_it(x, y, more):
    """Within the anchors' hull natural neighbours have linear precision, but for what the plane's edge cuts off."""
    places = (*SQUARE, *more)
    assert pad_position(pad_weights(x, y, places), places) == pytest.approx((x, y), abs=3e-3)


def test_the_pad_is_continuous_everywhere():
    rng = np.random.default_rng(4)
    places = [tuple(p) for p in rng.random((6, 2))]
    for _ in range(20):
        start, end = rng.random(2), rng.random(2)
        path = [pad_weights(*(start + (end - start) * t), places) for t in np.linspace(0, 1, 400)]
        assert max(math.dist(a, b) for a, b in itertools.pairwise(path)) < 0.06


@pytest.mark.parametrize("turn", range(12))
def test_the_pad_is_continuous_at_an_anchor_from_every_side(turn):
    places = [(0.2, 0.2), (0.8, 0.3), (0.5, 0.5), (0.4, 0.9)]
    for index, (x, y) in enumerate(places):
        step = 1e-5
        weights = pad_weights(x + step * math.cos(turn * math.pi / 6), y + step * math.sin(turn * math.pi / 6), places)
        assert weights[index] == pytest.approx(1.0, abs=1e-3)


def test_far_anchors_take_no_part():
    places = [(0.1, 0.5), (0.3, 0.5), (0.5, 0.5), (0.7, 0.5), (0.9, 0.5)]
    weights = pad_weights(0.4, 0.5, places)
    assert weights == pytest.approx((0.0, 0.5, 0.5, 0.0, 0.0))


def test_two_anchors_share_a_straight_line_evenly():
    assert pad_weights(0.4, 0.5, [(0.2, 0.5), (0.8, 0.5)]) == pytest.approx((2 / 3, 1 / 3))
    assert pad_weights(0.1, 0.5, [(0.2, 0.5), (0.8, 0.5)]) == pytest.approx((1.0, 0.0))


def test_anchors_in_the_same_place_share_its_weight():
    weights = pad_weights(0.2, 0.2, [(0.2, 0.2), (0.2, 0.2), (0.8, 0.8)])
    assert weights == (0.5, 0.5, 0.0)


def test_a_handle_off_the_pad_is_brought_to_its_edge():
    places = [(0.0, 0.0), (1.0, 1.0)]
    assert pad_weights(-4.0, -9.0, places) == (1.0, 0.0)
    assert pad_weights(0.5, 7.0, places) == pad_weights(0.5, 1.0, places)


# --- the glide ------------------------------------------------------------------------------------------------------


def test_a_glide_moves_evenly_and_arrives():
    state = MorphState.at_rest((1, 0)).towards(1_000, (0, 1), glide_ms=0.001)
    assert state.end_ns == 2_000
    assert state.at(0) == state.at(1_000) == (1.0, 0.0)
    assert state.at(1_250) == pytest.approx((0.75, 0.25))
    assert state.at(2_000) == state.at(10**12) == (0.0, 1.0)


def test_without_glide_it_is_there_at_once_even_for_a_late_stamp():
    state = MorphState.at_rest((1, 0)).towards(1_000, (0, 1), glide_ms=0.0)
    assert state.at(1_000) == state.at(0) == (0.0, 1.0)


def test_a_new_target_starts_from_what_sounds():
    state = MorphState.at_rest((1, 0)).towards(0, (0, 1), 1.0).towards(500_000, (1, 0), 1.0)
    assert state.origin == pytest.approx((0.5, 0.5)) and state.asked == (1, 0)
    assert state.at(1_000_000) == pytest.approx((0.75, 0.25))
