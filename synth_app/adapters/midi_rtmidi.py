"""MIDI in, through RtMidi: our own port on every MIDI API, hardware keyboards by name, stamped on arrival.

RtMidi's queue is polled; its callback is never used, since under JACK it would run Python inside the real-time thread.
Each message carries the time since the one before it, taken in C++ when it arrived, so a busy Python does not blur the
timing: the sum of those times is anchored to the monotonic clock by the least offset seen (the
first delta is always 0).
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Sequence

import rtmidi

from synth_app.adapters.quiet import quiet_libraries
from synth_app.core.errors import DeviceError
from synth_app.core.events import Event, NoteOff, SourceLost
from synth_app.midi.decoder import decode

log = logging.getLogger(__name__)

CLIENT_NAME = "synth_app"
PORT_NAME = "midi_in"
SCOUT_NAME = "synth_app scout"
QUEUE_LIMIT = 8192
_ANCHOR_WINDOW_S = 30.0
_MAX_MESSAGES_A_POLL = 512

_API_NAMES = {
    rtmidi.API_LINUX_ALSA: "ALSA",
    rtmidi.API_UNIX_JACK: "JACK",
    rtmidi.API_MACOSX_CORE: "CoreMIDI",
    rtmidi.API_WINDOWS_MM: "Windows",
}
_HAS_VIRTUAL_PORTS = {rtmidi.API_LINUX_ALSA, rtmidi.API_UNIX_JACK, rtmidi.API_MACOSX_CORE}


class StampAnchor:
    """Turns RtMidi's delta times into monotonic nanoseconds.

    Arrival is never before the stamp, so the smallest (now - stamp) seen lately is the best estimate of the offset
    between the two clocks; older windows are forgotten so that the two may drift.
    """

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        self._best: float | None = None
        self._window_best: float | None = None
        self._window_end_s = _ANCHOR_WINDOW_S

    def stamp(self, delta_s: float, now_ns: int) -> int:
        """The arrival time of a message that came ``delta_s`` after the one before it and is read at ``now_ns``."""
        self._elapsed_s += delta_s
        offset = now_ns * 1e-9 - self._elapsed_s
        self._window_best = offset if self._window_best is None else min(offset, self._window_best)
        if self._best is None or offset < self._best:
            self._best = offset
        if self._elapsed_s > self._window_end_s:
            self._best, self._window_best = self._window_best, None
            self._window_end_s = self._elapsed_s + _ANCHOR_WINDOW_S
        return round((self._elapsed_s + self._best) * 1e9)


class _Input:
    """One open port and its anchor."""

    def __init__(self, port: rtmidi.MidiIn, name: str) -> None:
        self.port = port
        self.name = name
        self.anchor = StampAnchor()

    def read(self, now_ns: int) -> list[Event]:
        events: list[Event] = []
        for _ in range(_MAX_MESSAGES_A_POLL):
            message = self.port.get_message()
            if message is None:
                break
            data, delta_s = message
            event = decode(bytes(data), self.anchor.stamp(delta_s, now_ns), self.name)
            if event is not None:
                events.append(event)
        return events

    def close(self) -> None:
        self.port.close_port()
        self.port.delete()


def _open(api: int, client_name: str = CLIENT_NAME) -> rtmidi.MidiIn | None:
    """A closed input of an API, or ``None`` where the API is not at hand (no server, no sequencer)."""
    try:
        with quiet_libraries():
            port = rtmidi.MidiIn(api, name=client_name, queue_size_limit=QUEUE_LIMIT)
    except rtmidi.RtMidiError:
        return None
    port.ignore_types(sysex=False, timing=True, active_sense=True)
    return port


def is_hardware(api: int, name: str) -> bool:
    """Whether a port belongs to a device rather than to another program (whose ports are its user's to connect)."""
    if CLIENT_NAME in name:
        return False
    if api == rtmidi.API_UNIX_JACK:
        return name.startswith(("system:", "a2j:", "alsa_midi:", "Midi-Bridge:"))
    if api == rtmidi.API_LINUX_ALSA:
        client = re.search(r"(\d+):\d+$", name)
        return client is not None and 16 <= int(client.group(1)) < 128
    return True


class MidiInputs:
    """Every MIDI input of the program. Opened and rescanned by one thread, polled by another.

    Attributes:
        received: messages so far, those of channels that are not listened to among them: the light on the panel then
            tells that something arrives.
    """

    def __init__(self, post: Callable[[Event], None]) -> None:
        self._post = post
        self._own: list[_Input] = []
        self._hardware: dict[str, _Input] = {}
        self._polled: tuple[_Input, ...] = ()
        self._retired: deque[_Input] = deque()
        self._scouts: dict[int, rtmidi.MidiIn] = {}
        self._wanted: frozenset[str] | None = None
        self._channels: frozenset[int] | None = None
        self.received = 0

    def open(self) -> Sequence[str]:
        """Open our own port on every API that has virtual ports, and one long-lived enumerator each; returns names."""
        opened = []
        for api in rtmidi.get_compiled_api():
            if api in _HAS_VIRTUAL_PORTS:
                port = _open(api)
                if port is None:
                    continue
                port.open_virtual_port(PORT_NAME)
                self._own.append(_Input(port, f"{_API_NAMES.get(api, 'MIDI')}: {CLIENT_NAME}:{PORT_NAME}"))
                opened.append(self._own[-1].name)
            scout = _open(api, SCOUT_NAME)
            if scout is not None:
                self._scouts[api] = scout
        self._polled = tuple(self._own)
        return opened

    def available(self) -> Sequence[str]:
        """Names of the hardware inputs at hand."""
        return [name for name, _api, _index in self._list()]

    def connected(self) -> Sequence[str]:
        """Names of the inputs that are listened to: our own ports and the hardware."""
        return [item.name for item in self._polled]

    def want(self, names: Sequence[str] | None) -> None:
        """Listen to these hardware inputs only (``None`` = to all, also those plugged in later); then rescans.

        Raises:
            DeviceError: a name fits no input at hand.
        """
        if names is not None:
            at_hand = self.available()
            missing = [n for n in names if not any(n.casefold() in name.casefold() for name in at_hand)]
            if missing:
                have = ", ".join(at_hand) or "no hardware inputs"
                raise DeviceError(f"There is no MIDI input named {missing[0]!r}; this machine has: {have}.")
        self._wanted = None if names is None else frozenset(n.casefold() for n in names)
        self.rescan()

    def listen_to_channels(self, channels: frozenset[int] | None) -> None:
        """Pass on these channels (0..15) only, or ``None`` for all; what a deaf channel was holding is released."""
        self._channels = channels
        for item in self._polled:
            self._post(SourceLost(time.monotonic_ns(), item.name))

    def rescan(self) -> None:
        """Connect what appeared, let go of what vanished (its held notes are released)."""
        found = {name: (api, index) for name, api, index in self._list() if self._wants(name)}
        for name in [n for n in self._hardware if n not in found]:
            self._retired.append(self._hardware.pop(name))
            self._post(SourceLost(time.monotonic_ns(), name))
        for name, (api, index) in found.items():
            if name not in self._hardware:
                port = _open(api)
                if port is None:
                    continue
                try:
                    port.open_port(index)
                except (rtmidi.RtMidiError, ValueError):
                    port.delete()
                    continue
                self._hardware[name] = _Input(port, name)
                log.info("MIDI input connected: %s", name)
        self._polled = (*self._own, *self._hardware.values())

    def poll(self) -> bool:
        """Read every queue and post what came, oldest first; whether anything did (MIDI thread)."""
        now_ns = time.monotonic_ns()
        events = [event for item in self._polled for event in item.read(now_ns)]
        while self._retired:
            self._retired.popleft().close()
        events.sort(key=lambda event: event.time_ns)
        self.received += len(events)
        channels = self._channels
        for event in events:
            if channels is None or _passes(event, channels):
                self._post(event)
        return bool(events)

    def close(self) -> None:
        """Close every port (no thread may poll any more)."""
        for item in (*self._own, *self._hardware.values(), *self._retired):
            item.close()
        for scout in self._scouts.values():
            scout.delete()
        self._own, self._hardware, self._polled, self._scouts = [], {}, (), {}
        self._retired.clear()

    def _wants(self, name: str) -> bool:
        return self._wanted is None or any(wanted in name.casefold() for wanted in self._wanted)

    def _list(self) -> list[tuple[str, int, int]]:
        found = []
        for api, scout in self._scouts.items():
            for index, name in enumerate(scout.get_ports()):
                if is_hardware(api, name):
                    found.append((f"{_API_NAMES.get(api, 'MIDI')}: {name}", api, index))
        return found


def _passes(event: Event, channels: frozenset[int]) -> bool:
    """Whether an event gets through: what has no channel (a reset) and what ends a note always does."""
    return isinstance(event, NoteOff) or getattr(event, "channel", None) in (None, *channels)
