"""Any take, replayed offline, gives the samples that were heard live."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synth_app.app import compose
from synth_app.app.compose import build_core
from synth_app.app.offline import play_score
from synth_app.core.events import ControlChange, Event, NoteOff, NoteOn, PitchBend, SetMorph
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.timing import FileClock
from tests.helpers.sine_generator import SineGenerator
from tests.unit.engine.copying import CopyingFinisher
from tests.unit.engine.rig import RATE_HZ, Rig, palette

PITCHES = (20, 48, 60, 61, 72)
WEIGHTS = ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))
LENGTH_S = 3.6
MS = 1_000_000

BENT_AS_IT_ENDS = [
    PitchBend(0, 0, -4000), NoteOn(50 * MS, 0, 72, 30), NoteOn(845 * MS, 0, 72, 30), PitchBend(845 * MS, 0, 0),
    NoteOff(846 * MS, 0, 72),
]  # fmt: skip
"""The first stroke is let go and bent up in one moment: the release used to begin a hop later offline than live."""

FOLLOWED_EARLY = [NoteOn(0, 0, 48, 30), SetMorph(0, (0.5, 0.5)), NoteOff(3000 * MS, 0, 48)]
"""Its walk used to want for the first frames of the note it had gone over to: nobody had asked for them again."""

TIMES = st.one_of(st.integers(0, 3200), st.integers(0, 60), st.integers(2700, 2900))


@st.composite
def takes(draw: st.DrawFn) -> list[Event]:
    """Notes of any length, bends, pedals and morphs, in order of time; every note ends."""
    events: list[Event] = []
    for _ in range(draw(st.integers(1, 8))):
        start, held, pitch = (
            draw(TIMES),
            draw(st.sampled_from([1, 5, 33, 170, 900, 3000])),
            draw(st.sampled_from(PITCHES)),
        )
        events.append(NoteOn(start * MS, 0, pitch, draw(st.sampled_from([30, 100]))))
        events.append(NoteOff((start + held) * MS, 0, pitch))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(TIMES) * MS
        turns = (PitchBend(at, 0, value) for value in (8191, -4000, 0))
        controls = (ControlChange(at, 0, *control) for control in ((64, 127), (64, 0), (7, 50)))
        events.append(draw(st.sampled_from([*turns, *controls, *(SetMorph(at, weights) for weights in WEIGHTS)])))
    return sorted(events, key=lambda event: event.time_ns)


def _finish(rig: Rig) -> None:
    for weights in WEIGHTS:
        rig.prepare([rig.palette.clamp(pitch) for pitch in PITCHES], weights)


@pytest.mark.timeout(900)
@settings(max_examples=15)
@given(
    events=takes(),
    release_ms=st.sampled_from([0.0, 60.0]),
    block=st.sampled_from([64, 128, 200]),
)
@example(events=FOLLOWED_EARLY, release_ms=0.0, block=64)
@example(events=BENT_AS_IT_ENDS, release_ms=0.0, block=128)
def test_a_live_take_replayed_offline_is_the_same(events: list[Event], release_ms: float, block: int):
    sounds = palette(release_ms=release_ms)
    with patch.object(compose, "Finisher", CopyingFinisher):
        rig = Rig(sounds, live=True, block=block, delay=2 * block, slices_a_block=0.0)
        memory = MixerMemory(RATE_HZ)
        core = build_core(
            SineGenerator(), sounds, {"master_db": 0.0}, memory, FileClock(memory), Inbox(), delay_frames=0, live=False
        )
    _finish(rig)
    at = 0
    for _ in range(round(LENGTH_S * RATE_HZ / block)):
        while at < len(events) and events[at].time_ns <= rig.now_ns:
            rig.do(events[at])
            at += 1
        rig.step()
    heard = rig.played[2 * block :]
    written = np.concatenate(list(play_score(core, events, round(LENGTH_S * 1e9))))
    assert rig.control.ensemble.bridged == rig.control.ensemble.late == 0
    length = min(len(heard), len(written))
    assert length > 0.9 * LENGTH_S * RATE_HZ
    np.testing.assert_array_equal(heard[:length], written[:length])
