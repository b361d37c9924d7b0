"""The audio callback against its deadline: the compiled mixer beside the same mixing in numpy.

Back to back first (what the mixing costs), on an idle and on a busy interpreter, then on the audio thread of a real
JACK server (what it costs when it is woken for every block, with cold caches).
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.niceness import ask_for_real_time
from synth_app.app.bench.mixing import RATE_HZ, VOICES, Chord, CompiledMixer, NumpyMixer, make_chord
from synth_app.app.bench.rows import P999, Reach, Row, measured, single
from synth_app.app.bench.setting import Setting
from synth_app.app.bench.stopwatch import Stopwatch
from synth_app.engine.callback import CALLBACK

GROUP = f"Audio callback, {VOICES} voices, every sample interpolated"
BLOCKS = (64, 128, 256)
BUSY_BLOCK = 128
SWITCH_INTERVAL_S = 0.0002
"""As the instrument sets it (app/live.py)."""

PAUSE_S = 0.15
"""Between turns: the system stops a real-time thread for 50 ms when it never sleeps."""

Durations = NDArray[np.float64]


def callback_times(setting: Setting) -> Sequence[Row]:
    """Back-to-back blocks at each size, compiled and in numpy; then both beside a busy Python thread."""
    chord = make_chord(np.random.default_rng(setting.seed))
    rows: list[Row] = []
    for frames in BLOCKS:
        compiled, plain = _in_thread(partial(_both, setting, chord, frames))
        rows.append(row_of(f"{frames} frames, compiled", compiled, frames))
        rows.append(row_of(f"{frames} frames, the same in numpy", plain, frames, judged=False))
    with _busy_interpreter():
        compiled, plain = _in_thread(partial(_both, setting, chord, BUSY_BLOCK))
    beside = f"{BUSY_BLOCK} frames beside a busy Python thread"
    rows.append(row_of(f"{beside}, compiled", compiled, BUSY_BLOCK))
    rows.append(row_of(f"{beside}, the same in numpy", plain, BUSY_BLOCK, judged=False))
    ratio = float(np.percentile(plain, 99) / np.percentile(compiled, 99))
    rows.append(single(GROUP, f"{beside}: numpy over compiled at p99", ratio, "times"))
    return rows


def row_of(name: str, durations_us: Durations, frames: int, *, judged: bool = True) -> Row:
    """Durations of callbacks as a row; judged at a fifth of the block."""
    block_us = 1e6 * frames / RATE_HZ
    late = int(np.count_nonzero(durations_us > block_us))
    note = (
        f"p99.9 is {np.percentile(durations_us, 99.9) / block_us:.1%} of the block's {block_us:,.0f} us, the median "
        f"{np.median(durations_us) / block_us:.1%}; {late} of {len(durations_us)} took longer than the block"
    )
    reach = Reach(P999, round(0.2 * block_us)) if judged else None
    return measured(GROUP, name, durations_us, "us", reach, note)


def _both(setting: Setting, chord: Chord, frames: int) -> tuple[Durations, Durations]:
    """Compiled and numpy, in turns, chord by chord."""
    compiled, plain = CompiledMixer(chord), NumpyMixer(chord)
    callback = plain.as_callback(compiled.memory)
    ours = Stopwatch(CALLBACK.address, compiled.memory.table.ctypes.data, 1 << 17)
    theirs = Stopwatch(address_of(callback), 0, 1 << 17)
    out = np.zeros((frames, 2), np.float32)
    blocks = chord.frames // frames
    for turn in range(setting.times(8, 1)):
        compiled.strike()
        plain.strike()
        ours.call(out, blocks)
        theirs.call(out, min(blocks, setting.times(500, 60)))
        while compiled.sounding:
            compiled.memory.mix(out)
        if turn == 0 and not setting.quick:
            ours.restart()  # the first turn warms caches and pages
            theirs.restart()
        time.sleep(PAUSE_S)
    return ours.durations_us(), theirs.durations_us()


def address_of(callback: ctypes._CFunctionType) -> int:
    """Where C finds a callback made by ctypes."""
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


def _in_thread(measure: Callable[[], tuple[Durations, Durations]]) -> tuple[Durations, Durations]:
    """Measure on a thread of its own with real-time priority (where allowed), as an audio thread has."""
    results: list[tuple[Durations, Durations]] = []
    failures: list[BaseException] = []

    def run() -> None:
        ask_for_real_time()
        try:
            results.append(measure())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="callback bench")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


@contextmanager
def _busy_interpreter() -> Iterator[None]:
    """Another thread that runs Python without pause while the block runs, at the instrument's switch interval."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(50))

    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    thread = threading.Thread(target=spin, name="busy")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
