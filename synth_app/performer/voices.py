"""The book of voices: who sounds, and what still holds it.

A voice is *gated* while its key is down, *sustained* while only a pedal holds it, and *released* once it was told to
end. It stays in the book until the mixer says that it is done; a killed voice leaves at once, since its 5 ms fade
concerns nobody here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from synth_app.core.keys import NoteKey
from synth_app.timbre.palette import Palette
from synth_app.timbre.patch import Patch


@dataclass(slots=True, eq=False)
class Sound:
    """The patch that voices were struck with, as now set. Voices of a former patch keep theirs until they end."""

    palette: Palette
    patch: Patch


@dataclass(frozen=True, slots=True)
class VoiceState:
    """A voice as others may see it."""

    voice_id: int
    channel: int
    pitch: int
    gated: bool
    sustained: bool
    released: bool


@dataclass(slots=True, eq=False)
class Voice:
    """One note's bookkeeping.

    Attributes:
        source, channel, pitch: the key.
        velocity: what the stroke counts as.
        started_ns, released_ns: when it was struck, and told to end (``None``: not yet).
        sound: the patch it plays.
        played_pitch: the pitch after the patch's transposition.
        note_key: the note it sounds.
        gated: its key is down. captured: the sostenuto pedal caught it.
        tuning: (rate, vibrato), and gains: (left, right), as the mixer was last told.
    """

    voice_id: int
    source: str
    channel: int
    pitch: int
    velocity: int
    started_ns: int
    sound: Sound
    played_pitch: float
    note_key: NoteKey
    gated: bool = True
    captured: bool = False
    released_ns: int | None = None
    tuning: tuple[float, float] = (1.0, 0.0)
    gains: tuple[float, float] = (1.0, 1.0)

    @property
    def released(self) -> bool:
        return self.released_ns is not None

    @property
    def sustained(self) -> bool:
        return not self.gated and not self.released

    @property
    def state(self) -> VoiceState:
        return VoiceState(self.voice_id, self.channel, self.pitch, self.gated, self.sustained, self.released)


class VoiceBook:
    """Every voice that may still be heard, oldest first."""

    def __init__(self) -> None:
        self._voices: dict[int, Voice] = {}

    def __len__(self) -> int:
        return len(self._voices)

    def __iter__(self) -> Iterator[Voice]:
        return iter(tuple(self._voices.values()))

    def add(self, voice: Voice) -> None:
        self._voices[voice.voice_id] = voice

    def remove(self, voice_id: int) -> None:
        """Forget a voice; one already forgotten is no matter (it was killed, and its news comes late)."""
        self._voices.pop(voice_id, None)

    def held(self, where: Callable[[Voice], bool] = lambda voice: True) -> list[Voice]:
        """Voices not told to end yet, oldest first, that fit a condition."""
        return [voice for voice in self._voices.values() if not voice.released and where(voice)]

    def on_channel(self, channel: int) -> list[Voice]:
        """All voices of a channel, oldest first."""
        return [voice for voice in self._voices.values() if voice.channel == channel]
