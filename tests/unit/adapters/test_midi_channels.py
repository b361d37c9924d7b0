"""The filter of MIDI channels, without a MIDI system: what comes from a port is put in by hand."""

from __future__ import annotations

from collections.abc import Sequence

from synth_app.adapters.midi_rtmidi import MidiInputs
from synth_app.core.events import ControlChange, Event, NoteOff, NoteOn, SourceLost, SystemReset


class Keyboard:
    """A port that has these messages waiting."""

    name = "ALSA: Keystep"

    def __init__(self, *waiting: Event) -> None:
        self.waiting = list(waiting)

    def read(self, _now_ns: int) -> Sequence[Event]:
        read, self.waiting = self.waiting, []
        return read


def inputs_with(keyboard: Keyboard) -> tuple[MidiInputs, list[Event]]:
    posted: list[Event] = []
    inputs = MidiInputs(posted.append)
    inputs._polled = (keyboard,)  # type: ignore[assignment]
    return inputs, posted


def test_every_channel_is_heard_until_some_are_chosen() -> None:
    keyboard = Keyboard(*(NoteOn(channel, channel, 60, 100) for channel in range(16)))
    inputs, posted = inputs_with(keyboard)
    assert inputs.poll()
    assert [event.channel for event in posted] == list(range(16))


def test_only_the_chosen_channels_pass_but_every_end_of_a_note_does() -> None:
    keyboard = Keyboard()
    inputs, posted = inputs_with(keyboard)
    inputs.listen_to_channels(frozenset({1, 9}))
    assert [type(event) for event in posted] == [SourceLost], "what a deaf channel was holding is released"
    posted.clear()
    keyboard.waiting = [
        NoteOn(1, 0, 60, 100),
        NoteOn(2, 1, 61, 100),
        ControlChange(3, 2, 1, 90),
        ControlChange(4, 9, 1, 91),
        NoteOff(5, 0, 60),
        SystemReset(6),
    ]
    assert inputs.poll()
    assert posted == [NoteOn(2, 1, 61, 100), ControlChange(4, 9, 1, 91), NoteOff(5, 0, 60), SystemReset(6)]
    assert inputs.received == 6, "the light on the panel shows that something arrives"


def test_all_channels_come_back() -> None:
    keyboard = Keyboard()
    inputs, posted = inputs_with(keyboard)
    inputs.listen_to_channels(frozenset({3}))
    inputs.listen_to_channels(None)
    keyboard.waiting = [NoteOn(1, 0, 60, 100)]
    inputs.poll()
    assert posted[-1] == NoteOn(1, 0, 60, 100)
