"""No stuck notes: the performer against a reference that is too small to be wrong.

The reference knows, for each voice, whether its key is down and whether the sostenuto pedal caught it, and for each
channel its two pedals. From that follows which voices may sound. It knows nothing of the performer's own book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from synth_app.core.events import (
    ChannelPressure,
    ControlChange,
    Event,
    NoteOff,
    NoteOn,
    Panic,
    PitchBend,
    PolyPressure,
    ProgramChange,
    SetMorph,
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

CHANNELS = st.integers(0, 1)
PITCHES = st.sampled_from((0, 48, 60, 61, 127))
SOURCES = st.sampled_from(("usb", "panel"))
VALUES = st.sampled_from((0, 1, 63, 64, 127))
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


class NoStuckNotes(RuleBasedStateMachine):
    """Everything that can happen to a performer, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(PALETTES[0], {"polyphony": 4})
        self.reference = Reference()
        self.now = 0
        self.limit = 4

    @initialize(limit=st.integers(1, 6))
    def begin(self, limit: int) -> None:
        self.set_polyphony(limit)

    # --- what can happen --------------------------------------------------------------------------------------------

    @rule(channel=CHANNELS, pitch=PITCHES, velocity=st.sampled_from((1, 60, 127)), source=SOURCES)
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

    @rule(channel=CHANNELS, pitch=PITCHES, source=SOURCES)
    def note_off(self, channel: int, pitch: int, source: str) -> None:
        self.reference.raise_keys(source=source, channel=channel, pitch=pitch)
        self.do(NoteOff(self.now, channel, pitch, 0, source), releases=self.reference.settle())

    @rule(channel=CHANNELS, number=st.sampled_from((64, 66)), value=VALUES, source=SOURCES)
    def pedal(self, channel: int, number: int, value: int, source: str) -> None:
        down_before = {voice for voice, key in self.reference.keys.items() if key.down}
        self.reference.pedal(channel, number, value >= 64, source)
        ended = self.reference.settle()
        assert not ended & down_before, "a held key is never cut by pedal-up"
        self.do(ControlChange(self.now, channel, number, value, source), releases=ended)

    @rule(channel=CHANNELS, controller=st.sampled_from((123, 124, 125, 126, 127)), source=SOURCES)
    def all_notes_off(self, channel: int, controller: int, source: str) -> None:
        self.reference.raise_keys(channel=channel)
        self.do(ControlChange(self.now, channel, controller, 0, source), releases=self.reference.settle())

    @rule(channel=CHANNELS, source=SOURCES)
    def all_sound_off(self, channel: int, source: str) -> None:
        silenced = {voice for voice in self.stage.audible if self.stage.key(voice)[0] == channel}
        self.reference.drop(silenced)
        self.do(ControlChange(self.now, channel, 120, 0, source), kills=silenced)

    @rule(channel=CHANNELS, source=SOURCES)
    def reset_controllers(self, channel: int, source: str) -> None:
        self.reference.pedals[channel] = Pedals()
        self.do(ControlChange(self.now, channel, 121, 0, source), releases=self.reference.settle())

    @rule(event=st.sampled_from((Panic, SystemReset)))
    def silence(self, event: type[Panic | SystemReset]) -> None:
        silenced = self.stage.audible
        self.reference = Reference()
        self.do(event(self.now), kills=silenced)

    @rule(source=SOURCES)
    def unplug(self, source: str) -> None:
        ended = {voice for voice, key in self.reference.keys.items() if key.source == source}
        self.reference.drop(ended)
        for channel, pedals in enumerate(self.reference.pedals):
            for number in [n for n, holder in pedals.pressed_by.items() if holder == source]:
                self.reference.pedal(channel, number, False, source)
        self.do(SourceLost(self.now, source), releases=ended | self.reference.settle())

    @rule(limit=st.integers(1, 6))
    def set_polyphony(self, limit: int) -> None:
        self.limit = limit
        self.do(SetParam(self.now, "polyphony", float(limit)), may_steal=True)

    @rule(palette=st.sampled_from(PALETTES))
    def change_patch(self, palette: Palette) -> None:
        self.check(self.stage.listen(self.stage.performer.set_palette(self.now, palette)))

    @rule(weights=st.lists(st.floats(0, 1), min_size=2, max_size=3))
    def morph(self, weights: list[float]) -> None:
        self.do(SetMorph(self.now, tuple(weights)))

    @rule(
        controller=st.sampled_from((0, 1, 6, 7, 10, 11, 16, 32, 38, 67, 74, 96, 97, 98, 99, 100, 101)),
        value=VALUES,
        channel=CHANNELS,
        source=SOURCES,
    )
    def other_controller(self, controller: int, value: int, channel: int, source: str) -> None:
        self.do(ControlChange(self.now, channel, controller, value, source))

    @rule(channel=CHANNELS, kind=st.integers(0, 3), value=VALUES, source=SOURCES)
    def wheel_or_program(self, channel: int, kind: int, value: int, source: str) -> None:
        events: tuple[Event, ...] = (
            PitchBend(self.now, channel, value * 64, source),
            ChannelPressure(self.now, channel, value, source),
            PolyPressure(self.now, channel, 60, value, source),
            ProgramChange(self.now, channel, value, source),
        )
        self.do(events[kind])

    @rule(name=st.sampled_from(("a4_hz", "volume_db", "transpose_semitones", "morph_cc", "glide_ms")), value=VALUES)
    def set_other_param(self, name: str, value: int) -> None:
        # A morph controller that was a pedal would change what the pedals of this test mean only if it were obeyed.
        self.do(SetParam(self.now, name, float(value)))

    @precondition(lambda self: self.stage.audible)
    @rule(data=st.data())
    def voice_done(self, data: st.DataObject) -> None:
        """Mostly voices that were released, now and then one that ended by itself, or one long gone."""
        voice = data.draw(st.sampled_from(sorted(self.stage.audible | self.stage.killed)))
        self.reference.drop({voice})
        self.stage.done.add(voice)
        self.do(VoiceDone(self.now, voice))

    @rule(ms=st.sampled_from((1, 10, 100)))
    def time_passes(self, ms: int) -> None:
        self.now += ms * MS
        due = self.stage.performer.next_tick_ns
        if due is not None and due <= self.now:
            self.check(self.stage.listen(self.stage.performer.tick(self.now)))

    # --- what must hold ---------------------------------------------------------------------------------------------

    def do(
        self, event: Event, *, releases: set[int] | None = None, kills: set[int] | None = None, may_steal: bool = False
    ) -> list[Action]:
        before = dict(self.reference.keys)
        released_before = set(self.stage.released)
        actions = self.stage.do(event)
        self.check(actions, releases, kills, may_steal)
        if may_steal:
            self.check_victims(actions, before, released_before)
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

    def check_victims(self, actions: list[Action], before: dict[int, Key], released_before: set[int]) -> None:
        """No key is stolen while a released voice is left, nor one of the newest chord while another voice is."""
        taken = [a.voice_id for a in actions if isinstance(a, KillVoice)]
        left = {voice for voice in self.stage.audible if self.stage.started[voice].time_ns <= self.now} - {
            a.voice_id for a in actions if isinstance(a, StartVoice)
        }
        for voice in taken:
            if voice in before and voice not in self.stage.released:
                assert not left & self.stage.released, "released voices go first"
                young = self.now - before[voice].started_ns <= CHORD_NS
                assert not young or all(self.now - self.stage.started[v].time_ns <= CHORD_NS for v in left)
        assert released_before <= self.stage.released

    @invariant()
    def held_voices_are_those_of_the_reference(self) -> None:
        assert self.stage.held == set(self.reference.keys)

    @invariant()
    def there_are_never_more_voices_than_the_limit(self) -> None:
        assert len(self.stage.audible) <= self.limit

    def teardown(self) -> None:
        """Keys up, pedals up: everything was told to end, and when it has, nothing is left."""
        for source in ("usb", "panel"):
            for channel in (0, 1):
                for pitch in (0, 48, 60, 61, 127):
                    self.stage.off(pitch, channel=channel, source=source)
        for channel in (0, 1):
            self.stage.cc(64, 0, channel=channel)
            self.stage.cc(66, 0, channel=channel)
        assert self.stage.held == set()
        assert set(self.stage.started) == self.stage.released | self.stage.killed | self.stage.done
        for voice in self.stage.audible:
            self.stage.finish(voice)
        assert self.stage.performer.voices == ()


NoStuckNotes.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestNoStuckNotes = NoStuckNotes.TestCase
