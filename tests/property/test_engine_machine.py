"""Any hands, any renderer: whatever happens in whatever order, in the end nothing sounds, waits or is held.

The whole engine is played by chance: strokes, pedals, bends, morphs, previews and panics, while renders come at once,
slowly or not at all. After every step each busy slot holds one pin and the output is fit to be heard; at the end, when
every key is up, there is nothing left: whether the renders have caught up by then or the renderer has died.
"""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from synth_app.app import compose
from synth_app.core.events import ControlChange, NoteOff, NoteOn, Panic, PitchBend, SetMorph, SetParam, SourceLost
from synth_app.engine.callback import CEILING_DB
from synth_app.engine.control import FIRST_PREVIEW_ID
from synth_app.engine.voices import Phase
from tests.unit.engine.copying import CopyingFinisher
from tests.unit.engine.rig import Rig, level_db, palette

PITCHES = st.sampled_from([20, 48, 49, 60, 72, 90])
SOURCES = st.sampled_from(["keys", "pads"])
WEIGHTS = st.sampled_from([(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)])
LONGEST_S = 12.0
SUSTAIN = 64


class EngineMachine(RuleBasedStateMachine):
    """Plays a rig by chance."""

    @initialize(
        release_ms=st.sampled_from([0.0, 60.0]),
        polyphony=st.sampled_from([1, 3, 64]),
        block=st.sampled_from([64, 480, 1500]),
        live=st.booleans(),
        dies=st.booleans(),
    )
    def begin(self, release_ms: float, polyphony: int, block: int, live: bool, dies: bool) -> None:
        with patch.object(compose, "Finisher", CopyingFinisher):
            self.rig = Rig(
                palette("Plain", "Soft", release_ms=release_ms), live=live, block=block, delay=2 * block,
                slices_a_block=0.0, settings={"polyphony": float(polyphony)},
            )  # fmt: skip
        self.polyphony = polyphony
        self.dies = dies and live  # offline waits for its renderer, as it should
        self.newest = np.zeros((1, 2), np.float32)

    # -- what may happen -----------------------------------------------------------------------------------------

    @rule(pitch=PITCHES, source=SOURCES, velocity=st.integers(1, 127), late_ms=st.integers(0, 8))
    def strike(self, pitch: int, source: str, velocity: int, late_ms: int) -> None:
        self.rig.do(NoteOn(self._past(late_ms), 0, pitch, velocity, source))

    @rule(pitch=PITCHES, source=SOURCES, late_ms=st.integers(0, 8))
    def let_go(self, pitch: int, source: str, late_ms: int) -> None:
        self.rig.do(NoteOff(self._past(late_ms), 0, pitch, 0, source))

    @rule(value=st.sampled_from([0, 127]))
    def pedal(self, value: int) -> None:
        self.rig.do(ControlChange(self.rig.now_ns, 0, SUSTAIN, value, "keys"))

    @rule(value=st.sampled_from([-8192, 0, 8191]), late_ms=st.integers(0, 8))
    def bend(self, value: int, late_ms: int) -> None:
        self.rig.do(PitchBend(self._past(late_ms), 0, value, "keys"))

    @rule(value=st.integers(0, 127), controller=st.sampled_from([1, 7, 11]))
    def turn(self, value: int, controller: int) -> None:
        self.rig.do(ControlChange(self.rig.now_ns, 0, controller, value, "keys"))

    @rule(weights=WEIGHTS)
    def morph(self, weights: tuple[float, float]) -> None:
        self.rig.do(SetMorph(self.rig.now_ns, weights))

    @rule(name=st.sampled_from(["Plain", "Loud"]))
    def change_patch(self, name: str) -> None:
        self.rig.control.set_palette(palette(name, "Soft"), self.rig.now_ns)

    @rule(pitch=PITCHES)
    def preview(self, pitch: int) -> None:
        self.rig.control.preview(palette("Loud"), pitch, 100, self.rig.now_ns)

    @rule(voices=st.sampled_from([1, 3, 64]))
    def set_polyphony(self, voices: int) -> None:
        self.polyphony = voices
        self.rig.do(SetParam(self.rig.now_ns, "polyphony", float(voices)))
        self._play(1, 0.0)

    @rule()
    def panic(self) -> None:
        self.rig.do(Panic(self.rig.now_ns))
        self._play(5 + 480 // self.rig.block, 0.0)
        self.rig.assert_clean()

    @rule(source=SOURCES)
    def unplug(self, source: str) -> None:
        self.rig.do(SourceLost(self.rig.now_ns, source))

    @rule(blocks=st.integers(1, 12), slices=st.sampled_from([0.0, 0.0, 0.3, 3.0]))
    def play_on(self, blocks: int, slices: float) -> None:
        self._play(blocks, slices)

    @rule(seconds=st.sampled_from([0.2, 4.5]), slices=st.sampled_from([0.0, 0.3]))
    def wait(self, seconds: float, slices: float) -> None:
        self._play(round(seconds * self.rig.rate_hz / self.rig.block), slices)

    @rule(blocks=st.integers(1, 30))
    def mix_while_nobody_controls(self, blocks: int) -> None:
        """The control thread is held up, and much news comes at once."""
        for _ in range(blocks):
            self.rig.memory.mix(np.empty((self.rig.block, 2), np.float32))

    # -- what must always hold -----------------------------------------------------------------------------------

    @invariant()
    def every_busy_slot_holds_one_pin(self) -> None:
        if hasattr(self, "rig"):
            stage = self.rig.control.stage
            assert sum(note.pins for note in stage._notes.values()) >= stage.slots_in_use
            assert len(stage._notes) == stage.slots_in_use
            assert set(self.rig.sounding) <= set(stage._notes)

    @invariant()
    def the_polyphony_is_kept(self) -> None:
        if hasattr(self, "rig"):
            living = [v for v in self.rig.voices if v.phase is not Phase.DYING and v.voice_id < FIRST_PREVIEW_ID]
            assert len(living) <= self.polyphony
            assert {v.voice_id for v in self.rig.control.performer.voices} <= {v.voice_id for v in self.rig.voices}

    @invariant()
    def what_is_heard_is_fit_to_be_heard(self) -> None:
        if hasattr(self, "rig"):
            assert np.all(np.isfinite(self.newest))
            assert np.abs(self.newest).max() <= np.float32(10.0 ** (CEILING_DB / 20.0))
            state = self.rig.memory.state[0]
            assert state["refused"] == state["lost_messages"] == state["not_finite"] == 0

    # -- the end -------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        rig = self.rig
        rig.do(ControlChange(rig.now_ns, 0, SUSTAIN, 0, "keys"))
        rig.do(*(SourceLost(rig.now_ns, source) for source in ("keys", "pads")))
        blocks = round(0.5 * rig.rate_hz / rig.block)
        for _ in range(round(LONGEST_S / 0.5)):
            self._play(blocks, 0.0 if self.dies else 3.0)
            if not rig.voices:
                break
        self._play(blocks, 0.0)
        rig.assert_clean()
        assert level_db(self.newest) < -90.0
        assert rig.control.banner == ""
        assert rig.core.streams.get(1) is None

    def _past(self, late_ms: int) -> int:
        return max(0, self.rig.now_ns - late_ms * 1_000_000)

    def _play(self, blocks: int, slices: float) -> None:
        self.rig.slices_a_block = slices
        self.newest = np.concatenate([self.rig.step() for _ in range(blocks)])
        self.rig._played.clear()


TestEngine = pytest.mark.timeout(900)(EngineMachine.TestCase)
TestEngine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
