"""The sound card, through PortAudio: devices by name, and a stream whose callback is compiled code.

``sounddevice``'s stream base class accepts a C function and a pointer for it, so no Python runs on the audio thread.
"""

from __future__ import annotations

import atexit
import ctypes
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from synth_app.adapters.quiet import quiet_libraries
from synth_app.core.errors import DeviceError
from synth_app.engine.callback import CALLBACK, MixerMemory
from synth_app.engine.ports import AudioDevice, AudioSettings

DEFAULT_BLOCK_FRAMES = 128
JACK = "JACK Audio Connection Kit"
JACK_CLIENT = b"synth_app_audio"
"""What other JACK programs see. The MIDI client is plain "synth_app" already, and JACK would number one of the two."""

_PORTAUDIO = "libportaudio.so.2"
_FIRST_CALLBACK_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Output:
    """An output to open: PortAudio's index (good until the next rescan) and how to open it."""

    index: int
    name: str
    host_api: str
    rate_hz: int
    block_frames: int
    channels: int


def _name_jack_client() -> None:
    """Ask PortAudio to call itself by our name under JACK; it must be told before it starts.

    That is part of PortAudio's own extension for JACK (``pa_jack.h``), which sounddevice does not wrap. The loader
    hands out one library for one name, so this is the one that sounddevice opens; any other stays "PortAudio".
    """
    if "sounddevice" in sys.modules or not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(_PORTAUDIO).PaJack_SetClientName(JACK_CLIENT)  # it keeps the pointer; the constant lives as long
    except (OSError, AttributeError):  # not installed (said below), or built without JACK
        return


def _portaudio() -> ModuleType:
    _name_jack_client()
    try:
        with quiet_libraries():
            import sounddevice
    except OSError as error:
        raise DeviceError(
            "PortAudio is not installed; install it (on Debian or Ubuntu: sudo apt-get install libportaudio2)."
        ) from error
    module: ModuleType = sounddevice
    return module


def _all_outputs(sd: ModuleType) -> list[tuple[int, dict[str, Any], str]]:
    """(index, device, host API) of every output, without ALSA's detour to JACK (it re-blocks and re-times)."""
    apis = sd.query_hostapis()
    found = []
    for index, device in enumerate(sd.query_devices()):
        api = apis[device["hostapi"]]["name"]
        if device["max_output_channels"] > 0 and not (api == "ALSA" and device["name"] == "jack"):
            found.append((index, device, api))
    return found


def list_outputs() -> Sequence[AudioDevice]:
    """The output devices at hand, the one that would be chosen first."""
    sd = _portaudio()
    outputs = _all_outputs(sd)
    default = _default_index(sd, outputs)
    devices = [
        AudioDevice(
            f"{api}: {device['name']}",
            api,
            min(2, device["max_output_channels"]),
            round(device["default_samplerate"]),
            index == default,
        )
        for index, device, api in outputs
    ]
    return sorted(devices, key=lambda d: not d.is_default)


def _default_index(sd: ModuleType, outputs: Sequence[tuple[int, dict[str, Any], str]]) -> int:
    """JACK's own when its server runs, else the system's default, else the first."""
    by_api = {api["name"]: api["default_output_device"] for api in sd.query_hostapis()}
    known = {index for index, _device, _api in outputs}
    for index in (by_api.get(JACK, -1), sd.default.device[1], *by_api.values()):
        if index in known:
            return int(index)
    return outputs[0][0] if outputs else -1


def choose_output(settings: AudioSettings) -> Output:
    """Find the device a player asked for (any unambiguous part of its name), or the best at hand.

    Raises:
        DeviceError: there is none, or none or several of that name.
    """
    sd = _portaudio()
    outputs = _all_outputs(sd)
    if not outputs:
        raise DeviceError("There is no audio output on this machine; connect one or start a JACK server.")
    if settings.device:
        wanted = settings.device.casefold()
        names = {index: f"{api}: {device['name']}" for index, device, api in outputs}
        exact = [index for index, name in names.items() if name.casefold() == wanted]
        found = exact or [index for index, name in names.items() if wanted in name.casefold()]
        if len(found) != 1:
            what = "Several outputs fit" if found else "There is no audio output named"
            raise DeviceError(f"{what} {settings.device!r}; this machine has: {', '.join(names.values())}.")
        index = found[0]
    else:
        index = _default_index(sd, outputs)
    device, api = next((device, api) for i, device, api in outputs if i == index)
    server_rules = api == JACK  # the server sets the rate and calls with its own period
    rate_hz = round(device["default_samplerate"])
    if settings.rate_hz and not server_rules:
        rate_hz = settings.rate_hz
    block = 0 if server_rules else settings.block_frames or DEFAULT_BLOCK_FRAMES
    return Output(index, f"{api}: {device['name']}", api, rate_hz, block, min(2, device["max_output_channels"]))


class PortAudioStream:
    """An open output that calls the mixer.

    Args:
        memory: what the mixer works on.
        callback, user: another C function to call, and the pointer it wants (the benchmark times its calls); 0 = the
            mixer itself.

    Raises:
        DeviceError: the device refused.
    """

    def __init__(self, output: Output, memory: MixerMemory, callback: int = 0, user: int = 0) -> None:
        sd = _portaudio()
        if output.channels < 2:
            raise DeviceError(f"{output.name} has a single channel; choose an output with two.")
        self.output = output
        self._memory = memory  # lent to the audio thread for as long as the stream lives
        try:
            self._stream = sd._StreamBase(
                kind="output",
                samplerate=output.rate_hz,
                blocksize=output.block_frames,
                channels=2,
                dtype="float32",
                latency="low",
                device=output.index,
                callback=sd._ffi.cast("PaStreamCallback*", callback or CALLBACK.address),
                userdata=sd._ffi.cast("void*", user or memory.table.ctypes.data),
                wrap_callback=None,
            )
            self._stream.start()
        except sd.PortAudioError as error:
            raise DeviceError(
                f"{output.name} could not be opened at {output.rate_hz} Hz ({error.args[0]}); "
                "choose another device or rate."
            ) from error
        deadline = time.monotonic() + _FIRST_CALLBACK_TIMEOUT_S
        while memory.state[0]["callbacks"] < 2:
            if time.monotonic() > deadline:
                self.close()
                raise DeviceError(f"{output.name} opened but asks for no sound; choose another device.")
            time.sleep(0.002)

    @property
    def block_frames(self) -> int:
        """Frames of the latest callback."""
        return int(self._memory.state[0]["block"])

    @property
    def active(self) -> bool:
        """Whether the driver still runs the stream."""
        return bool(self._stream.active)

    @property
    def cpu_load(self) -> float:
        """Share of each block's time spent in the callback, as PortAudio measures it."""
        return float(self._stream.cpu_load)

    def close(self) -> bool:
        """Stop. True: the memory is free again. False: the driver does not let go of it, so keep this object for good.

        PortAudio waits ten minutes for a JACK server that has died, and would do so again for anything it is asked
        after that, the end of the program included.
        """
        closing = threading.Thread(target=self._close, name="close audio", daemon=True)
        closing.start()
        closing.join(_CLOSE_TIMEOUT_S)
        if not closing.is_alive():
            return True
        atexit.unregister(_portaudio()._exit_handler)
        return False

    def _close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)


def rescan() -> None:
    """Look again for devices. Ends every open stream: call it only when none is open."""
    sd = _portaudio()
    with quiet_libraries():
        sd._terminate()
        sd._initialize()
