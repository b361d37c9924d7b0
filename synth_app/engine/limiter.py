"""The limiter on the master: no sample above the ceiling, and nothing heard of it below.

A kernel of the audio callback, compiled and without the GIL; see :mod:`~synth_app.engine.mixer` for the rules it keeps.
"""

from __future__ import annotations

from numba import njit

BOX_ONE = 1 << 40
"""A gain of 1 as the limiter sums gains: integers, so that its running sum never drifts."""

SETTLED = 1e-9
"""A smoothed value this near its target becomes it: no subnormals, and the plain path can be taken."""


@njit(cache=True, error_model="numpy")
def limit(state, left, right, frames, delay_left, delay_right, box, window_gain, window_at):
    """Look-ahead sample-peak limiter, in place; delays by ``len(box)`` frames.

    The gain each frame needs is held over the look-ahead (a sliding minimum kept in a monotonic queue), recovers
    exponentially, and is smoothed by a box as long as the look-ahead, so it is down in full when the peak leaves the
    delay line. Gains enter the box as integers, so its running sum is exact.
    """
    size = len(box)
    ceiling = state.limiter_ceiling
    for i in range(frames):
        in_left, in_right = left[i], right[i]
        peak = max(abs(in_left), abs(in_right))
        needed = ceiling / peak if peak > ceiling else 1.0
        now = state.limiter_index
        # sliding minimum over the last `size + 1` needs
        while (
            state.limiter_tail > state.limiter_head
            and window_gain[(state.limiter_tail - 1) % len(window_gain)] >= needed
        ):
            state.limiter_tail -= 1
        window_gain[state.limiter_tail % len(window_gain)] = needed
        window_at[state.limiter_tail % len(window_gain)] = now
        state.limiter_tail += 1
        while window_at[state.limiter_head % len(window_gain)] < now - size:
            state.limiter_head += 1
        lowest = window_gain[state.limiter_head % len(window_gain)]
        recovered = state.limiter_envelope + (1.0 - state.limiter_envelope) * state.limiter_release
        if recovered > 1.0 - SETTLED:
            recovered = 1.0
        state.limiter_envelope = min(lowest, recovered)
        at = now % size
        units = int(state.limiter_envelope * BOX_ONE)
        state.limiter_sum += units - box[at]
        box[at] = units
        gain = state.limiter_sum / (size * float(BOX_ONE))
        out_left, out_right = delay_left[at], delay_right[at]
        delay_left[at], delay_right[at] = in_left, in_right
        left[i] = out_left * gain
        right[i] = out_right * gain
        state.reduction = min(state.reduction, gain)
        state.limiter_index = now + 1
