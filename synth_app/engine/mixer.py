"""The mixer: what runs inside the audio callback. Compiled, without the GIL, and a pure function of its commands.

Nothing here allocates, locks, logs, raises or calls Python. The mix is cut at every command's frame, and all smoothing
runs sample by sample, so the output depends on the commands and their frames only, never on the size of the callback's
blocks: a take replayed offline with other block sizes gives the same samples.

Kernels are exempt from the house's limit on function length.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from synth_app.core.shared import load_acquire, store_release
from synth_app.engine.limiter import SETTLED, limit
from synth_app.engine.protocol import FREE, LATE, MASTER, SEGMENT
from synth_app.engine.rings import HEAD, TAIL
from synth_app.engine.slots import TOO_LOUD, apply_command, mix_slot, say

UNHEARD = 1e-20
"""Output below this is nothing: no subnormal number leaves the mixer."""


@njit(cache=True, error_model="numpy")
def _collect(state, commands, command_indices, pending):
    """Move published commands into the pending list, kept in order of frame (first come first among equals)."""
    head = command_indices[HEAD]
    tail = load_acquire(command_indices, TAIL)
    mask = len(commands) - 1
    count = state.pending
    while head < tail and count < len(pending):
        command = commands[head & mask]
        at = count
        while at > 0 and pending[at - 1].due_frame > command.due_frame:
            pending[at] = pending[at - 1]
            at -= 1
        pending[at] = command
        count += 1
        head += 1
    state.pending = count
    store_release(command_indices, HEAD, head)


@njit(cache=True, error_model="numpy")
def mix_block(
    state_array, slots, commands, command_indices, pending, done, done_indices,
    delay_left, delay_right, box, window_gain, window_at, tap, scratch, out, frames,
):  # fmt: skip
    """Mix ``frames`` (at most ``MAX_BLOCK``) frames into ``out`` (float32, interleaved stereo).

    Shapes: state_array ``[1]`` STATE, slots ``[SLOTS]`` SLOT, commands and pending ``[COMMAND_CAPACITY]`` COMMAND,
    done ``[DONE_CAPACITY]`` DONE, delay_* and box ``[look_ahead_frames]``, window_* ``[look_ahead_frames + 2]``,
    tap float32 ``[2 * TAP_FRAMES]``, scratch float64 ``[3, MAX_BLOCK]``.
    """
    state = state_array[0]
    left, right, lfo = scratch[0], scratch[1], scratch[2]
    for i in range(frames):
        left[i] = 0.0
        right[i] = 0.0
    _collect(state, commands, command_indices, pending)
    first = state.frame
    at = 0
    taken = 0
    while at < frames:
        while taken < state.pending and pending[taken].due_frame <= state.frame:
            command = pending[taken]
            in_its_time = command.kind == MASTER or command.kind == SEGMENT  # these take effect later, or slowly
            if 0 < command.due_frame < state.frame and not in_its_time:
                state.late += 1
                due = float(command.due_frame)
                say(done, done_indices, state, LATE, command.slot, command.voice_id, state.frame, due)
            apply_command(state, slots, done, done_indices, command)
            taken += 1
        stop = frames
        if taken < state.pending and pending[taken].due_frame < first + frames:
            stop = pending[taken].due_frame - first
        step = 2.0 * math.pi * state.vibrato_hz / state.rate_hz
        for i in range(at, stop):
            lfo[i] = math.sin(state.vibrato_phase)
            state.vibrato_phase += step
            if state.vibrato_phase > 2.0 * math.pi:
                state.vibrato_phase -= 2.0 * math.pi
        for index in range(len(slots)):
            slot = slots[index]
            if slot.state != FREE:
                mix_slot(state, slot, index, left, right, lfo, at, stop, done, done_indices)
        for i in range(at, stop):
            gap = state.master_target - state.master
            state.master = state.master_target if abs(gap) < SETTLED else state.master + gap * state.smoothing
            left[i] *= state.master
            right[i] *= state.master
        state.frame += stop - at
        at = stop
    if taken > 0:
        for i in range(state.pending - taken):
            pending[i] = pending[i + taken]
        state.pending -= taken
    for i in range(frames):
        if not (abs(left[i]) < TOO_LOUD and abs(right[i]) < TOO_LOUD):
            left[i] = 0.0
            right[i] = 0.0
            state.not_finite += 1
    state.reduction = 1.0
    limit(state, left, right, frames, delay_left, delay_right, box, window_gain, window_at)
    tap_frames = len(tap) // 2
    for i in range(frames):
        out[2 * i] = np.float32(left[i]) if abs(left[i]) > UNHEARD else np.float32(0.0)
        out[2 * i + 1] = np.float32(right[i]) if abs(right[i]) > UNHEARD else np.float32(0.0)
        place = (state.tap_frame + i) % tap_frames
        tap[2 * place] = out[2 * i]
        tap[2 * place + 1] = out[2 * i + 1]
    state.tap_frame += frames
