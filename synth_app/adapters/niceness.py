"""Thread priorities, where the system allows them. Everything here is best effort: a refusal changes nothing.

The threads that hand notes over ask for real time; the generator's pool steps back. The thread that *calls* the
generator keeps the normal priority on purpose: it also holds Python's lock now and then, and a thread that is made to
wait while holding it would make the note hand-over wait with it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

HANDOVER_PRIORITY = 5
"""Below the audio callback's (JACK gives 10 and more), above everything that is not real time."""


def lower_own_priority(niceness: int) -> None:
    """Let the calling thread, and those it will start, step back behind audio and MIDI (Linux; elsewhere a no-op).

    On Linux a thread has a niceness of its own; the threads of a session that is created here inherit it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def ask_for_real_time() -> bool:
    """Ask that the calling thread runs as soon as it has something to do; whether the system agreed (Linux)."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(
            threading.get_native_id(), os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(HANDOVER_PRIORITY)
        )
    except OSError:
        return False
    return True


def keep_to_core(index: int, of: int) -> None:
    """Let the calling thread, one of some that share a machine of as many cores, keep to its own (Linux).

    Where there are more cores than threads the system has room to choose, and does so better.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if 1 < of == len(cores):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(threading.get_native_id(), {cores[index]})
