"""Freed notes give their memory back."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
import numpy as np
from synth_app.adapters.memory import return_freed_memory

def resident_bytes():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024

if sys.argv[1] == "give":
    assert return_freed_memory()
np.ones(200_000, np.float32)  # freed at once: from here on glibc would keep blocks of this size
before = resident_bytes()
notes = [(np.ones(190_000, np.float32), np.ones(30_000, np.float32)) for _ in range(200)]
kept = [small for _large, small in notes]
del notes
print(resident_bytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_what_is_freed_between_what_is_kept_goes_back() -> None:
    def grown(mode: str) -> int:
        done = subprocess.run([sys.executable, "-c", _PROGRAM, mode], capture_output=True, text=True, check=True)
        return int(done.stdout)

    kept = 200 * 30_000 * 4
    assert grown("give") < 2 * kept
    assert grown("keep") > 4 * kept  # otherwise this test shows nothing
