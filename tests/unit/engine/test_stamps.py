"""From RtMidi's delta times to the monotonic clock: the least offset seen is the truth."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.adapters.midi_rtmidi import StampAnchor

MS = 1_000_000


def _play(times_s: np.ndarray, read_late_s: np.ndarray, drift_ppm: float = 0.0) -> np.ndarray:
    """Stamps in ns of messages that arrive at ``times_s`` and are read so much later."""
    anchor = StampAnchor()
    deltas = np.diff(times_s, prepend=times_s[0]) * (1.0 + drift_ppm * 1e-6)
    return np.array(
        [
            anchor.stamp(float(delta), round((at + late) * 1e9))
            for delta, at, late in zip(deltas, times_s, read_late_s, strict=True)
        ]
    )


def test_the_first_message_is_stamped_as_read():
    assert StampAnchor().stamp(0.0, 123_456_789) == 123_456_789


def test_a_busy_reader_does_not_blur_the_times():
    rng = np.random.default_rng(1)
    times_s = 100.0 + np.cumsum(rng.uniform(0.001, 0.3, 500))
    late_s = rng.uniform(0.0, 0.002, 500) + (rng.random(500) < 0.2) * rng.uniform(0.0, 0.05, 500)
    error_ns = _play(times_s, late_s) - times_s * 1e9
    assert np.all(error_ns >= -1.0), "no message is stamped before it came"
    settled = error_ns[50:]
    assert settled.max() < 0.1 * MS
    assert np.ptp(settled) < 0.1 * MS


def test_stamps_never_lie_in_the_future_and_never_go_back():
    rng = np.random.default_rng(2)
    times_s = 5.0 + np.cumsum(rng.exponential(0.05, 5000))
    late_s = rng.exponential(0.005, 5000)
    late_s = np.maximum.accumulate(times_s + late_s) - times_s  # messages are read in order
    stamps = _play(times_s, late_s, drift_ppm=100.0)
    assert np.all(stamps <= (times_s + late_s) * 1e9 + 1.0)
    assert np.diff(stamps).min() > -1 * MS


def test_a_chord_read_at_once_keeps_its_spread():
    anchor = StampAnchor()
    for number in range(20):  # the anchor settles
        anchor.stamp(0.0 if number == 0 else 0.1, round((1.0 + 0.1 * number) * 1e9))
    now_ns = round((1.0 + 0.1 * 19 + 0.5 + 0.010) * 1e9)
    stamps = [anchor.stamp(delta, now_ns) for delta in (0.5, 0.003, 0.004)]
    assert np.diff(stamps).tolist() == pytest.approx([3 * MS, 4 * MS], abs=2)


@pytest.mark.parametrize("drift_ppm", [-100.0, 100.0])
def test_clocks_that_drift_apart_are_kept_together(drift_ppm: float):
    times_s = 10.0 + np.arange(0.0, 3600.0, 0.25)
    error_ns = _play(times_s, np.full(len(times_s), 0.001), drift_ppm) - times_s * 1e9
    # 100 ppm are 3 ms in a window of 30 s; an hour would be 360 ms.
    assert np.abs(error_ns).max() < 8 * MS


def test_after_an_hour_of_silence_the_stamps_are_still_true():
    anchor = StampAnchor()
    anchor.stamp(0.0, 10**9)
    assert anchor.stamp(3600.0, 3601 * 10**9 + 2 * MS) == pytest.approx(3601 * 10**9, abs=2 * MS)
