"""Sound goes on while Python stands still: the callback needs nothing that Python holds.

In a process of its own, since PortAudio does not survive a JACK server that ends before it does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import jack
from tests.helpers.program import environment

HELD_S = 0.5
_CHILD = """
import ctypes, json
import numpy as np
from synth_app.app.paths import ensure_numba_cache
ensure_numba_cache()
from synth_app.adapters.audio_portaudio import PortAudioStream, choose_output
from synth_app.engine.clock import read_stamp
from synth_app.engine.ports import AudioSettings
from synth_app.engine.protocol import TAP_FRAMES
from tests.unit.engine.desk import Buffer, Desk

desk = Desk({rate_hz})
memory, state = desk.memory, desk.state
output = choose_output(AudioSettings("JACK"))
stream = PortAudioStream(output, memory)
noise = Buffer(np.random.default_rng(1).uniform(-0.25, 0.25, 20 * {rate_hz}))
desk.start(noise)
usleep = ctypes.PyDLL(None).usleep  # PyDLL calls without letting go of the GIL

def whole_stamp():
    # None before the first block, and while the callback writes it: a loaded machine may stop it just there
    for _ in range(10_000):
        if (stamp := read_stamp(memory)) is not None:
            return stamp
        usleep(1000)
    raise SystemExit("the callback never came")

whole_stamp()
usleep(50_000)
calls, frame, stamp = int(state["callbacks"]), int(state["frame"]), whole_stamp()
usleep({held_us})
calls, frames = int(state["callbacks"]) - calls, int(state["frame"]) - frame
newer = whole_stamp()
end = int(state["tap_frame"])
heard = memory.tap.reshape(TAP_FRAMES, 2)[np.arange(end - frames // 2, end) % TAP_FRAMES, 0]
stream.close()
at = next((p for p in range(64, len(noise.samples)) if np.array_equal(noise.samples[p - 64 : p], heard[-64:])), 0)
print(json.dumps(dict(
    rate_hz=output.rate_hz, block=int(state["block"]), calls=calls, frames=frames, stamps=[stamp, newer],
    unbroken=bool(at and np.array_equal(heard, noise.samples[at - len(heard) : at])),
)))
"""


@pytest.fixture
def server(_jack_server: jack.JackServer) -> jack.JackServer:
    """A server that waits for nobody."""
    _jack_server.ensure(jack.ServerMode(period=512, synchronous=False))
    return _jack_server


@pytest.mark.usefixtures("server")
def test_callbacks_go_on_while_the_gil_is_held_for_half_a_second(tmp_path: Path):
    """A callback in Python gets one or two calls in, however large its buffer."""
    root = Path(__file__).parents[2]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD.format(rate_hz=jack.RATE_HZ, held_us=round(HELD_S * 1e6))],
        capture_output=True, text=True, timeout=120, check=False, cwd=root, stdin=subprocess.DEVNULL,
        env=environment(tmp_path, PYTHONPATH=str(root)),
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    expected = HELD_S * jack.RATE_HZ
    assert found["rate_hz"] == jack.RATE_HZ
    assert found["frames"] > 0.5 * expected
    assert found["calls"] > 0.5 * expected / found["block"]
    before, after = found["stamps"]
    assert after[0] > before[0]
    assert after[1] > before[1]
    assert found["unbroken"], "and what they mixed meanwhile has no gap"
