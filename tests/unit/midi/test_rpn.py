"""Registered parameters: selecting, entering, stepping, and leaving alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.midi.rpn import CONTROLLERS, Rpn


def after(*controls: tuple[int, int]) -> Rpn:
    rpn = Rpn()
    for controller, value in controls:
        rpn = rpn.control(controller, value)
    return rpn


def select(number: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (101, 0), (100, number)


def test_at_power_up_nothing_is_selected_and_nothing_detuned():
    assert Rpn().bend_range_semitones is None and Rpn().tuning_semitones == 0.0
    assert after((6, 12), (96, 0)) == Rpn()


def test_bend_range_in_semitones_and_cents():
    assert after(*select(0), (6, 12)).bend_range_semitones == 12.0
    assert after(*select(0), (6, 2), (38, 50)).bend_range_semitones == 2.5


def test_a_new_coarse_value_takes_its_fine_part_back():
    assert after(*select(0), (6, 2), (38, 50), (6, 7)).bend_range_semitones == 7.0


@pytest.mark.parametrize(
    ("msb", "lsb", "cents"), [(64, 0, 0), (0, 0, -100), (127, 127, 100 * 8191 / 8192), (96, 0, 50)]
)
def test_fine_tuning_has_fourteen_bits(msb, lsb, cents):
    assert after(*select(1), (6, msb), (38, lsb)).tuning_semitones * 100 == pytest.approx(cents)


@pytest.mark.parametrize(("msb", "semitones"), [(64, 0), (0, -64), (127, 63), (52, -12)])
def test_coarse_tuning_is_in_semitones_and_ignores_its_fine_part(msb, semitones):
    assert after(*select(2), (6, msb), (38, 77)).tuning_semitones == semitones


def test_null_and_unknown_parameters_take_no_data():
    reference = after(*select(0), (6, 12))
    for ending in (((101, 127), (100, 127)), ((101, 0), (100, 5)), ((101, 3), (100, 0)), ((99, 1), (98, 8))):
        rpn = after(*select(0), (6, 12), *ending, (6, 99), (38, 9), (96, 0))
        assert rpn.values == reference.values


def test_selecting_again_after_a_non_registered_parameter_works():
    assert after((99, 1), (98, 8), (6, 40), *select(0), (6, 3)).bend_range_semitones == 3.0


def test_increment_and_decrement_follow_rp_018():
    assert after(*select(0), (6, 2), (38, 99), (96, 0)).bend_range_semitones == 3.0
    assert after(*select(0), (6, 3), (97, 0)).bend_range_semitones == pytest.approx(2.99)
    assert after(*select(1), (96, 0)).tuning_semitones == pytest.approx(1 / 8192)
    assert after(*select(1), (97, 0)).tuning_semitones == pytest.approx(-1 / 8192)
    assert after(*select(2), (96, 0)).tuning_semitones == 1.0
    assert after(*select(2), *((97, 0),) * 200).tuning_semitones == -64.0


def test_the_bend_range_can_be_left_to_the_patch_again():
    assert after(*select(0), (6, 12)).without_bend_range().bend_range_semitones is None


@given(st.lists(st.tuples(st.sampled_from(sorted(CONTROLLERS)), st.integers(0, 127)), max_size=60))
def test_any_controls_leave_values_in_range(controls):
    rpn = after(*controls)
    assert all(0 <= part <= 127 for value in rpn.values for part in value)
    assert -65 <= rpn.tuning_semitones <= 64
