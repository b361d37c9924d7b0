"""The compiled callback: what it may never call, and that PortAudio's calls and Python's give the same mix."""

from __future__ import annotations

import ctypes
import re
import time

import numpy as np
import pytest
from numba import cfunc, njit, types

from synth_app.engine import callback, protocol
from synth_app.engine.callback import CALLBACK, OUTPUT_UNDERFLOW, MixerMemory
from synth_app.engine.clock import read_stamp
from synth_app.engine.protocol import MAX_BLOCK, STAMP_SEQUENCE, TAP_FRAMES
from tests.unit.engine.desk import RATE_HZ, Desk, ones, sine

ALLOCATES = re.compile(r"NRT_\w*[Aa]lloc|@malloc|@calloc|@realloc|PyObject|PyMem")
RAISES = re.compile(r"picklebuf|PyErr_SetNone|ZeroDivision")


def _call(memory: MixerMemory, frames: int, flags: int = 0) -> np.ndarray:
    """Call the C function as PortAudio does."""
    out = np.full((frames, 2), np.nan, np.float32)
    function = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64,
        ctypes.c_void_p,
    )(CALLBACK.address)  # fmt: skip
    assert function(None, out.ctypes.data, frames, None, flags, memory.table.ctypes.data) == 0
    return out


def _bodies(module: str) -> dict[str, str]:
    """Each function that a module of LLVM code defines, by name."""
    return {
        found.group(1): found.group(0)
        for found in re.finditer(r'^define [^@]*@"?([\w.$]+)"?\(.*?^}', module, re.DOTALL | re.MULTILINE)
    }


@pytest.fixture(scope="module")
def kernels() -> dict[str, str]:
    """The LLVM code of the callback and all it calls, compiled anew (what is cached cannot be looked into)."""
    compiled = cfunc(callback._SIGNATURE, nopython=True, error_model="numpy")(CALLBACK._pyfunc)
    bodies = _bodies(compiled.inspect_llvm())
    # numba wraps a C function in code that reports errors; what our own code could report is looked for instead.
    return {name: body for name, body in bodies.items() if not name.startswith("cfunc.")}


def test_the_callback_allocates_nothing(kernels: dict[str, str]):
    for room in ("mixer", "slots", "limiter"):
        assert any(room in name for name in kernels), f"the functions of {room} are in there"
    for name, body in kernels.items():
        assert not ALLOCATES.search(body), name


def test_the_callback_cannot_raise_and_never_takes_the_gil(kernels: dict[str, str]):
    for name, body in kernels.items():
        assert not RAISES.search(body), name
        assert "numba_gil" not in body, name
        assert "PyGILState" not in body, name


def test_the_search_would_find_an_allocation_and_an_error():
    @njit
    def careless(n):
        return np.ones(n).sum() / (n - 1)

    @cfunc(types.float64(types.int64), nopython=True)
    def outer(n):
        return careless(n)

    code = "\n".join(body for name, body in _bodies(outer.inspect_llvm()).items() if not name.startswith("cfunc."))
    assert ALLOCATES.search(code)
    assert RAISES.search(code)


@pytest.mark.parametrize("frames", [1, 64, 128, MAX_BLOCK, MAX_BLOCK + 1, 5000])
def test_the_c_function_mixes_what_python_mixes(frames: int):
    desks = Desk(), Desk()
    for desk in desks:
        desk.start(sine(440.0), frame=10, rate=1.1)
    np.testing.assert_array_equal(_call(desks[0].memory, frames), desks[1].play(frames, (frames,)))


def test_every_call_stamps_the_frame_and_the_time_at_which_it_began():
    memory = MixerMemory(RATE_HZ)
    assert read_stamp(memory) is None
    for number in range(3):
        before = time.monotonic_ns()
        _call(memory, 128)
        after = time.monotonic_ns()
        stamp = read_stamp(memory)
        assert stamp is not None
        frame, time_ns = stamp
        assert frame == 128 * number
        assert before <= time_ns <= after
    assert memory.state[0]["callbacks"] == 3
    assert memory.state[0]["block"] == 128


def test_a_stamp_that_is_being_written_is_not_read():
    memory = MixerMemory(RATE_HZ)
    _call(memory, 128)
    memory.stamps[STAMP_SEQUENCE] += 1
    assert read_stamp(memory) is None
    memory.stamps[STAMP_SEQUENCE] += 1
    assert read_stamp(memory) is not None


def test_underflows_that_the_driver_reports_are_counted():
    memory = MixerMemory(RATE_HZ)
    _call(memory, 64, OUTPUT_UNDERFLOW)
    _call(memory, 64, 0)
    _call(memory, 64, OUTPUT_UNDERFLOW | 1)
    assert memory.state[0]["underflows"] == 2


def test_the_tap_keeps_what_was_put_out_and_wraps():
    desk = Desk()
    for slot, start in enumerate(range(0, TAP_FRAMES + 9000, 40_000)):
        desk.start(sine(200.0 + slot, 0.8), slot=slot, frame=start)
    out = desk.play(TAP_FRAMES + 9000, (4096,))
    assert desk.state["tap_frame"] == len(out)
    tap = desk.memory.tap.reshape(TAP_FRAMES, 2)
    places = np.arange(len(out) - TAP_FRAMES, len(out)) % TAP_FRAMES
    np.testing.assert_array_equal(tap[places], out[-TAP_FRAMES:])


def test_the_level_of_a_slot_is_what_the_panel_may_show():
    desk = Desk()
    desk.start(sine(1000.0, 1.0, 0.5), gain=0.5)
    desk.start(ones(), slot=1, attack_s=0.5)
    desk.play(1280)
    levels = desk.memory.slots["level"]
    assert levels[0] == pytest.approx(0.25, rel=0.02)
    assert 0.0 < levels[1] < 0.02
    desk.kill(0)
    desk.play(1280)
    assert desk.memory.slots["level"][0] == 0.0


def test_records_have_no_padding_and_are_aligned():
    for dtype in (protocol.COMMAND, protocol.DONE, protocol.SLOT, protocol.STATE):
        assert dtype.itemsize == 8 * len(dtype.names or ())
    memory = MixerMemory(RATE_HZ)
    assert all(address % 8 == 0 for address in memory.table[:-1])
