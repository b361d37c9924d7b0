"""Which machine this is, and how busy it is with other things. Reads what the system tells anybody; names nobody."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from synth_app import __version__
from synth_app.app.bench.rows import Facts

_LIBRARIES = ("numpy", "numba", "onnxruntime-gpu", "onnxruntime", "sounddevice", "python-rtmidi")
_STAT = Path("/proc/stat")


def machine_facts(provider: str) -> Facts:
    """The present machine, as far as it matters to the figures."""
    return Facts(
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"),
        program=f"synth_app {__version__}",
        system=_system(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=_memory_gb(),
        python=platform.python_version(),
        libraries={name: version for name in _LIBRARIES if (version := _version(name))},
        provider=provider,
        load_before=load_average(),
    )


def load_average() -> tuple[float, ...]:
    """Programs that wanted the processor over the last 1, 5 and 15 minutes; empty where the system does not count."""
    return tuple(round(value, 2) for value in os.getloadavg()) if hasattr(os, "getloadavg") else ()


@dataclass(slots=True)
class OthersMeter:
    """How much of the machine other programs use while something is measured.

    Our own share is this process and those of its children that have ended; what remains of the busy time is the
    others', the hypervisor's included. Known on Linux only.
    """

    _busy_s: float = 0.0
    _own_s: float = 0.0
    _began_s: float = 0.0

    def start(self) -> None:
        """Begin."""
        self._busy_s, self._own_s, self._began_s = _busy_s(), _own_s(), time.monotonic()

    def share(self) -> float | None:
        """Share (0..1) of all cores since :meth:`start`."""
        elapsed = time.monotonic() - self._began_s
        if not _STAT.exists() or elapsed < 0.1:
            return None
        others = (_busy_s() - self._busy_s) - (_own_s() - self._own_s)
        return min(1.0, max(0.0, others / elapsed / (os.cpu_count() or 1)))


def _busy_s() -> float:
    if not _STAT.exists():
        return 0.0
    fields = [int(word) for word in _STAT.read_text(encoding="ascii").splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return float(user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _system() -> str:
    if sys.platform == "linux":
        try:
            return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"
        except (OSError, KeyError):
            pass
    return f"{platform.system()} {platform.release()}, {platform.machine()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gb() -> float:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0.0
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
