"""The audio callback itself, and the memory it works on.

PortAudio calls :data:`CALLBACK`, a C function compiled by numba that never takes the GIL. Everything it needs is
reached from one pointer, a table of addresses kept by :class:`MixerMemory`; there are no globals, so the compiled code
is cached on disk. The callback stamps the start of every block with the monotonic clock for
:mod:`~synth_app.engine.clock`.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from numba import carray, cfunc, njit, types
from numpy.typing import NDArray

from synth_app.core.shared import as_pointer, store_release
from synth_app.core.units import db_to_gain
from synth_app.engine.limiter import BOX_ONE
from synth_app.engine.mixer import mix_block
from synth_app.engine.protocol import (
    COMMAND,
    COMMAND_CAPACITY,
    DONE,
    DONE_CAPACITY,
    MAX_BLOCK,
    SLOT,
    SLOTS,
    STAMP_FRAME,
    STAMP_NS,
    STAMP_SCRATCH,
    STAMP_SEQUENCE,
    STATE,
    TAP_FRAMES,
    look_ahead_frames,
)
from synth_app.engine.rings import INDEX_WORDS, Ring

CEILING_DB = -0.3
SMOOTHING_S = 0.004
LIMITER_RELEASE_S = 0.08
OUTPUT_UNDERFLOW = 4  # PortAudio's paOutputUnderflow

_CLOCK_MONOTONIC = 8 if sys.platform == "darwin" else 1  # on macOS the clock behind time.monotonic is UPTIME_RAW
_HAS_CLOCK = sys.platform != "win32"
_clock_gettime = types.ExternalFunction("clock_gettime", types.intc(types.intc, types.CPointer(types.int64)))


class MixerMemory:
    """All memory the callback touches, and the control thread's ends of its two rings.

    Attributes:
        commands: ring to the mixer. done: ring back.
        state: STATE ``[1]``; slots: SLOT ``[SLOTS]``; tap: float32 ``[2 * TAP_FRAMES]``, finished output.
        table: int64 addresses, handed to the callback.
        lent: whatever else the callback reads: it lives as long as this memory does, whoever lent it.
    """

    def __init__(self, rate_hz: int) -> None:
        size = look_ahead_frames(rate_hz)
        self.rate_hz = rate_hz
        self.commands = Ring(COMMAND, COMMAND_CAPACITY)
        self.done = Ring(DONE, DONE_CAPACITY)
        self.state = np.zeros(1, STATE)
        self.slots = np.zeros(SLOTS, SLOT)
        self.pending = np.zeros(COMMAND_CAPACITY, COMMAND)
        self.delay_left = np.zeros(size)
        self.delay_right = np.zeros(size)
        self.box = np.full(size, BOX_ONE, np.int64)
        self.window_gain = np.ones(size + 2)
        self.window_at = np.zeros(size + 2, np.int64)
        self.tap = np.zeros(2 * TAP_FRAMES, np.float32)
        self.scratch = np.zeros((3, MAX_BLOCK))
        self.stamps = np.zeros(5, np.int64)
        self.lent: list[object] = []
        state = self.state[0]
        state["rate_hz"] = rate_hz
        state["master"] = state["master_target"] = 1.0
        state["vibrato_hz"] = 5.5
        state["smoothing"] = 1.0 - math.exp(-1.0 / (SMOOTHING_S * rate_hz))
        state["limiter_ceiling"] = db_to_gain(CEILING_DB)
        state["limiter_release"] = 1.0 - math.exp(-1.0 / (LIMITER_RELEASE_S * rate_hz))
        state["limiter_envelope"] = 1.0
        state["limiter_sum"] = size * BOX_ONE
        state["reduction"] = 1.0
        self._arrays = (
            self.state, self.slots, self.commands.records, self.commands.indices, self.pending, self.done.records,
            self.done.indices, self.delay_left, self.delay_right, self.box, self.window_gain, self.window_at, self.tap,
            self.scratch, self.stamps,
        )  # fmt: skip
        self.table = np.array([array.ctypes.data for array in self._arrays] + [size], np.int64)

    def mix(self, out: NDArray[np.float32]) -> None:
        """Mix into ``out`` (float32 ``[frames, 2]``, contiguous) from Python: offline, and in tests."""
        run_block(self.table, out.reshape(-1), len(out))


@njit(cache=True, nogil=True, error_model="numpy")
def run_block(table, out, frames):
    """Mix any number of frames into ``out``, in pieces the kernel accepts."""
    size = table[15]
    state = carray(as_pointer(table[0]), 1, STATE)
    slots = carray(as_pointer(table[1]), SLOTS, SLOT)
    commands = carray(as_pointer(table[2]), COMMAND_CAPACITY, COMMAND)
    command_indices = carray(as_pointer(table[3]), INDEX_WORDS, np.int64)
    pending = carray(as_pointer(table[4]), COMMAND_CAPACITY, COMMAND)
    done = carray(as_pointer(table[5]), DONE_CAPACITY, DONE)
    done_indices = carray(as_pointer(table[6]), INDEX_WORDS, np.int64)
    delay_left = carray(as_pointer(table[7]), size, np.float64)
    delay_right = carray(as_pointer(table[8]), size, np.float64)
    box = carray(as_pointer(table[9]), size, np.int64)
    window_gain = carray(as_pointer(table[10]), size + 2, np.float64)
    window_at = carray(as_pointer(table[11]), size + 2, np.int64)
    tap = carray(as_pointer(table[12]), 2 * TAP_FRAMES, np.float32)
    scratch = carray(as_pointer(table[13]), (3, MAX_BLOCK), np.float64)
    begin = 0
    while begin < frames:
        piece = min(MAX_BLOCK, frames - begin)
        mix_block(
            state, slots, commands, command_indices, pending, done, done_indices, delay_left, delay_right, box,
            window_gain, window_at, tap, scratch, out[2 * begin : 2 * (begin + piece)], piece,
        )  # fmt: skip
        begin += piece


@njit(cache=True, error_model="numpy")
def _stamp(table, frames):
    """Publish (frame, monotonic time) of a block's start; the sequence number is odd while it is being written."""
    state = carray(as_pointer(table[0]), 1, STATE)[0]
    stamps = carray(as_pointer(table[14]), 5, np.int64)
    store_release(stamps, STAMP_SEQUENCE, stamps[STAMP_SEQUENCE] + 1)
    if _HAS_CLOCK:
        scratch = stamps[STAMP_SCRATCH:]
        _clock_gettime(_CLOCK_MONOTONIC, scratch.ctypes)
        store_release(stamps, STAMP_NS, scratch[0] * 1_000_000_000 + scratch[1])
    store_release(stamps, STAMP_FRAME, state.frame)
    store_release(stamps, STAMP_SEQUENCE, stamps[STAMP_SEQUENCE] + 1)
    state.callbacks += 1
    state.block = frames


_SIGNATURE = types.int32(types.voidptr, types.voidptr, types.uint64, types.voidptr, types.uint64, types.voidptr)


@cfunc(_SIGNATURE, nopython=True, cache=True, error_model="numpy")
def CALLBACK(_input, output, frames, _time, flags, user):  # noqa: N802
    """PortAudio's stream callback: float32 stereo out, any number of frames, 0 = paContinue."""
    count = np.int64(frames)
    table = carray(user, 16, np.int64)
    out = carray(output, 2 * count, np.float32)
    _stamp(table, count)
    if flags & OUTPUT_UNDERFLOW:
        carray(as_pointer(table[0]), 1, STATE)[0].underflows += 1
    run_block(table, out, count)
    return np.int32(0)
