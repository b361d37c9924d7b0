"""What this machine has and lacks for playing, each with the command that mends it.

A check is a function without arguments that returns a :class:`Finding`. None of them raises, opens a stream or makes a
sound; one that itself goes wrong is reported as failed rather than ending the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from synth_app.adapters import model_store
from synth_app.adapters.frame_store import size_of
from synth_app.adapters.generator_openvino import openvino_missing
from synth_app.adapters.preset_store import PresetStore
from synth_app.app import machine, paths
from synth_app.app.settings import SettingsFile
from synth_app.core.command import COMMAND
from synth_app.core.errors import ModelError, SynthAppError
from synth_app.core.processor import multiplies_in_bfloat16


class State(StrEnum):
    """How a check came out: ``FAIL`` keeps the instrument from playing, ``WARN`` makes it play less well."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        topic: what was looked at.
        detail: what was found.
        cure: a command, or what to do; "" when nothing is wrong.
    """

    topic: str
    state: State
    detail: str
    cure: str = ""


Check = Callable[[], Finding]

# Shared library -> the Debian package that brings it; tools/bootstrap.sh installs the same packages.
SOUND_LIBRARIES = {"libportaudio.so.2": "libportaudio2"}
PANEL_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}
FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
FONT_PACKAGE = "fonts-dejavu-core"

_REALTIME_PRIORITY = 10
_LEAST_FREE_BYTES = 500 * 1000 * 1000


def examine() -> Iterator[Finding]:
    """Run every check, one after the other."""
    for topic, check in checks().items():
        try:
            yield check()
        except SynthAppError as error:
            yield Finding(topic, State.FAIL, str(error), "do what the line above says, then ask the doctor again")
        except Exception as error:  # a doctor that falls over tells less than one that says where it stumbled
            yield Finding(topic, State.FAIL, f"the check itself failed: {error!r}", "please report this as a bug")


def checks() -> dict[str, Check]:
    """Every check by topic, in the order in which they are shown."""
    return {
        "python": check_python,
        "sound libraries": lambda: check_libraries("sound libraries", SOUND_LIBRARIES, State.FAIL),
        "panel libraries": lambda: check_libraries("panel libraries", PANEL_LIBRARIES, State.WARN),
        "fonts": check_fonts,
        "screen": check_screen,
        "audio": check_audio,
        "midi": check_midi,
        "real-time priority": check_realtime,
        "model": check_model,
        "generator": check_provider,
        "presets": check_presets,
        "settings": check_settings,
        "notes on disk": check_notes,
        "disk": check_disk,
    }


def check_python() -> Finding:
    """The interpreter's version against what the libraries have wheels for."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 13):
        return Finding("python", State.OK, version)
    return Finding("python", State.WARN, f"{version}; tried with 3.11 and 3.12", "./play in a checkout brings its own")


def check_libraries(topic: str, libraries: dict[str, str], state: State) -> Finding:
    """System libraries that Python wheels do not bring. Elsewhere than on Linux the wheels bring them all."""
    if not sys.platform.startswith("linux"):
        return Finding(topic, State.OK, "come with the Python packages here")
    missing = [package for library, package in libraries.items() if not _loads(library)]
    if not missing:
        return Finding(topic, State.OK, f"all {len(libraries)} there")
    return Finding(topic, state, f"missing: {', '.join(missing)}", f"sudo apt-get install {' '.join(missing)}")


def check_fonts() -> Finding:
    """Without any font Qt runs but draws no text."""
    if not sys.platform.startswith("linux"):
        return Finding("fonts", State.OK, "come with the system")
    if any(next(folder.rglob("*.[to]tf"), None) for folder in FONT_FOLDERS):
        return Finding("fonts", State.OK, "there")
    return Finding("fonts", State.WARN, "none: the panel would show no text", f"sudo apt-get install {FONT_PACKAGE}")


def check_screen() -> Finding:
    """Whether the panel could open."""
    if machine.screen_at_hand():
        name = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or sys.platform
        return Finding("screen", State.OK, name)
    return Finding("screen", State.WARN, "none: plays without the panel", "log in to a desktop, or set DISPLAY")


def check_audio() -> Finding:
    """The outputs that PortAudio sees."""
    outputs = machine.audio_outputs()
    if not outputs:
        return Finding(
            "audio", State.FAIL, "no output device and no JACK server", "plug in a sound card, or start jackd"
        )
    best = next((device for device in outputs if device.is_default), outputs[0])
    apis = sorted({device.host_api for device in outputs})
    return Finding("audio", State.OK, f"{len(outputs)} outputs through {', '.join(apis)}; the default is {best.name}")


def check_midi() -> Finding:
    """MIDI systems and the inputs behind them."""
    midi = machine.midi_at_hand()
    if not midi.own_ports:
        cure = "sudo modprobe snd-seq, or start jackd" if sys.platform.startswith("linux") else "plug in a keyboard"
        return Finding("midi", State.WARN, "no MIDI system: play on the panel's keyboard", cure)
    ports = f"own port {', '.join(midi.own_ports)}"
    if not midi.inputs:
        return Finding("midi", State.WARN, f"{ports}; no keyboard", "plug one in: it is found while playing")
    return Finding("midi", State.OK, f"{', '.join(midi.inputs)}; {ports}")


def check_realtime() -> Finding:
    """Whether the audio thread may be given real-time priority; without it the system wakes it late under load."""
    topic = "real-time priority"
    if not hasattr(os, "sched_setscheduler"):
        return Finding(topic, State.OK, "granted by the system's audio service")
    if _realtime_granted():
        return Finding(topic, State.OK, "granted")
    cure = (
        "echo '@audio - rtprio 95' | sudo tee /etc/security/limits.d/audio.conf && sudo usermod -aG audio \"$USER\""
        ", then log in again; until then choose a larger --block"
    )
    return Finding(topic, State.WARN, "refused: notes may crackle while the machine is busy", cure)


def check_model() -> Finding:
    """The default model's files against its own checksums, its graph, and the level of one note."""
    if model_store.find_model("") is None:
        cure = f"{COMMAND} models fetch, or export one"
        return Finding("model", State.WARN, "none: the built-in partials play", cure)
    return Finding("model", State.OK, model_store.verify_model("").sentence)


def check_provider() -> Finding:
    """What runs the generator, and why not something better."""
    if model_store.find_model("") is None:
        return Finding("generator", State.OK, "partials, on the CPU")
    chosen = SettingsFile().load().settings.provider
    try:
        generator, _anchors = model_store.open_model("", chosen)
    except ModelError as error:
        return Finding("generator", State.WARN, str(error), 'choose another, or provider = "auto" in the settings')
    try:
        why = [generator.fallback_reason] if generator.fallback_reason else []
        if chosen in ("auto", "cpu") and multiplies_in_bfloat16():
            why.append(_openvino_words())
        reasons = f" ({'; '.join(why)})" if why else ""
        return Finding("generator", State.OK, f"{generator.info.provider}{reasons}")
    finally:
        generator.close()


def _openvino_words() -> str:
    gain = (
        "this processor multiplies in bfloat16, in which --provider openvino is quicker and sounds a little different"
    )
    return f"{gain}: {missing}" if (missing := openvino_missing()) else gain


def check_presets() -> Finding:
    """Every preset can be read."""
    entries = PresetStore().list_presets()
    bad = [entry for entry in entries if entry.problem]
    if bad:
        detail = f"{len(bad)} of {len(entries)} cannot be read: {bad[0].problem}"
        return Finding("presets", State.WARN, detail, f"mend or delete {bad[0].path}")
    if not entries:
        return Finding("presets", State.FAIL, "none", "install synth_app again")
    return Finding("presets", State.OK, f"{len(entries)} there")


def check_settings() -> Finding:
    """The settings file."""
    file = SettingsFile()
    notices = file.load().notices
    if notices:
        return Finding("settings", State.WARN, notices[0], f"edit or delete {file.path}")
    return Finding("settings", State.OK, str(file.path) if file.path.exists() else f"{file.path} (not yet written)")


def check_notes() -> Finding:
    """The folder in which presets' notes are kept from one start to the next."""
    topic, folder, limit_mb = "notes on disk", paths.notes_dir(), SettingsFile().load().settings.cache_mb
    if not limit_mb:
        return Finding(topic, State.OK, "none are kept (cache_mb is 0 in the settings)")
    if not folder.exists():
        return Finding(topic, State.OK, f"none yet; up to {limit_mb} MB in {folder}")
    size = size_of(folder)
    detail = f"{size.total_bytes / (1 << 20):.0f} of {limit_mb} MB in {folder}"
    if not os.access(folder, os.W_OK):
        cure = f"make {folder} writable, or set cache_mb = 0 in the settings"
        return Finding(topic, State.WARN, f"{detail}, which cannot be written to", cure)
    return Finding(topic, State.OK, f"{detail}; may be deleted at any time")


def check_disk() -> Finding:
    """Room for recordings."""
    folder = next(folder for folder in (paths.music_dir(), *paths.music_dir().parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free in {folder}"
    if free >= _LEAST_FREE_BYTES:
        return Finding("disk", State.OK, detail)
    return Finding("disk", State.WARN, f"only {detail}", "make room, or record elsewhere with --record")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _realtime_granted() -> bool:
    """Ask for it on a thread that ends at once, so that the rest of the process stays as it is."""
    granted = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REALTIME_PRIORITY))
            granted.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return bool(granted)
