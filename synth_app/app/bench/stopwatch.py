"""A stopwatch round an audio callback, compiled: from its entry to its exit, waiting for the GIL included.

:data:`TIMED` has PortAudio's signature and calls another callback whose address it finds in a :class:`Stopwatch`. The
same few instructions stand round the mixer's compiled callback and round one written in Python, so that the two can be
compared, and neither is timed by an interpreter that has to take part in what it times.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from synth_app.app.bench.setting import CannotMeasureError
from synth_app.core.shared import as_pointer, read_shared, store_release, write_shared

TARGET, USER, DURATIONS, CAPACITY, COUNT, SCRATCH = 0, 1, 2, 3, 4, 5
_WORDS = 8
_CLOCK_MONOTONIC = 8 if sys.platform == "darwin" else 1
_HAS_CLOCK = sys.platform != "win32"
_clock_gettime = types.ExternalFunction("clock_gettime", types.intc(types.intc, types.CPointer(types.int64)))


class Stopwatch:
    """Times every call of one callback.

    Args:
        target: address of the callback. user: the pointer it expects as its last argument.
        capacity: how many calls to remember; later ones are made but not remembered.

    Raises:
        CannotMeasureError: this system has no clock that compiled code can read.
    """

    def __init__(self, target: int, user: int, capacity: int) -> None:
        if not _HAS_CLOCK:
            raise CannotMeasureError("this system has no clock_gettime for compiled code to read")
        self._durations = np.zeros(capacity, np.int64)
        self.table = np.zeros(_WORDS, np.int64)
        self.table[:4] = target, user, self._durations.ctypes.data, capacity

    @property
    def count(self) -> int:
        """Calls remembered so far."""
        return min(read_shared(self.table, COUNT), len(self._durations))

    def restart(self) -> None:
        """Forget what was measured (nothing may be calling meanwhile)."""
        write_shared(self.table, COUNT, 0)

    def durations_us(self) -> NDArray[np.float64]:
        """Microseconds of each call so far, in order."""
        return np.asarray(self._durations[: self.count] * 1e-3, np.float64)

    def call(self, out: NDArray[np.float32], times: int) -> None:
        """Call the callback back to back, for blocks of ``out`` (float32 ``[frames, 2]``), without the GIL."""
        call_many(self.table, out.reshape(-1), len(out), times)


@intrinsic
def _call_target(
    typing_context: Any, address: Any, source: Any, out: Any, frames: Any, time: Any, flags: Any, user: Any
) -> Any:
    """Call a PortAudio stream callback by its address."""
    word, pointer = types.uint64, types.voidptr
    signature = types.int32(types.int64, pointer, pointer, word, pointer, word, pointer)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i8p, i64 = ir.IntType(8).as_pointer(), ir.IntType(64)
        kind = ir.FunctionType(ir.IntType(32), [i8p, i8p, i64, i8p, i64, i8p])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return signature, generate


@njit(cache=True)
def _now_ns(table: Any) -> Any:
    scratch = table[SCRATCH:]
    _clock_gettime(_CLOCK_MONOTONIC, scratch.ctypes)
    return scratch[0] * 1_000_000_000 + scratch[1]


@njit(cache=True)
def _timed(table: Any, source: Any, out: Any, frames: Any, time: Any, flags: Any) -> Any:
    start = _now_ns(table)
    result = _call_target(table[TARGET], source, out, frames, time, flags, as_pointer(table[USER]))
    stop = _now_ns(table)
    count = table[COUNT]
    if count < table[CAPACITY]:
        carray(as_pointer(table[DURATIONS]), table[CAPACITY], np.int64)[count] = stop - start
    store_release(table, COUNT, count + 1)
    return result


@njit(cache=True, nogil=True)
def call_many(table: Any, out: Any, frames: Any, times: Any) -> None:
    """Call the callback of a stopwatch's table ``times`` times, back to back."""
    nothing = as_pointer(0)
    address = as_pointer(np.int64(out.ctypes.data))
    for _ in range(times):
        _timed(table, nothing, address, np.uint64(frames), nothing, np.uint64(0))


_SIGNATURE = types.int32(types.voidptr, types.voidptr, types.uint64, types.voidptr, types.uint64, types.voidptr)


@cfunc(_SIGNATURE, nopython=True, cache=True, error_model="numpy")
def TIMED(source: Any, out: Any, frames: Any, time: Any, flags: Any, user: Any) -> Any:  # noqa: N802
    """A stream callback that times another one; its user pointer is a stopwatch's table."""
    return _timed(carray(user, _WORDS, np.int64), source, out, frames, time, flags)
