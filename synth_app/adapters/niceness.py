"""Thread priorities, where the system allows them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading


def lower_own_priority(niceness: int) -> None:
    """Let the calling thread, and those it will start, step back behind audio and MIDI (Linux; elsewhere a no-op).

    On Linux a thread has a niceness of its own; the threads of a session that is created here inherit it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
