"""From bytes to events. The one place where a note-on with velocity 0 becomes a note-off.

A driver hands over complete messages (RtMidi and mido both expand running status), but cables, loops and broken
software hand over anything at all, so this function accepts any bytes and answers ``None`` to what it does not know.
"""

from __future__ import annotations

from synth_app.core.events import (
    ChannelPressure,
    ControlChange,
    Event,
    NoteOff,
    NoteOn,
    PitchBend,
    PolyPressure,
    ProgramChange,
    SystemReset,
)

_SYSEX = 0xF0
_SYSEX_END = 0xF7
_SYSTEM_RESET = 0xFF
_ONE_DATA_BYTE = (0xC0, 0xD0)


def decode(message: bytes, time_ns: int, source: str = "") -> Event | None:
    """Decode one complete MIDI message.

    Args:
        message: status byte and data bytes, as the driver delivered them.
        time_ns: when it arrived.
        source: the port it came from.

    Returns:
        The event, or ``None`` for what the instrument has no use for (clock, active sensing, song position, other
        system exclusive messages) and for what is not a MIDI message. Never raises.
    """
    if not message:
        return None
    status = message[0]
    if status == _SYSEX:
        return SystemReset(time_ns, source) if _is_reset(message) else None
    if status == _SYSTEM_RESET and len(message) == 1:
        return SystemReset(time_ns, source)
    if not 0x80 <= status < _SYSEX:
        return None
    kind, channel = status & 0xF0, status & 0x0F
    if len(message) != (2 if kind in _ONE_DATA_BYTE else 3) or max(message[1:]) > 0x7F:
        return None
    return _channel_voice(kind, channel, message[1], message[-1], time_ns, source)


def _channel_voice(kind: int, channel: int, first: int, last: int, time_ns: int, source: str) -> Event:
    """The event of a channel message; ``last`` repeats ``first`` where there is one data byte only."""
    match kind:
        case 0x90 if last > 0:
            return NoteOn(time_ns, channel, first, last, source)
        case 0x80 | 0x90:
            return NoteOff(time_ns, channel, first, last, source)
        case 0xA0:
            return PolyPressure(time_ns, channel, first, last, source)
        case 0xB0:
            return ControlChange(time_ns, channel, first, last, source)
        case 0xC0:
            return ProgramChange(time_ns, channel, first, source)
        case 0xD0:
            return ChannelPressure(time_ns, channel, first, source)
        case _:
            return PitchBend(time_ns, channel, first + 128 * last - 8192, source)


def _is_reset(message: bytes) -> bool:
    """Whether a system exclusive message resets the instrument: GM 1 or 2 on, GM off, Roland GS, Yamaha XG."""
    if message[-1] != _SYSEX_END:
        return False
    body = message[1:-1]
    if len(body) == 4 and body[0] == 0x7E and body[2] == 0x09:
        return body[3] in (0x01, 0x02, 0x03)
    if len(body) == 9 and body[0] == 0x41 and body[2:] == b"\x42\x12\x40\x00\x7f\x00\x41":
        return True
    return len(body) == 7 and body[0] == 0x43 and body[1] & 0xF0 == 0x10 and body[2:] == b"\x4c\x00\x00\x7e\x00"
