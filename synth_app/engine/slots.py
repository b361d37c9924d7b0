"""The mixer's slots: commands applied to one, its sound added to the mix, its end reported.

Kernels of the audio callback, compiled and without the GIL; see :mod:`~synth_app.engine.mixer` for the rules they keep.
Kernels are exempt from the house's limit on function length.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray, njit

from synth_app.core.shared import as_pointer, load_acquire, store_release
from synth_app.engine.limiter import SETTLED
from synth_app.engine.protocol import (
    ATTACK,
    DECAY,
    DRY,
    DYING,
    FADE,
    FADING,
    FED,
    FINISHED,
    FREE,
    GAIN,
    KILL,
    MASTER,
    RELEASE,
    RELEASING,
    SEGMENT,
    SEGMENT_FREED,
    SLOTS,
    SOUNDING,
    START,
    STARTED,
    SUSTAIN,
    TUNE,
)
from synth_app.engine.rings import HEAD, TAIL

TOO_LOUD = 1e6
"""A sample beyond this, or not a number, is a fault of whoever made it, and is silent."""

SILENT_ENVELOPE = 1e-4
"""A released voice ends when its envelope is 80 dB down."""

STARVING_FRAMES = 64
"""A voice this close to the edge of what is rendered fades, so that running out is never a click."""

DONE_RESERVED = 2 * SLOTS
"""Places in the ring back that are kept for the endings of voices: memory and slots hang on them."""


@njit(cache=True, error_model="numpy", inline="always")
def say(done, done_indices, state, kind, slot, voice_id, frame, value):
    tail = done_indices[TAIL]
    reserved = 0 if kind == FINISHED else DONE_RESERVED
    if tail - load_acquire(done_indices, HEAD) >= len(done) - reserved:
        state.lost_messages += 1
        return
    record = done[tail & (len(done) - 1)]
    record.kind = kind
    record.slot = slot
    record.voice_id = voice_id
    record.frame = frame
    record.value = value
    store_release(done_indices, TAIL, tail + 1)


@njit(cache=True, error_model="numpy")
def start_slot(state, slot, command):
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
    slot.starving = FED
    slot.level = 0.0


@njit(cache=True, error_model="numpy")
def apply_command(state, slots, done, done_indices, command):
    """Carry out one command at the present frame."""
    kind = command.kind
    if kind == MASTER:
        state.master_target = command.gain_left
        if state.frame == 0:  # nothing has sounded that it could click against
            state.master = command.gain_left
        state.vibrato_hz = command.vibrato
        return
    slot = slots[command.slot]
    if kind == START:
        if slot.state != FREE:
            state.refused += 1
            say(done, done_indices, state, FINISHED, command.slot, command.voice_id, state.frame, 0.0)
            return
        start_slot(state, slot, command)
        say(done, done_indices, state, STARTED, command.slot, command.voice_id, state.frame, float(command.due_frame))
        return
    if slot.state == FREE or slot.voice_id != command.voice_id:
        if kind == SEGMENT:  # the voice ended before its continuation came: hand the memory straight back
            say(
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
        slot.fade_step = min(slot.fade_step, -1.0 / max(1.0, command.release_s * state.rate_hz))
    elif kind == TUNE:
        slot.rate_target = command.rate
        slot.vibrato_target = command.vibrato
    elif kind == GAIN:
        slot.gain_left_target = command.gain_left
        slot.gain_right_target = command.gain_right
    elif kind == SEGMENT:
        if slot.next_buffer != 0:  # replaced before it was reached
            say(
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


@njit(cache=True, error_model="numpy")
def finish_slot(state, slot, index, done, done_indices, frame):
    if slot.next_buffer != 0:
        say(done, done_indices, state, SEGMENT_FREED, index, slot.voice_id, frame, float(slot.next_buffer))
        slot.next_buffer = 0
    slot.state = FREE
    slot.buffer = 0
    slot.level = 0.0
    say(done, done_indices, state, FINISHED, index, slot.voice_id, frame, slot.position)


@njit(cache=True, error_model="numpy")
def _mix_settled(state, slot, left, right, begin, end, reach):
    """Add what a voice plays while nothing about it moves, and return the first frame that is left to do.

    The same values as :func:`mix_slot` computes for these frames, without asking at every sample.
    """
    rate = slot.rate
    available = slot.origin + load_acquire(carray(as_pointer(slot.progress), 2, np.int64), 0)
    room = (available - slot.position - 4.0 - reach) / rate
    if not room >= 8.0:
        return begin
    if room < end - begin:
        end = begin + int(room)
    samples = carray(as_pointer(slot.buffer), 1, np.float32)
    envelope, gain_left, gain_right = slot.envelope, slot.gain_left, slot.gain_right
    position = slot.position
    level = 0.0
    bad = 0
    whole = math.floor(position)
    if rate == 1.0 and position == whole:
        at = whole - slot.origin - begin
        for i in range(begin, end):
            value = float(samples[at + i])
            good = abs(value) < TOO_LOUD
            bad += 0 if good else 1
            value = value * envelope if good else 0.0
            left[i] += value * gain_left
            right[i] += value * gain_right
        for i in range(begin, end, 4):  # for a meter, so now and then is enough
            level = max(level, abs(float(samples[at + i])) * envelope)
        position += end - begin
    else:
        for i in range(begin, end):
            value = _read(samples, slot.origin, position)
            good = abs(value) < TOO_LOUD
            bad += 0 if good else 1
            value = value * envelope if good else 0.0
            left[i] += value * gain_left
            right[i] += value * gain_right
            level = max(level, abs(value))
            position += rate
    slot.position = position
    slot.level = level * max(gain_left, gain_right)
    state.not_finite += bad
    return end


@njit(cache=True, error_model="numpy", inline="always")
def _read(samples, origin, position):
    """The sample at a position between samples: 4-point, third-order Hermite (Catmull-Rom)."""
    whole = math.floor(position)
    fraction = position - whole
    at = whole - origin
    here = float(samples[at])
    if fraction == 0.0:
        return here
    before = float(samples[at - 1]) if at > 0 else here
    after = float(samples[at + 1])
    later = float(samples[at + 2])
    c1 = 0.5 * (after - before)
    c2 = before - 2.5 * here + 2.0 * after - 0.5 * later
    c3 = 0.5 * (later - before) + 1.5 * (here - after)
    return ((c3 * fraction + c2) * fraction + c1) * fraction + here


@njit(cache=True, error_model="numpy", inline="always")
def _reach(rate, rate_target, vibrato, vibrato_target):
    """Samples that a voice needs ahead of it to fade out in time, however fast it is about to run."""
    return STARVING_FRAMES * max(rate, rate_target) * (1.0 + max(vibrato, vibrato_target)) + 2.0


@njit(cache=True, error_model="numpy")
def mix_slot(state, slot, index, left, right, lfo, begin, end, done, done_indices):
    """Add one voice to frames ``begin..end`` of the block."""
    smoothing = state.smoothing
    moving = (
        slot.stage != SUSTAIN or slot.fade_step != 0.0 or slot.starving != FED or slot.state != SOUNDING
        or slot.next_buffer != 0 or slot.vibrato != 0.0 or slot.vibrato_target != 0.0
        or slot.rate != slot.rate_target or slot.gain_left != slot.gain_left_target
        or slot.gain_right != slot.gain_right_target
    )  # fmt: skip
    first = begin
    if not moving:
        begin = _mix_settled(state, slot, left, right, begin, end, _reach(slot.rate, slot.rate, 0.0, 0.0))
        if begin == end:
            return
    progress = carray(as_pointer(slot.progress), 2, np.int64)
    final = load_acquire(progress, 1)
    available = slot.origin + load_acquire(progress, 0)
    samples = carray(as_pointer(slot.buffer), 1, np.float32)
    # Fields that change with every sample live in registers: a record is memory that `left` might alias.
    position, rate, vibrato = slot.position, slot.rate, slot.vibrato
    gain_left, gain_right = slot.gain_left, slot.gain_right
    envelope, stage = slot.envelope, slot.stage
    fade, fade_step, starving = slot.fade, slot.fade_step, slot.starving
    dying = slot.state == DYING
    level = slot.level if begin > first else 0.0
    ended_at = -1
    for i in range(begin, end):
        if slot.next_buffer != 0 and position >= slot.next_switch:
            freed = float(slot.buffer)
            say(done, done_indices, state, SEGMENT_FREED, index, slot.voice_id, state.frame + i - first, freed)
            slot.buffer = slot.next_buffer
            slot.progress = slot.next_progress
            slot.origin = slot.next_origin
            slot.next_buffer = 0
            progress = carray(as_pointer(slot.progress), 2, np.int64)
            final = load_acquire(progress, 1)
            available = slot.origin + load_acquire(progress, 0)
            samples = carray(as_pointer(slot.buffer), 1, np.float32)
        remaining = available - math.floor(position) - 2
        if remaining < 1 and final != 0:
            ended_at = i
            break
        if final == 0:
            reach = _reach(rate, slot.rate_target, vibrato, slot.vibrato_target)
            if remaining < reach and dying:
                fade_step = min(fade_step, -1.0 / STARVING_FRAMES)
            elif remaining < reach and starving == FED:
                starving = FADING
                fade_step = -1.0 / STARVING_FRAMES
            elif remaining > 2.0 * reach and starving != FED and not dying:
                starving = FED
                fade_step = 1.0 / STARVING_FRAMES
        elif starving != FED and not dying:
            starving = FED
            fade_step = 1.0 / STARVING_FRAMES
        value = 0.0
        if remaining >= 1:
            value = _read(samples, slot.origin, position)
            if not abs(value) < TOO_LOUD:
                value = 0.0
                state.not_finite += 1
        elif starving == FADING:
            starving = DRY  # counted once
            state.starved += 1
        # envelope
        if stage == ATTACK:
            envelope += slot.attack_step
            if envelope >= 1.0:
                envelope = 1.0
                stage = DECAY if slot.sustain < 1.0 else SUSTAIN
        elif stage == DECAY:
            envelope = slot.sustain + (envelope - slot.sustain) * slot.decay_factor
            if envelope - slot.sustain < SETTLED:
                envelope = slot.sustain
                stage = SUSTAIN
        elif stage == FADE:
            envelope *= slot.release_factor
            if envelope < SILENT_ENVELOPE:
                ended_at = i
                break
        fade += fade_step
        if fade >= 1.0:
            fade = 1.0
            fade_step = 0.0
        elif fade <= 0.0:
            fade = 0.0
            fade_step = 0.0
            if dying:
                ended_at = i
                break
        # smoothing
        gap = slot.gain_left_target - gain_left
        gain_left = slot.gain_left_target if abs(gap) < SETTLED else gain_left + gap * smoothing
        gap = slot.gain_right_target - gain_right
        gain_right = slot.gain_right_target if abs(gap) < SETTLED else gain_right + gap * smoothing
        gap = slot.rate_target - rate
        rate = slot.rate_target if abs(gap) < SETTLED else rate + gap * smoothing
        gap = slot.vibrato_target - vibrato
        vibrato = slot.vibrato_target if abs(gap) < SETTLED else vibrato + gap * smoothing
        value *= envelope * fade
        left[i] += value * gain_left
        right[i] += value * gain_right
        level = max(level, abs(value) * max(gain_left, gain_right))
        if remaining >= 1:  # a starving voice waits in place
            position += rate * (1.0 + vibrato * lfo[i])
    slot.position, slot.rate, slot.vibrato = position, rate, vibrato
    slot.gain_left, slot.gain_right = gain_left, gain_right
    slot.envelope, slot.stage = envelope, stage
    slot.fade, slot.fade_step, slot.starving = fade, fade_step, starving
    slot.level = level
    if ended_at >= 0:
        finish_slot(state, slot, index, done, done_indices, state.frame + ended_at - first)
