"""From bytes to events, and from any bytes at all to no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_app.core.events import (
    ChannelPressure,
    ControlChange,
    NoteOff,
    NoteOn,
    PitchBend,
    PolyPressure,
    ProgramChange,
    SystemReset,
)
from synth_app.midi.decoder import decode


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ((0x90, 60, 100), NoteOn(7, 0, 60, 100, "usb")),
        ((0x9F, 0, 1), NoteOn(7, 15, 0, 1, "usb")),
        ((0x93, 60, 0), NoteOff(7, 3, 60, 0, "usb")),
        ((0x80, 60, 64), NoteOff(7, 0, 60, 64, "usb")),
        ((0x82, 127, 0), NoteOff(7, 2, 127, 0, "usb")),
        ((0xA1, 60, 5), PolyPressure(7, 1, 60, 5, "usb")),
        ((0xB0, 64, 127), ControlChange(7, 0, 64, 127, "usb")),
        ((0xB5, 123, 0), ControlChange(7, 5, 123, 0, "usb")),
        ((0xC2, 9), ProgramChange(7, 2, 9, "usb")),
        ((0xD4, 88), ChannelPressure(7, 4, 88, "usb")),
        ((0xE0, 0, 64), PitchBend(7, 0, 0, "usb")),
        ((0xE0, 0, 0), PitchBend(7, 0, -8192, "usb")),
        ((0xE6, 127, 127), PitchBend(7, 6, 8191, "usb")),
        ((0xE0, 1, 64), PitchBend(7, 0, 1, "usb")),
        ((0xFF,), SystemReset(7, "usb")),
    ],
)
def test_every_channel_message(message, event):
    assert decode(bytes(message), 7, "usb") == event


@pytest.mark.parametrize(
    "sysex",
    [
        "F0 7E 7F 09 01 F7",  # GM 1 on
        "F0 7E 10 09 02 F7",  # GM off
        "F0 7E 7F 09 03 F7",  # GM 2 on
        "F0 41 10 42 12 40 00 7F 00 41 F7",  # Roland GS reset
        "F0 43 10 4C 00 00 7E 00 F7",  # Yamaha XG on
        "F0 43 1F 4C 00 00 7E 00 F7",
    ],
)
def test_resets_by_system_exclusive(sysex):
    assert decode(bytes.fromhex(sysex), 3, "usb") == SystemReset(3, "usb")


@pytest.mark.parametrize(
    "sysex",
    [
        "F0",
        "F0 F7",
        "F0 7E 7F 09 01",  # not ended
        "F0 7E 7F 09 04 F7",
        "F0 7E 7F 06 01 F7",  # identity request
        "F0 7F 7F 04 01 00 40 F7",  # master volume
        "F0 41 10 42 12 40 00 04 7F 3D F7",  # GS master volume
        "F0 43 20 4C 00 00 7E 00 F7",
        "F0 7D 01 02 03 F7",
    ],
)
def test_other_system_exclusive_messages_are_no_reset(sysex):
    assert decode(bytes.fromhex(sysex), 0) is None


@pytest.mark.parametrize("status", [0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE])
def test_clock_sensing_and_other_system_messages_are_ignored(status):
    for length in range(3):
        assert decode(bytes([status, *([0] * length)]), 0) is None


@pytest.mark.parametrize(
    "message",
    [
        (),
        (60, 100),  # running status, which drivers expand
        (0x90,),
        (0x90, 60),
        (0x90, 60, 100, 62, 100),
        (0x90, 60, 200),
        (0x90, 200, 60),
        (0xC0,),
        (0xC0, 1, 2),
        (0xFF, 0x2F, 0x00),  # a file's meta event
    ],
)
def test_what_is_no_message_is_nothing(message):
    assert decode(bytes(message), 0) is None


@given(st.binary(max_size=300))
def test_any_bytes_decode_without_raising(message):
    event = decode(message, 1, "fuzz")
    assert event is None or (event.time_ns == 1 and event.source == "fuzz")


@given(st.integers(0x80, 0xEF), st.lists(st.integers(0, 127), min_size=2, max_size=2))
def test_a_whole_message_is_never_lost_and_its_values_are_in_range(status, data):
    length = 1 if status & 0xF0 in (0xC0, 0xD0) else 2
    event = decode(bytes([status, *data[:length]]), 0)
    assert event is not None and event.channel == status & 0x0F
    if isinstance(event, NoteOn):
        assert 1 <= event.velocity <= 127
    if isinstance(event, PitchBend):
        assert -8192 <= event.value <= 8191
