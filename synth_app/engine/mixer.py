"""The mixer: what runs inside the audio callback. Compiled, without the GIL, and a pure function of its commands.

Nothing here allocates, locks, logs, raises or calls Python. The mix is cut at every command's frame, and all smoothing
runs sample by sample, so the output depends on the commands and their frames only, never on the size of the callback's
blocks: a take replayed offline with other block sizes gives the same samples.

Kernels are exempt from the house's limit on function length.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray, njit

from synth_app.core.shared import as_pointer, load_acquire, store_release
from synth_app.engine.protocol import (
    ATTACK,
    DECAY,
    DYING,
    FADE,
    FINISHED,
    FREE,
    GAIN,
    KILL,
    LATE,
    MASTER,
    RELEASE,
    RELEASING,
    SEGMENT,
    SEGMENT_FREED,
    SOUNDING,
    START,
    STARTED,
    SUSTAIN,
    TUNE,
)
from synth_app.engine.rings import HEAD, TAIL

SILENT_ENVELOPE = 1e-4
"""A released voice ends when its envelope is 80 dB down."""

SETTLED = 1e-9
"""A smoothed value this near its target becomes it: no subnormals, and the plain path can be taken."""

BOX_ONE = 1 << 40
STARVING_FRAMES = 64
"""A voice this close to the edge of what is rendered fades, so that running out is never a click."""


@njit(cache=True, inline="always")
def _say(done, done_indices, state, kind, slot, voice_id, frame, value):
    tail = done_indices[TAIL]
    if tail - load_acquire(done_indices, HEAD) >= len(done):
        state.lost_messages += 1
        return
    record = done[tail & (len(done) - 1)]
    record.kind = kind
    record.slot = slot
    record.voice_id = voice_id
    record.frame = frame
    record.value = value
    store_release(done_indices, TAIL, tail + 1)


@njit(cache=True)
def _start(state, slot, command):
    rate_hz = state.rate_hz
    slot.state = SOUNDING
    slot.voice_id = command.voice_id
    slot.buffer = command.buffer
    slot.progress = command.progress
    slot.origin = command.origin
    slot.next_buffer = 0
    slot.position = command.position
    slot.rate = command.rate
    slot.rate_target = command.rate
    slot.vibrato = command.vibrato
    slot.vibrato_target = command.vibrato
    slot.gain_left = command.gain_left
    slot.gain_left_target = command.gain_left
    slot.gain_right = command.gain_right
    slot.gain_right_target = command.gain_right
    slot.sustain = command.sustain
    if command.attack_s > 0.0:
        slot.stage = ATTACK
        slot.envelope = 0.0
        slot.attack_step = 1.0 / (command.attack_s * rate_hz)
    else:
        slot.stage = DECAY if command.sustain < 1.0 else SUSTAIN
        slot.envelope = 1.0
        slot.attack_step = 1.0
    slot.decay_factor = math.exp(-6.9078 / max(1.0, command.decay_s * rate_hz))
    slot.release_factor = math.exp(-6.9078 / max(1.0, command.release_s * rate_hz))
    if command.fade_in_s > 0.0:
        slot.fade = 0.0
        slot.fade_step = 1.0 / (command.fade_in_s * rate_hz)
    else:
        slot.fade = 1.0
        slot.fade_step = 0.0
    slot.starving = 0
    slot.level = 0.0


@njit(cache=True)
def _apply(state, slots, done, done_indices, command):
    """Carry out one command at the present frame."""
    kind = command.kind
    if kind == MASTER:
        state.master_target = command.gain_left
        state.vibrato_hz = command.vibrato
        return
    slot = slots[command.slot]
    if kind == START:
        if slot.state != FREE:
            state.refused += 1
            _say(done, done_indices, state, FINISHED, command.slot, command.voice_id, state.frame, 0.0)
            return
        _start(state, slot, command)
        _say(done, done_indices, state, STARTED, command.slot, command.voice_id, state.frame, float(command.due_frame))
        return
    if slot.state == FREE or slot.voice_id != command.voice_id:
        if kind == SEGMENT:  # the voice ended before its continuation came: hand the memory straight back
            _say(
                done,
                done_indices,
                state,
                SEGMENT_FREED,
                command.slot,
                command.voice_id,
                state.frame,
                float(command.buffer),
            )
        return
    if kind == RELEASE:
        if slot.state == SOUNDING:
            slot.state = RELEASING
            slot.stage = FADE
            slot.release_factor = math.exp(-6.9078 / max(1.0, command.release_s * state.rate_hz))
    elif kind == KILL:
        slot.state = DYING
        slot.fade_step = -1.0 / max(1.0, command.release_s * state.rate_hz)
    elif kind == TUNE:
        slot.rate_target = command.rate
        slot.vibrato_target = command.vibrato
    elif kind == GAIN:
        slot.gain_left_target = command.gain_left
        slot.gain_right_target = command.gain_right
    elif kind == SEGMENT:
        if slot.next_buffer != 0:  # replaced before it was reached
            _say(
                done,
                done_indices,
                state,
                SEGMENT_FREED,
                command.slot,
                slot.voice_id,
                state.frame,
                float(slot.next_buffer),
            )
        slot.next_buffer = command.buffer
        slot.next_progress = command.progress
        slot.next_origin = command.origin
        slot.next_switch = command.switch


@njit(cache=True)
def _finish(state, slot, index, done, done_indices, frame):
    if slot.next_buffer != 0:
        _say(done, done_indices, state, SEGMENT_FREED, index, slot.voice_id, frame, float(slot.next_buffer))
        slot.next_buffer = 0
    slot.state = FREE
    slot.buffer = 0
    slot.level = 0.0
    _say(done, done_indices, state, FINISHED, index, slot.voice_id, frame, slot.position)


@njit(cache=True)
def _mix_slot(state, slot, index, left, right, lfo, begin, end, done, done_indices):
    """Add one voice to frames ``begin..end`` of the block."""
    smoothing = state.smoothing
    progress = carray(as_pointer(slot.progress), 2, np.int64)
    final = load_acquire(progress, 1)
    available = slot.origin + load_acquire(progress, 0)
    samples = carray(as_pointer(slot.buffer), 1, np.float32)
    level = 0.0
    for i in range(begin, end):
        if slot.next_buffer != 0 and slot.position >= slot.next_switch:
            _say(
                done,
                done_indices,
                state,
                SEGMENT_FREED,
                index,
                slot.voice_id,
                state.frame + i - begin,
                float(slot.buffer),
            )
            slot.buffer = slot.next_buffer
            slot.progress = slot.next_progress
            slot.origin = slot.next_origin
            slot.next_buffer = 0
            progress = carray(as_pointer(slot.progress), 2, np.int64)
            final = load_acquire(progress, 1)
            available = slot.origin + load_acquire(progress, 0)
            samples = carray(as_pointer(slot.buffer), 1, np.float32)
        whole = math.floor(slot.position)
        fraction = slot.position - whole
        remaining = available - whole - 2
        if remaining < 1 and final != 0:
            _finish(state, slot, index, done, done_indices, state.frame + i - begin)
            return
        if final == 0 and slot.state != DYING:  # rendered just in time: fade before the edge, never off it
            if slot.starving == 0 and remaining < STARVING_FRAMES * slot.rate:
                slot.starving = 1
                slot.fade_step = -1.0 / STARVING_FRAMES
            elif slot.starving != 0 and remaining > 2 * STARVING_FRAMES * slot.rate:
                slot.starving = 0
                slot.fade_step = 1.0 / STARVING_FRAMES
        elif slot.starving != 0 and slot.state != DYING:
            slot.starving = 0
            slot.fade_step = 1.0 / STARVING_FRAMES
        value = 0.0
        if remaining >= 1:
            at = whole - slot.origin
            here = samples[at]
            if fraction == 0.0:
                value = float(here)
            else:  # 4-point, third-order Hermite (Catmull-Rom)
                before = samples[at - 1] if at > 0 else here
                after = samples[at + 1]
                later = samples[at + 2]
                c1 = 0.5 * (after - before)
                c2 = before - 2.5 * here + 2.0 * after - 0.5 * later
                c3 = 0.5 * (later - before) + 1.5 * (here - after)
                value = ((c3 * fraction + c2) * fraction + c1) * fraction + here
        elif slot.starving == 1:
            slot.starving = 2  # counted once
            state.starved += 1
        # envelope
        if slot.stage == ATTACK:
            slot.envelope += slot.attack_step
            if slot.envelope >= 1.0:
                slot.envelope = 1.0
                slot.stage = DECAY if slot.sustain < 1.0 else SUSTAIN
        elif slot.stage == DECAY:
            slot.envelope = slot.sustain + (slot.envelope - slot.sustain) * slot.decay_factor
        elif slot.stage == FADE:
            slot.envelope *= slot.release_factor
            if slot.envelope < SILENT_ENVELOPE:
                _finish(state, slot, index, done, done_indices, state.frame + i - begin)
                return
        if slot.fade_step != 0.0:
            slot.fade += slot.fade_step
            if slot.fade >= 1.0:
                slot.fade = 1.0
                slot.fade_step = 0.0
            elif slot.fade <= 0.0:
                slot.fade = 0.0
                if slot.state == DYING:
                    _finish(state, slot, index, done, done_indices, state.frame + i - begin)
                    return
        elif slot.state == DYING:
            slot.fade = 0.0
            _finish(state, slot, index, done, done_indices, state.frame + i - begin)
            return
        # smoothing
        gap = slot.gain_left_target - slot.gain_left
        slot.gain_left = slot.gain_left_target if abs(gap) < SETTLED else slot.gain_left + gap * smoothing
        gap = slot.gain_right_target - slot.gain_right
        slot.gain_right = slot.gain_right_target if abs(gap) < SETTLED else slot.gain_right + gap * smoothing
        gap = slot.rate_target - slot.rate
        slot.rate = slot.rate_target if abs(gap) < SETTLED else slot.rate + gap * smoothing
        gap = slot.vibrato_target - slot.vibrato
        slot.vibrato = slot.vibrato_target if abs(gap) < SETTLED else slot.vibrato + gap * smoothing
        value *= slot.envelope * slot.fade
        left[i] += value * slot.gain_left
        right[i] += value * slot.gain_right
        level = max(level, abs(value) * max(slot.gain_left, slot.gain_right))
        if remaining >= 1:  # a starving voice waits in place
            slot.position += slot.rate * (1.0 + slot.vibrato * lfo[i])
    slot.level = level


@njit(cache=True)
def _limit(state, left, right, frames, delay_left, delay_right, box, window_gain, window_at):
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


@njit(cache=True)
def _collect(state, commands, command_indices, pending, end):
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


@njit(cache=True)
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
    step = 2.0 * math.pi * state.vibrato_hz / state.rate_hz
    for i in range(frames):
        left[i] = 0.0
        right[i] = 0.0
        lfo[i] = math.sin(state.vibrato_phase)
        state.vibrato_phase += step
        if state.vibrato_phase > 2.0 * math.pi:
            state.vibrato_phase -= 2.0 * math.pi
    _collect(state, commands, command_indices, pending, state.frame + frames)
    first = state.frame
    at = 0
    taken = 0
    while at < frames:
        while taken < state.pending and pending[taken].due_frame <= state.frame:
            command = pending[taken]
            if 0 < command.due_frame < state.frame and command.kind != MASTER:
                state.late += 1
                _say(
                    done,
                    done_indices,
                    state,
                    LATE,
                    command.slot,
                    command.voice_id,
                    state.frame,
                    float(command.due_frame),
                )
            _apply(state, slots, done, done_indices, command)
            taken += 1
        stop = frames
        if taken < state.pending and pending[taken].due_frame < first + frames:
            stop = pending[taken].due_frame - first
        for index in range(len(slots)):
            slot = slots[index]
            if slot.state != FREE:
                _mix_slot(state, slot, index, left, right, lfo, at, stop, done, done_indices)
        state.frame += stop - at
        at = stop
    if taken > 0:
        for i in range(state.pending - taken):
            pending[i] = pending[i + taken]
        state.pending -= taken
    for i in range(frames):
        gap = state.master_target - state.master
        state.master = state.master_target if abs(gap) < SETTLED else state.master + gap * state.smoothing
        left[i] *= state.master
        right[i] *= state.master
        if not (abs(left[i]) < 1e6 and abs(right[i]) < 1e6):
            left[i] = 0.0
            right[i] = 0.0
            state.not_finite += 1
    state.reduction = 1.0
    _limit(state, left, right, frames, delay_left, delay_right, box, window_gain, window_at)
    tap_frames = len(tap) // 2
    for i in range(frames):
        out[2 * i] = np.float32(left[i])
        out[2 * i + 1] = np.float32(right[i])
        place = (state.tap_frame + i) % tap_frames
        tap[2 * place] = out[2 * i]
        tap[2 * place + 1] = out[2 * i + 1]
    state.tap_frame += frames
