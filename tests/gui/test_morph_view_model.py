"""The morph's arithmetic: pad and sliders are two views of the same weights."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.ui.view_models.morph import (
    GestureRecorder,
    Trail,
    blended,
    constrained,
    free_place,
    handle_for,
    labels_apart,
    path_between,
    snapped,
    weights_at,
    with_weight,
)

PLACES = ((0.2, 0.3), (0.5, 0.1), (0.8, 0.35), (0.7, 0.8), (0.25, 0.8))
SHARES = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6).filter(lambda w: sum(w) > 0.01)


def test_on_an_anchor_only_it_sounds() -> None:
    for index, place in enumerate(PLACES):
        weights = weights_at(place, PLACES)
        assert weights[index] == pytest.approx(1.0)


def test_within_the_anchors_the_way_back_is_the_same_place() -> None:
    point = (0.45, 0.5)
    assert handle_for(weights_at(point, PLACES), PLACES) == pytest.approx(point, abs=1e-6)


def test_without_anchors_there_is_nothing_to_weigh() -> None:
    assert weights_at((0.5, 0.5), ()) == ()
    assert handle_for((), ()) == (0.5, 0.5)


@given(SHARES, st.floats(0.0, 1.0), st.data())
def test_a_slider_leaves_the_whole_at_one(shares: list[float], value: float, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(shares) - 1))
    weights = with_weight(shares, index, value)
    assert sum(weights) == pytest.approx(1.0)
    assert min(weights) >= 0.0
    assert weights[index] == pytest.approx(value)


def test_a_slider_keeps_the_proportion_of_the_others() -> None:
    weights = with_weight((0.5, 0.3, 0.2), 0, 0.75)
    assert weights == pytest.approx((0.75, 0.15, 0.10))


def test_a_locked_weight_stays_and_limits_the_others() -> None:
    weights = with_weight((0.5, 0.3, 0.2), 0, 0.9, locked=(1,))
    assert weights == pytest.approx((0.7, 0.3, 0.0))


def test_with_all_others_locked_a_slider_cannot_move() -> None:
    assert with_weight((0.5, 0.3, 0.2), 0, 0.1, locked=(1, 2)) == pytest.approx((0.5, 0.3, 0.2))


def test_raising_from_a_full_anchor_shares_evenly() -> None:
    assert with_weight((1.0, 0.0, 0.0), 0, 0.4) == pytest.approx((0.4, 0.3, 0.3))


def test_locked_axes_keep_their_coordinate() -> None:
    assert constrained((0.9, 0.9), (0.2, 0.3), lock_x=True, lock_y=False) == (0.2, 0.9)
    assert constrained((1.4, -2.0), (0.2, 0.3), lock_x=False, lock_y=True) == (1.0, 0.3)


def test_snap_catches_near_an_anchor_only() -> None:
    assert snapped((0.21, 0.31), PLACES) == (0.2, 0.3)
    assert snapped((0.40, 0.50), PLACES) == (0.40, 0.50)


def test_a_new_anchor_finds_room() -> None:
    spot = free_place(PLACES)
    assert min((spot[0] - x) ** 2 + (spot[1] - y) ** 2 for x, y in PLACES) > 0.02
    assert all(0.0 <= value <= 1.0 for value in spot)


def test_names_stand_apart_where_there_is_room() -> None:
    field, size = (400.0, 300.0), (80.0, 20.0)
    alone, upper, lower = labels_apart([(60, 150), (200, 120), (210, 160)], [size] * 3, field, 18, 3)
    assert alone == (20, 168, 0.0), "below its mark"
    assert upper == (160, 82, 0.0), "above: below it is another's mark"
    assert lower == (170, 178, 0.0)
    left, top, covered = labels_apart([(2, 298)], [size], field, 18, 3)[0]
    assert left >= 3 and top + 20 <= 300 and covered == 0.0
    crowd = labels_apart([(200, 150 + i) for i in range(8)], [size] * 8, field, 18, 3)
    assert crowd[-1][2] > 0.5, "what cannot be read is known to be covered"


def test_the_trail_fades_and_forgets() -> None:
    trail = Trail(seconds=1.0)
    trail.add(0.0, (0.1, 0.1))
    trail.add(0.01, (0.1, 0.1))
    trail.add(0.5, (0.2, 0.1))
    assert [age for age, _, _ in trail.points(0.75)] == [0.75, 0.25]
    assert len(trail.points(1.2)) == 1
    assert trail.points(3.0) == []


def test_the_crossfader_travels_through_every_scene() -> None:
    assert path_between(0.0, 3) == (0, 1, 0.0)
    assert path_between(0.75, 3) == (1, 2, 0.5)
    assert path_between(1.0, 3) == (1, 2, 1.0)
    assert blended((1.0, 0.0), (0.0, 1.0), 0.25) == pytest.approx((0.75, 0.25))


def test_a_recorded_gesture_loops_in_its_own_time() -> None:
    recorder = GestureRecorder()
    recorder.moved(0.0, (0.0, 0.0))
    assert recorder.state == "idle"
    recorder.arm()
    recorder.moved(10.0, (0.0, 0.0))
    recorder.moved(11.0, (1.0, 0.5))
    recorder.released(12.0)
    assert recorder.state == "looping"
    assert recorder.position(12.5) == pytest.approx((0.5, 0.25))
    assert recorder.position(13.5) == pytest.approx((1.0, 0.5))
    assert recorder.position(14.5) == pytest.approx((0.5, 0.25)), "it starts again"
    recorder.moved(15.0, (0.3, 0.3))
    assert recorder.position(15.1) is None, "the hand takes over"
    recorder.play(20.0)
    assert recorder.position(20.5) == pytest.approx((0.5, 0.25))
    recorder.stop()
    assert recorder.position(21.0) is None


def test_a_mere_click_is_no_gesture() -> None:
    recorder = GestureRecorder()
    recorder.arm()
    recorder.moved(1.0, (0.5, 0.5))
    recorder.released(1.1)
    assert recorder.state == "idle" and recorder.gesture is None


def test_a_quick_hand_leaves_no_more_trail_than_a_slow_one() -> None:
    """Each step of the trail is a line to draw in every frame."""
    trail = Trail(seconds=1.0)
    for step in range(1000):
        trail.add(0.001 * step, (math.cos(0.01 * step), math.sin(0.01 * step)))
    points = trail.points(0.999)
    assert 8 <= len(points) <= 40
    assert points[-1][1:] == pytest.approx((math.cos(9.99), math.sin(9.99))), "it ends at the hand"
