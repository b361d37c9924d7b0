"""The performer against a reference that is too small to be wrong, event by event.

The reference knows, for each voice, whether its key is down and whether the sostenuto pedal caught it, and for each
channel its two pedals. From that follows which voices may sound. It knows nothing of the performer's own book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from synth_app.core.events import (
    ControlChange,
    Event,
    NoteOff,
    NoteOn,
    Panic,
    SetParam,
    SourceLost,
    SystemReset,
    VoiceDone,
)
from synth_app.performer.actions import Action, KillVoice, ReleaseVoice, StartVoice
from synth_app.performer.performer import MAX_PILED
from synth_app.performer.stealing import CHORD_NS
from synth_app.timbre.palette import Palette
from tests.unit.performer.stage import MS, Stage, make_palette

CHANNELS = (0, 1)
PITCHES = (60, 61, 127)
SOURCES = ("usb", "panel")
PALETTES: tuple[Palette, ...] = (
    make_palette("Flute", "Organ"),
    make_palette("Flute", "Organ", glide_ms=50.0, volume_db=-6.0),
    make_palette("Cello", "Piano", "Flute", morph_cc=1),
)


@dataclass
class Key:
    """What the reference knows of a voice that was not told to end."""

    source: str
    channel: int
    pitch: int
    started_ns: int
    down: bool = True
    captured: bool = False


@dataclass
class Pedals:
    """A channel's pedals and who pressed them last."""

    sustain: bool = False
    sostenuto: bool = False
    pressed_by: dict[int, str] = field(default_factory=dict)


class Reference:
    """Which voices must be held."""

    def __init__(self) -> None:
        self.keys: dict[int, Key] = {}
        self.pedals = [Pedals() for _ in range(16)]

    def settle(self) -> set[int]:
        """Let go of what nothing holds any more, and say what that was."""
        loose = {
            voice
            for voice, key in self.keys.items()
            if not key.down
            and not self.pedals[key.channel].sustain
            and not (key.captured and self.pedals[key.channel].sostenuto)
        }
        self.drop(loose)
        return loose

    def drop(self, voices: set[int]) -> None:
        for voice in voices:
            self.keys.pop(voice, None)

    def raise_keys(self, **where: object) -> None:
        for key in self.keys.values():
            if all(getattr(key, name) == value for name, value in where.items()):
                key.down = False

    def pedal(self, channel: int, number: int, down: bool, source: str) -> None:
        pedals = self.pedals[channel]
        if number == 66 and down and not pedals.sostenuto:
            for key in self.keys.values():
                if key.channel == channel:
                    key.captured = key.down
        setattr(pedals, {64: "sustain", 66: "sostenuto"}[number], down)
        if down:
            pedals.pressed_by[number] = source
        else:
            pedals.pressed_by.pop(number, None)


class Duel:
    """A performer and the reference, given the same events; any disagreement is an AssertionError."""

    def __init__(self) -> None:
        self.stage = Stage(PALETTES[0], {"polyphony": 4})
        self.reference = Reference()
        self.now = 0
        self.limit = 4

    def note_on(self, channel: int, pitch: int, velocity: int, source: str) -> None:
        book = self.stage.audible
        self.reference.raise_keys(source=source, channel=channel, pitch=pitch)
        ended = self.reference.settle()
        piled = [
            voice
            for voice, key in self.reference.keys.items()
            if (key.source, key.channel, key.pitch) == (source, channel, pitch)
        ]
        ended |= (surplus := set(piled[: max(0, len(piled) + 1 - MAX_PILED)]))
        self.reference.drop(surplus)
        actions = self.do(NoteOn(self.now, channel, pitch, velocity, source), releases=ended, may_steal=True)
        (start,) = (action for action in actions if isinstance(action, StartVoice))
        kills = [action for action in actions if isinstance(action, KillVoice)]
        assert len(kills) == max(0, len(book) + 1 - self.limit), "no more is stolen than must be"
        self.reference.keys[start.voice_id] = Key(source, channel, pitch, self.now)

    def note_off(self, channel: int, pitch: int, source: str) -> None:
        self.reference.raise_keys(source=source, channel=channel, pitch=pitch)
        self.do(NoteOff(self.now, channel, pitch, 0, source), releases=self.reference.settle())

    def pedal(self, channel: int, number: int, value: int, source: str) -> None:
        down_before = {voice for voice, key in self.reference.keys.items() if key.down}
        self.reference.pedal(channel, number, value >= 64, source)
        ended = self.reference.settle()
        assert not ended & down_before, "a held key is never cut by pedal-up"
        self.do(ControlChange(self.now, channel, number, value, source), releases=ended)

    def all_notes_off(self, channel: int, controller: int, source: str) -> None:
        self.reference.raise_keys(channel=channel)
        self.do(ControlChange(self.now, channel, controller, 0, source), releases=self.reference.settle())

    def all_sound_off(self, channel: int, source: str) -> None:
        silenced = {voice for voice in self.stage.audible if self.stage.key(voice)[0] == channel}
        self.reference.drop(silenced)
        self.do(ControlChange(self.now, channel, 120, 0, source), kills=silenced)

    def reset_controllers(self, channel: int, source: str) -> None:
        self.reference.pedals[channel] = Pedals()
        self.do(ControlChange(self.now, channel, 121, 0, source), releases=self.reference.settle())

    def silence(self, event: Panic | SystemReset) -> None:
        silenced = self.stage.audible
        self.reference = Reference()
        self.do(event, kills=silenced)

    def unplug(self, source: str) -> None:
        ended = {voice for voice, key in self.reference.keys.items() if key.source == source}
        self.reference.drop(ended)
        for channel, pedals in enumerate(self.reference.pedals):
            for number in [n for n, holder in pedals.pressed_by.items() if holder == source]:
                self.reference.pedal(channel, number, False, source)
        self.do(SourceLost(self.now, source), releases=ended | self.reference.settle())

    def set_polyphony(self, limit: int) -> None:
        self.limit = limit
        self.do(SetParam(self.now, "polyphony", float(limit)), may_steal=True)

    def change_patch(self, palette: Palette) -> None:
        self.check(self.stage.listen(self.stage.performer.set_palette(self.now, palette)))

    def voice_done(self, voice: int) -> None:
        """The mixer's news: of a voice that was released, one that ran out by itself, or one long gone."""
        self.reference.drop({voice})
        self.stage.done.add(voice)
        self.do(VoiceDone(self.now, voice))

    def time_passes(self, ms: int) -> None:
        self.now += ms * MS
        due = self.stage.performer.next_tick_ns
        if due is not None and due <= self.now:
            self.check(self.stage.listen(self.stage.performer.tick(self.now)))

    def finish(self) -> None:
        """Keys up, pedals up: everything was told to end, and when it has, nothing is left."""
        for channel in CHANNELS:
            for source in SOURCES:
                for pitch in PITCHES:
                    self.note_off(channel, pitch, source)
            for number in (64, 66):
                self.pedal(channel, number, 0, SOURCES[0])
        assert self.stage.held == set()
        assert set(self.stage.started) == self.stage.released | self.stage.killed | self.stage.done
        for voice in self.stage.audible:
            self.stage.finish(voice)
        assert self.stage.performer.voices == ()

    # --- the comparison ---------------------------------------------------------------------------------------------

    def do(
        self, event: Event, *, releases: set[int] | None = None, kills: set[int] | None = None, may_steal: bool = False
    ) -> list[Action]:
        """Hand an event to the performer; it must end the voices that the reference expects and no others."""
        before = dict(self.reference.keys)
        actions = self.stage.do(event)
        self.check(actions, releases, kills, may_steal)
        if may_steal:
            self._check_victims(actions, before)
        return actions

    def check(
        self,
        actions: list[Action],
        releases: set[int] | None = None,
        kills: set[int] | None = None,
        may_steal: bool = False,
    ) -> None:
        assert {a.voice_id for a in actions if isinstance(a, ReleaseVoice)} == (releases or set())
        taken = {a.voice_id for a in actions if isinstance(a, KillVoice)}
        if may_steal:
            self.reference.drop(taken)
        else:
            assert taken == (kills or set())
        assert len(self.stage.audible) <= self.limit

    def check_book(self) -> None:
        """What is held is what the reference holds (but for a note just struck, which it learns of next)."""
        assert self.stage.held == set(self.reference.keys)

    def _check_victims(self, actions: list[Action], before: dict[int, Key]) -> None:
        """No held voice is stolen while a released one is left, nor one of the newest chord while an older is."""
        taken = [a.voice_id for a in actions if isinstance(a, KillVoice)]
        left = self.stage.audible - {a.voice_id for a in actions if isinstance(a, StartVoice)}
        for voice in taken:
            if voice in before and voice not in self.stage.released:
                assert not left & self.stage.released, "released voices go first"
                young = self.now - before[voice].started_ns <= CHORD_NS
                assert not young or all(self.now - self.stage.started[v].time_ns <= CHORD_NS for v in left)
