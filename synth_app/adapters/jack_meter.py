"""A measuring instrument on a JACK server: strikes keys at exact frames and records what comes back, by JACK's count.

One client with a MIDI output and an audio input. Both are served in the same process callback, so the frame at which a
key was struck and the frame at which its sound arrives are on one clock, and nothing in between is trusted. It speaks
to libjack directly; its callback is Python, so it belongs into a process that does nothing else.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth_app.core.errors import DeviceError

_AUDIO, _MIDI = b"32 bit float mono audio", b"8 bit raw midi"
_IS_INPUT, _IS_OUTPUT = 1, 2
_NO_START_SERVER = 1
_CONNECT_TIMEOUT_S = 10.0

_Process = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)


class JackMeter:
    """See the module. Use as a context manager.

    Args:
        record_s: how much to record.

    Raises:
        DeviceError: there is no libjack, or no server that takes us.
    """

    def __init__(self, record_s: float, name: str = "synth_app meter") -> None:
        self._jack = _library()
        self._client = self._jack.jack_client_open(name.encode(), _NO_START_SERVER, None)
        if not self._client:
            raise DeviceError("No JACK server answers, so nothing can be measured through one; start jackd.")
        self.rate_hz = int(self._jack.jack_get_sample_rate(self._client))
        self.recording: NDArray[np.float32] = np.zeros(round(record_s * self.rate_hz), np.float32)
        self.first_frame = -1
        self.cycles_lost = 0
        self._events: list[tuple[int, bytes]] = []
        self._expected = -1
        self._midi = self._jack.jack_port_register(self._client, b"keys", _MIDI, _IS_OUTPUT, 0)
        self._audio = self._jack.jack_port_register(self._client, b"ear", _AUDIO, _IS_INPUT, 0)
        self._callback = _Process(self._process)  # kept alive here
        self._jack.jack_set_process_callback(self._client, self._callback, None)
        self._jack.jack_activate(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jack.jack_client_close(self._client)

    def connect(self, midi_input: str, audio_output: str) -> None:
        """Connect to the first ports whose names contain these words.

        Raises:
            DeviceError: there are none.
        """
        keys = self._find(midi_input, _MIDI, _IS_INPUT)
        ear = self._find(audio_output, _AUDIO, _IS_OUTPUT)
        self._jack.jack_connect(self._client, self._jack.jack_port_name(self._midi), keys)
        self._jack.jack_connect(self._client, ear, self._jack.jack_port_name(self._audio))

    def play(self, messages: Sequence[tuple[float, bytes]], lead_s: float = 0.1) -> list[int]:
        """Send MIDI messages at exact frames and return when recording is full.

        Args:
            messages: (seconds from the start, bytes), in order.

        Returns:
            The frame of each message, as an index into ``recording``.
        """
        while self.first_frame < 0:
            time.sleep(0.002)
        start = self._expected + round(lead_s * self.rate_hz)
        frames = [start + round(at_s * self.rate_hz) for at_s, _ in messages]
        self._events = [(frame, data) for frame, (_, data) in zip(frames, messages, strict=True)]
        while self._expected < self.first_frame + len(self.recording):
            time.sleep(0.01)
        return [frame - self.first_frame for frame in frames]

    def _process(self, count: int, _argument: int) -> int:
        """One cycle: what was heard is kept by its frame, what is due is sent at its frame."""
        now = int(self._jack.jack_last_frame_time(self._client))
        if self.first_frame < 0:
            self.first_frame = now
        elif now != self._expected:
            self.cycles_lost += 1
        self._expected = now + count
        at = now - self.first_frame
        if at + count <= len(self.recording):
            heard = self._jack.jack_port_get_buffer(self._audio, count)
            ctypes.memmove(self.recording.ctypes.data + 4 * at, heard, 4 * count)
        keys = self._jack.jack_port_get_buffer(self._midi, count)
        self._jack.jack_midi_clear_buffer(keys)
        while self._events and self._events[0][0] < now + count:
            frame, data = self._events.pop(0)
            self._jack.jack_midi_event_write(keys, max(0, frame - now), data, len(data))
        return 0

    def _find(self, part: str, kind: bytes, flags: int) -> bytes:
        end = time.monotonic() + _CONNECT_TIMEOUT_S
        while time.monotonic() < end:
            names = self._jack.jack_get_ports(self._client, None, kind, flags)
            found = [] if not names else _until_null(names)
            if names:
                self._jack.jack_free(names)
            for name in found:
                if part.encode() in name:
                    return name
            time.sleep(0.05)
        raise DeviceError(f"No JACK port with {part!r} in its name came up; is the instrument running on this server?")


def _until_null(names: ctypes._Pointer[ctypes.c_char_p]) -> list[bytes]:
    found: list[bytes] = []
    while (name := names[len(found)]) is not None:
        found.append(bytes(name))
    return found


def _library() -> ctypes.CDLL:
    """libjack, with the signatures that are used here."""
    name = ctypes.util.find_library("jack") or ("libjack.so.0" if sys.platform == "linux" else "")
    try:
        jack = ctypes.CDLL(name or "libjack")
    except OSError as error:
        raise DeviceError("libjack is not installed, so nothing can be measured through JACK.") from error
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32
    for function, result, arguments in (
        ("jack_client_open", pointer, (text, ctypes.c_int, pointer)),
        ("jack_client_close", ctypes.c_int, (pointer,)),
        ("jack_get_sample_rate", number, (pointer,)),
        ("jack_port_register", pointer, (pointer, text, text, ctypes.c_ulong, ctypes.c_ulong)),
        ("jack_port_name", text, (pointer,)),
        ("jack_set_process_callback", ctypes.c_int, (pointer, _Process, pointer)),
        ("jack_activate", ctypes.c_int, (pointer,)),
        ("jack_connect", ctypes.c_int, (pointer, text, text)),
        ("jack_get_ports", ctypes.POINTER(text), (pointer, text, text, ctypes.c_ulong)),
        ("jack_free", None, (pointer,)),
        ("jack_port_get_buffer", pointer, (pointer, number)),
        ("jack_last_frame_time", number, (pointer,)),
        ("jack_midi_clear_buffer", None, (pointer,)),
        ("jack_midi_event_write", ctypes.c_int, (pointer, number, text, ctypes.c_size_t)),
    ):
        entry = getattr(jack, function)
        entry.restype, entry.argtypes = result, arguments
    return jack
