"""Another model while playing: the output stays open, what sounded fades, and a model that fails changes nothing.

In a process of its own, since PortAudio does not survive a JACK server that ends before it does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.helpers import jack
from tests.helpers.program import environment

_CHILD = """
import json, subprocess, time
from synth_app.app.paths import ensure_numba_cache
ensure_numba_cache()
from synth_app.app.instrument import LiveInstrument, LiveOptions
from synth_app.core.errors import ModelError
from synth_app.core.events import ControlChange, NoteOn, SetParam

def state():
    t = live.telemetry()
    return dict(model=t.model, patch=t.patch_name, anchors=len(live.anchors), callbacks=t.callbacks,
                voices=[v.pitch for v in t.voices], peak=t.peak_left, xruns=t.xruns)

def strike(pitch):
    live.post(NoteOn(time.monotonic_ns(), 0, pitch, 110))
    end = time.monotonic() + 20.0
    while time.monotonic() < end:
        t = live.telemetry()
        if t.peak_left > 1e-3 and pitch in [v.pitch for v in t.voices]:
            break
        time.sleep(0.01)
    return state()

def wires():
    return subprocess.run(["jack_lsp", "-c"], capture_output=True, text=True, check=True).stdout

live = LiveInstrument(LiveOptions(headless=True, cache_mb=0))
live.wait_ready()
live.post(SetParam(time.monotonic_ns(), "polyphony", 8.0))
found = dict(before=strike(60), wires=wires(), greets=live.preset_path.stem)
live.post(ControlChange(time.monotonic_ns(), 0, 64, 127))
live.open_model("partials", "cpu")
found["after"] = strike(62)
found["polyphony"] = live.room.core.control.performer.settings["polyphony"]
try:
    live.open_model("no such model", "cpu")
except ModelError as error:
    found["refused"] = str(error)
found["still"] = strike(64)
live.open_model("", "auto")
found["back"] = strike(65)
found["wires_after"] = wires()
first = live.patch
other = next((name, path) for name, path in live.presets() if name != first.name)
live.load_preset(other[1])
strike(66)
live.set_patch(first)
found["undone"] = [other[0], first.name, live.library.presets.load(live.preset_path).name]
live.fade_out()
live.close()
print(json.dumps(found))
"""


def test_another_model_plays_on_the_open_output(jack_server: jack.JackServer, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        capture_output=True, text=True, timeout=240, check=False, cwd=root, stdin=subprocess.DEVNULL,
        env=environment(tmp_path, PYTHONPATH=str(root)),
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert found["before"]["voices"] == [60] and found["before"]["model"] == "default"
    assert found["greets"].casefold() == "welcome", "the panel can mark it in its list"
    assert "partials" in found["after"]["model"]
    assert found["after"]["voices"] == [62], "what sounded has faded, pedal or not"
    assert found["after"]["anchors"] != found["before"]["anchors"]
    assert found["polyphony"] == 8.0, "what the player set stays"
    assert "no such model" in found["refused"]
    assert found["still"]["voices"] == [62, 64], "and the present model plays on"
    assert found["back"]["model"] == "default" and found["back"]["patch"] == "Welcome"
    assert found["back"]["callbacks"] > found["before"]["callbacks"]
    other, first, remembered = found["undone"]
    assert other != first == remembered, "a preset that undo left is not the one to come back with"
    assert found["wires"] == found["wires_after"], "the player's connections stay"
