"""From times to frames: smooth under jitter, true under drift, quick after lost blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from synth_app.engine.callback import MixerMemory
from synth_app.engine.clock import AGREEING, DelayLockedLoop
from synth_app.engine.protocol import STAMP_FRAME, STAMP_NS, STAMP_SEQUENCE
from synth_app.engine.timing import DelayStatistics, FileClock, LiveClock

RATE_HZ = 48_000
S = 1_000_000_000

Lateness = Callable[[np.random.Generator], float]


def _follow(
    late_ns: Lateness, seconds: float = 20.0, block: int = 128, ppm: float = 0.0, gap: tuple = ()
) -> np.ndarray:
    """(time in s, frames by which the loop is off) at every block, with wake-ups ``late_ns`` late.

    ``gap``: (at, length) in s of lost blocks, during which the frames stand still.
    """
    rng = np.random.default_rng(3)
    loop = DelayLockedLoop(RATE_HZ)
    true_rate = RATE_HZ * (1.0 + ppm * 1e-6)
    off_ns = 0.0
    found = []
    for number in range(round(seconds * RATE_HZ / block)):
        frame = number * block
        time_ns = frame / true_rate * 1e9 + off_ns
        if gap and off_ns == 0.0 and time_ns > gap[0] * 1e9:
            off_ns = gap[1] * 1e9
            time_ns += off_ns
        loop.update(frame, round(time_ns + late_ns(rng)))
        found.append((time_ns * 1e-9, loop.frame_at(round(time_ns)) - frame))
    return np.array(found)


def _settled(found: np.ndarray, after_s: float = 5.0) -> np.ndarray:
    return found[found[:, 0] > after_s, 1]


def _now_and_then(rng: np.random.Generator) -> float:
    return rng.exponential(50_000.0) + (10_000_000.0 if rng.random() < 0.005 else 0.0)


@pytest.mark.parametrize("block", [64, 128, 256, 1024])
def test_jitter_is_smoothed_and_a_constant_lateness_only_shifts(block: int):
    off = _settled(_follow(lambda rng: rng.exponential(100_000.0), block=block))
    assert off.std() < 1.5
    assert np.abs(off - off.mean()).max() <= 5
    assert off.mean() == pytest.approx(-4.8, abs=1.0)


def test_a_single_wake_up_far_off_moves_nothing():
    off = _settled(_follow(_now_and_then))
    assert np.abs(off - off.mean()).max() < 2.0


@pytest.mark.parametrize("ppm", [-1000.0, -200.0, 200.0, 1000.0])
def test_a_clock_that_runs_fast_or_slow_is_followed(ppm: float):
    off = _settled(_follow(lambda rng: rng.exponential(50_000.0), ppm=ppm))
    assert np.abs(off).max() < 6


def test_it_is_good_to_use_from_the_first_second_on():
    found = _follow(lambda rng: rng.uniform(0.0, 2e6))
    first = found[(found[:, 0] > 0.1) & (found[:, 0] < 1.0), 1]
    assert np.abs(first - _settled(found).mean()).max() < 1.2e-3 * RATE_HZ, "with wake-ups up to 2 ms late"


@pytest.mark.parametrize("gap_s", [0.005, 0.020, 0.045, 1.0, 30.0])
def test_after_lost_blocks_it_starts_anew_within_50_ms(gap_s: float):
    """A dropped block of 20 ms used to blur the timing of everything for half a second."""
    found = _follow(lambda rng: rng.exponential(50_000.0), seconds=12.0, gap=(8.0, gap_s))
    after = found[found[:, 0] > 8.05 + gap_s, 1]
    assert len(after) > 100
    assert np.abs(after).max() < 8


def test_wake_ups_that_are_late_now_and_then_hardly_count():
    """A hundredth of them, by milliseconds: a loop that takes each at its word wanders by 10 frames."""

    def late(rng: np.random.Generator) -> float:
        return rng.exponential(20_000.0) + (rng.exponential(2_000_000.0) if rng.random() < 0.01 else 0.0)

    off = _settled(_follow(late, block=512, seconds=60.0))
    assert off.std() < 1.0
    assert np.abs(off - np.median(off)).max() <= 2


def test_a_jump_of_half_a_millisecond_is_followed_within_as_many_blocks_as_must_agree():
    found = _follow(lambda rng: rng.exponential(20_000.0), block=512, gap=(10.0, 0.0005))
    after = found[found[:, 0] > 10.0 + (AGREEING + 1) * 512 / RATE_HZ, 1]
    before = found[(found[:, 0] > 5.0) & (found[:, 0] < 10.0), 1]
    assert abs(np.median(after[:10]) - np.median(before)) <= 2
    assert np.abs(after - np.median(before)).max() <= 3


def test_wake_ups_in_pairs_are_followed_in_their_mean():
    loop = DelayLockedLoop(RATE_HZ)
    block, off = 256, []
    for number in range(2000):
        frame = number * block
        loop.update(frame, round((frame + (block if number % 2 == 0 else 0)) / RATE_HZ * 1e9))
        off.append(loop.frame_at(round(frame / RATE_HZ * 1e9)) - frame)
    assert np.ptp(off[500:]) < 10
    assert np.mean(off[500:]) == pytest.approx(-block / 2, abs=3)


def test_two_notes_a_millisecond_apart_land_48_frames_apart():
    loop = DelayLockedLoop(RATE_HZ)
    rng = np.random.default_rng(9)
    for frame in range(0, 10 * RATE_HZ, 128):
        loop.update(frame, round(frame / RATE_HZ * 1e9 + rng.exponential(200_000.0)))
        now = round(frame / RATE_HZ * 1e9)
        assert loop.frame_at(now + 1_000_000) - loop.frame_at(now) in (47, 48, 49)


def test_frames_and_times_are_each_others_inverse():
    loop = DelayLockedLoop(RATE_HZ)
    for frame in range(0, 48_000, 128):
        loop.update(frame, 5 * S + round(frame / RATE_HZ * 1e9))
    for frame in (0, 1, 47_999, 96_000, 10**7):
        assert loop.frame_at(loop.time_at(frame)) == frame


def test_a_stamp_seen_twice_or_an_older_one_changes_nothing():
    loop = DelayLockedLoop(RATE_HZ)
    loop.update(1000, S)
    loop.update(1128, S + 2_666_667)
    before = loop.frame_at(2 * S), loop.ns_per_frame
    loop.update(1128, S + 9_000_000)
    loop.update(1000, S + 9_000_000)
    assert (loop.frame_at(2 * S), loop.ns_per_frame) == before


def test_the_live_clock_follows_the_stamps_of_the_callback():
    memory = MixerMemory(RATE_HZ)
    clock = LiveClock(memory, lambda: 0)
    assert clock.frame_at(123 * S) == 0, "nothing has been mixed yet"
    for number in range(200):
        memory.stamps[STAMP_FRAME] = number * 256
        memory.stamps[STAMP_NS] = 7 * S + round(number * 256 / RATE_HZ * 1e9)
        memory.stamps[STAMP_SEQUENCE] += 2
        clock.update()
    assert clock.frame_at(7 * S) == 0
    assert clock.frame_at(9 * S) == 2 * RATE_HZ
    memory.state[0]["frame"] = 51_200
    assert clock.frame_now() == 51_200


def test_in_a_file_time_zero_is_frame_zero():
    memory = MixerMemory(44_100)
    clock = FileClock(memory)
    assert clock.frame_at(0) == 0
    assert clock.frame_at(10 * S) == 441_000
    memory.mix(np.zeros((300, 2), np.float32))
    assert clock.frame_now() == 300


def test_jitter_is_the_standard_deviation_of_the_last_delays():
    delays = DelayStatistics()
    assert delays.jitter_ms(RATE_HZ) == 0.0
    for _ in range(600):
        delays.add(10_000)
    for error in (0, 48) * 256:
        delays.add(error)
    assert delays.errors_frames == (0, 48) * 256
    assert delays.jitter_ms(RATE_HZ) == pytest.approx(0.5)
