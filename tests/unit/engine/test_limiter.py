"""The look-ahead limiter: an exact delay, transparent below its ceiling, never above it."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.core.units import db_to_gain
from synth_app.engine.callback import CEILING_DB
from synth_app.engine.protocol import look_ahead_frames
from tests.unit.engine.desk import DELAY, RATE_HZ, Buffer, Desk, ones, sine

CEILING = np.float32(db_to_gain(CEILING_DB))


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_the_delay_is_the_look_ahead_to_the_sample(rate_hz: int):
    desk = Desk(rate_hz)
    click = np.zeros(1000)
    click[100] = 0.9
    desk.start(Buffer(click))
    wave = desk.play(900)
    expected = 100 + look_ahead_frames(rate_hz)
    assert look_ahead_frames(rate_hz) == round(0.0015 * rate_hz)
    assert np.flatnonzero(wave[:, 0]).tolist() == [expected]
    assert wave[expected, 0] == np.float32(0.9)


def test_below_the_ceiling_not_one_bit_changes():
    note = Buffer(0.96 * np.random.default_rng(1).uniform(-1.0, 1.0, RATE_HZ))
    desk = Desk()
    desk.start(note)
    np.testing.assert_array_equal(desk.heard(RATE_HZ - 2)[:, 0], note.samples[:-2])
    assert desk.state["reduction"] == 1.0


def test_after_a_peak_it_becomes_transparent_again_bit_for_bit():
    loud, quiet = sine(440.0, 0.1, 4.0), sine(440.0, 6.0, 0.5)
    desk = Desk()
    desk.start(loud)
    desk.start(quiet, slot=1)
    wave = desk.heard(5 * RATE_HZ)[:, 0]
    np.testing.assert_array_equal(wave[-RATE_HZ:], quiet.samples[4 * RATE_HZ : 5 * RATE_HZ])


@pytest.mark.parametrize("gain", [1.0, 2.0, 10.0, 1000.0])
def test_a_loud_tone_is_brought_down_to_the_ceiling_and_no_further(gain: float):
    desk = Desk()
    desk.start(sine(1000.0, 2.0, 1.0), gain=gain)
    wave = desk.heard(RATE_HZ)
    assert np.abs(wave).max() <= CEILING
    assert np.abs(wave[RATE_HZ // 2 :]).max() > 0.99 * CEILING
    assert desk.state["reduction"] == pytest.approx(CEILING / gain, rel=0.02)


def test_the_gain_is_down_before_the_peak_arrives_and_comes_back_slowly():
    step = np.full(RATE_HZ, 0.1)
    step[20_000] = 10.0
    desk = Desk()
    desk.start(Buffer(step))
    wave = desk.heard(RATE_HZ - 10)[:, 0]
    assert wave[20_000] == pytest.approx(CEILING, rel=1e-5)
    gain = np.delete(wave, 20_000) / 0.1
    assert gain[20_000 - DELAY - 1] == pytest.approx(1.0, abs=1e-6)
    assert gain[19_999] < 0.15
    assert np.abs(np.diff(gain)).max() < 2.0 / DELAY, "it moves over the look-ahead, not at once"
    assert gain[20_000 + round(0.08 * RATE_HZ)] == pytest.approx(1.0 - 0.9 / np.e, abs=0.03)
    assert gain[-1] == pytest.approx(1.0, abs=1e-2)


def test_both_channels_are_turned_down_together():
    desk = Desk()
    desk.start(ones(level=0.5), gain_left=8.0, gain_right=1.0)
    wave = desk.heard(RATE_HZ // 2)
    np.testing.assert_allclose(wave[:, 0], 8.0 * wave[:, 1], rtol=1e-6)
