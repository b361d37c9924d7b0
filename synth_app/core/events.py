"""Everything that can happen to the instrument, as frozen values with their own time.

A MIDI keyboard, the panel, automation and a MIDI file all speak these and nothing else: no source is special.
``time_ns`` is on the monotonic clock (``time.monotonic_ns``) when playing live, and on a virtual clock that starts at 0
when rendering a file. ``source`` names the port an event came from, so that a lost port can release its own notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class NoteOn:
    """A key was struck. ``velocity`` is 1..127: the decoder turns velocity 0 into :class:`NoteOff`."""

    time_ns: int
    channel: int
    pitch: int
    velocity: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class NoteOff:
    """A key was let go."""

    time_ns: int
    channel: int
    pitch: int
    velocity: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class ControlChange:
    """A controller moved; channel-mode messages (120 to 127) arrive as these too."""

    time_ns: int
    channel: int
    controller: int
    value: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class PitchBend:
    """The bend wheel moved; ``value`` is -8192..8191."""

    time_ns: int
    channel: int
    value: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class ChannelPressure:
    """Aftertouch of a whole channel, 0..127."""

    time_ns: int
    channel: int
    value: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class PolyPressure:
    """Aftertouch of one key, 0..127."""

    time_ns: int
    channel: int
    pitch: int
    value: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class ProgramChange:
    """A program was chosen, 0..127; the bank is what controllers 0 and 32 last said."""

    time_ns: int
    channel: int
    program: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class SystemReset:
    """GM/GS/XG reset: every channel back to its defaults."""

    time_ns: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class SourceLost:
    """A MIDI port vanished: release what it was holding."""

    time_ns: int
    source: str


@dataclass(frozen=True, slots=True)
class SetMorph:
    """The morph moved: one weight for each anchor of the working patch, in its order, each 0..1."""

    time_ns: int
    weights: tuple[float, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class SetParam:
    """A named parameter of the working patch or of the instrument was set (see :mod:`synth_app.core.params`)."""

    time_ns: int
    name: str
    value: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class LoadPreset:
    """Load the preset at ``path`` into the working patch."""

    time_ns: int
    path: Path


@dataclass(frozen=True, slots=True)
class Panic:
    """Silence everything now, forget every held key and pedal."""

    time_ns: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class VoiceDone:
    """The mixer has finished with a voice (its own news, not a player's)."""

    time_ns: int
    voice_id: int


PlayerEvent = (
    NoteOn
    | NoteOff
    | ControlChange
    | PitchBend
    | ChannelPressure
    | PolyPressure
    | ProgramChange
    | SystemReset
    | SourceLost
    | SetMorph
    | SetParam
    | LoadPreset
    | Panic
)
Event = PlayerEvent | VoiceDone
