"""No stuck notes: everything that can happen to a performer, in any order, against a tiny reference (``duel.py``)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from synth_app.core.events import (
    ChannelPressure,
    ControlChange,
    Event,
    Panic,
    PitchBend,
    PolyPressure,
    ProgramChange,
    SetMorph,
    SetParam,
    SystemReset,
)
from synth_app.timbre.palette import Palette
from tests.property.duel import CHANNELS, PALETTES, PITCHES, SOURCES, Duel

ON_CHANNEL = st.sampled_from(CHANNELS)
FROM = st.sampled_from(SOURCES)
VALUE = st.sampled_from((0, 63, 64, 127))
MODES = (123, 124, 125, 126, 127)
OTHER_CONTROLLERS = (0, 1, 6, 7, 10, 11, 16, 32, 38, 67, 74, 96, 97, 98, 99, 100, 101)
OTHER_PARAMS = ("a4_hz", "volume_db", "transpose_semitones", "morph_cc", "glide_ms")


def harmless(now: int, kind: int, number: int, name: str, value: int, channel: int, source: str) -> Event:
    """An event that must never turn a note on or off, a morph controller set to a pedal's number included."""
    events: tuple[Event, ...] = (
        ControlChange(now, channel, number, value, source),
        PitchBend(now, channel, value * 64, source),
        ChannelPressure(now, channel, value, source),
        PolyPressure(now, channel, 60, value, source),
        ProgramChange(now, channel, value, source),
        SetParam(now, name, float(value)),
    )
    return events[kind]


class NoStuckNotes(RuleBasedStateMachine):
    """Finds the shortest piece of music that goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.duel = Duel()

    @initialize(limit=st.integers(1, 8))
    def begin(self, limit: int) -> None:
        self.duel.set_polyphony(limit)

    @rule(channel=ON_CHANNEL, pitch=st.sampled_from(PITCHES), velocity=st.integers(1, 127), source=FROM)
    def note_on(self, channel: int, pitch: int, velocity: int, source: str) -> None:
        self.duel.note_on(channel, pitch, velocity, source)

    @rule(channel=ON_CHANNEL, pitch=st.sampled_from(PITCHES), source=FROM)
    def note_off(self, channel: int, pitch: int, source: str) -> None:
        self.duel.note_off(channel, pitch, source)

    @rule(channel=ON_CHANNEL, number=st.sampled_from((64, 66)), value=VALUE, source=FROM)
    def pedal(self, channel: int, number: int, value: int, source: str) -> None:
        self.duel.pedal(channel, number, value, source)

    @rule(channel=ON_CHANNEL, controller=st.sampled_from((120, 121, *MODES)), source=FROM)
    def channel_mode(self, channel: int, controller: int, source: str) -> None:
        if controller == 120:
            self.duel.all_sound_off(channel, source)
        elif controller == 121:
            self.duel.reset_controllers(channel, source)
        else:
            self.duel.all_notes_off(channel, controller, source)

    @rule(how=st.sampled_from(("panic", "reset", *SOURCES)))
    def panic_or_unplug(self, how: str) -> None:
        if how in SOURCES:
            self.duel.unplug(how)
        else:
            self.duel.silence((Panic if how == "panic" else SystemReset)(self.duel.now))

    @rule(limit=st.integers(1, 8))
    def set_polyphony(self, limit: int) -> None:
        self.duel.set_polyphony(limit)

    @rule(palette=st.sampled_from(PALETTES))
    def change_patch(self, palette: Palette) -> None:
        self.duel.change_patch(palette)

    @rule(weights=st.lists(st.floats(0, 1), min_size=2, max_size=3))
    def morph(self, weights: list[float]) -> None:
        self.duel.do(SetMorph(self.duel.now, tuple(weights)))

    @rule(
        kind=st.integers(0, 5),
        number=st.sampled_from(OTHER_CONTROLLERS),
        name=st.sampled_from(OTHER_PARAMS),
        value=VALUE,
        channel=ON_CHANNEL,
        source=FROM,
    )
    def other(self, kind: int, number: int, name: str, value: int, channel: int, source: str) -> None:
        self.duel.do(harmless(self.duel.now, kind, number, name, value, channel, source))

    @precondition(lambda self: self.duel.stage.audible)
    @rule(data=st.data())
    def voice_done(self, data: st.DataObject) -> None:
        stage = self.duel.stage
        self.duel.voice_done(data.draw(st.sampled_from(sorted(stage.audible | stage.killed))))

    @rule(ms=st.sampled_from((1, 10, 100)))
    def time_passes(self, ms: int) -> None:
        self.duel.time_passes(ms)

    @invariant()
    def held_voices_are_those_of_the_reference(self) -> None:
        self.duel.check_book()

    def teardown(self) -> None:
        self.duel.finish()


NoStuckNotes.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestNoStuckNotes = NoStuckNotes.TestCase


def play_at_random(seed: int, events: int) -> None:
    """A long piece by a player with no taste at all: mostly notes and pedals, now and then a disaster."""
    rng = np.random.default_rng(seed)
    duel = Duel()

    def pick(options: tuple) -> object:
        return options[int(rng.integers(len(options)))]

    def disaster() -> None:
        channel, source = pick(CHANNELS), pick(SOURCES)
        pick(
            (
                lambda: duel.all_notes_off(channel, pick(MODES), source),
                lambda: duel.all_sound_off(channel, source),
                lambda: duel.reset_controllers(channel, source),
                lambda: duel.silence(pick((Panic, SystemReset))(duel.now)),
                lambda: duel.unplug(source),
                lambda: duel.set_polyphony(int(rng.integers(1, 9))),
                lambda: duel.change_patch(pick(PALETTES)),
            )
        )()

    def finish_one() -> None:
        if duel.stage.released - duel.stage.done - duel.stage.killed:
            duel.voice_done(pick(tuple(sorted(duel.stage.audible & duel.stage.released))))

    moves = (
        (0.30, lambda: duel.note_on(pick(CHANNELS), pick(PITCHES), int(rng.integers(1, 128)), pick(SOURCES))),
        (0.25, lambda: duel.note_off(pick(CHANNELS), pick(PITCHES), pick(SOURCES))),
        (0.15, lambda: duel.pedal(pick(CHANNELS), pick((64, 66)), pick((0, 127)), pick(SOURCES))),
        (0.12, finish_one),
        (0.08, lambda: duel.time_passes(pick((1, 10, 100)))),
        (0.04, lambda: duel.do(SetMorph(duel.now, tuple(rng.random(int(rng.integers(2, 4))))))),
        (0.04, lambda: duel.do(harmless(duel.now, int(rng.integers(6)), pick(OTHER_CONTROLLERS), pick(OTHER_PARAMS),
                                        pick((0, 63, 64, 127)), pick(CHANNELS), pick(SOURCES)))),
        (0.02, disaster),
    )  # fmt: skip
    edges = np.cumsum([share for share, _ in moves])
    for _ in range(events):
        moves[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))][1]()
        duel.check_book()
    duel.finish()


@pytest.mark.parametrize("seed", range(12))
def test_a_long_random_piece_leaves_no_note_behind(seed):
    play_at_random(seed, 1500)
