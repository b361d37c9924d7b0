"""A moving slider under held notes: when does each voice go over to the new timbre, and does any run dry?

A voice's stream takes the new timbre up at a frame, sketched or as the net paints it; the first sample that differs is
the first that this frame's window reaches. The windows of neighbouring frames overlap, so half the change has come one
and a half hops after the first that the net painted: what a sketch is worth differs from one move to the next.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from synth_app.core.events import NoteOff, NoteOn, SetMorph
from synth_app.engine.protocol import look_ahead_frames
from synth_app.render.finish import Finisher
from synth_app.render.note import Note
from synth_app.render.streams import Stream

if TYPE_CHECKING:
    from synth_app.app.compose import Core
    from synth_app.app.instrument import LiveInstrument

CHORD = (41, 48, 53, 57, 60, 64, 69, 72)
HALF_HOPS = 1.5
MOVE_EVERY_S = 0.05
_VELOCITY, _CHANNEL = 90, 0
PATIENCE_S = 4.0
"""A voice that has not followed by then counts as if it had followed at that moment."""

_HELD_S, _RENDERED_S, _PAUSE_S = 0.7, 6.0, 0.8
_POLL_S = 0.001


class Slider:
    """Moves the morph of a running instrument.

    Args:
        live, core: the instrument and its engine.
        seed: of its moves.
    """

    def __init__(self, live: LiveInstrument, core: Core, seed: int) -> None:
        self._live, self._core = live, core
        self._draw = random.Random(seed)
        self._finisher = Finisher(live.library.info, core.memory.rate_hz)
        self._anchors = len(live.patch.anchors)

    @property
    def half_ms(self) -> float:
        """From the net's first sample to half the change."""
        return HALF_HOPS * self._finisher.hop * 1e3 / self._finisher.rate_hz

    def jump(self) -> list[tuple[float, float]]:
        """Strike a chord, move the slider under it, let go: when each voice's first sample differs, and when the first
        differs that the net painted, in milliseconds.

        The slider moves once the chord's own notes are rendered, or after a while if they are not.
        """
        began = time.monotonic()
        self._strike()
        time.sleep(_HELD_S)
        while not self._rendered() and time.monotonic() < began + _RENDERED_S:
            time.sleep(0.02)
        changes = self._changes_ms(self._somewhere())
        time.sleep(0.1)
        self._let_go()
        time.sleep(_PAUSE_S)
        return changes

    def sweep(self, seconds: float) -> int:
        """Hold a chord and keep the slider moving; how many times a voice ran out of rendered sound."""
        before = self._starved
        self._strike()
        end = time.monotonic() + seconds
        here, there, share = self._somewhere(), self._somewhere(), 0.0
        while time.monotonic() < end:
            share += 0.05
            if share > 1.0:
                here, there, share = there, self._somewhere(), 0.0
            between = tuple((1.0 - share) * a + share * b for a, b in zip(here, there, strict=True))
            self._live.post(SetMorph(time.monotonic_ns(), between))
            time.sleep(MOVE_EVERY_S)
        self._let_go()
        return self._starved - before

    @property
    def _starved(self) -> int:
        return int(self._core.memory.state[0]["starved"]) + self._core.streams.held

    def _somewhere(self) -> tuple[float, ...]:
        return tuple(self._draw.uniform(0.05, 1.0) for _ in range(self._anchors))

    def _strike(self) -> None:
        for pitch in CHORD:
            self._live.post(NoteOn(time.monotonic_ns(), _CHANNEL, pitch, _VELOCITY))

    def _let_go(self) -> None:
        for pitch in CHORD:
            self._live.post(NoteOff(time.monotonic_ns(), _CHANNEL, pitch))

    def _rendered(self) -> bool:
        streams = [self._core.streams.get(view.voice_id) for view in self._live.telemetry().voices]
        return all(
            s is not None and (s.released or s.note.has(self._finisher.first_frame, self._finisher.release_frame))
            for s in streams
        )

    def _changes_ms(self, weights: tuple[float, ...]) -> list[tuple[float, float]]:
        """Move there, and watch every sounding voice's stream until it has followed."""
        waiting: dict[int, Note] = {}
        sketched: dict[int, float] = {}
        for view in self._live.telemetry().voices:
            stream = self._core.streams.get(view.voice_id)
            if stream is not None and not stream.released:
                waiting[view.voice_id] = stream.note
        began_ns = time.monotonic_ns()
        self._live.post(SetMorph(began_ns, weights))
        changes: list[tuple[float, float]] = []
        while waiting and time.monotonic_ns() - began_ns < PATIENCE_S * 1e9:
            time.sleep(_POLL_S)
            for voice_id, former in list(waiting.items()):
                stream = self._core.streams.get(voice_id)
                if stream is None:
                    del waiting[voice_id]
                elif stream.note is not former:
                    heard = self._heard_ms(stream, stream.frame - 1, began_ns)
                    changes.append((sketched.get(voice_id, heard), heard))
                    del waiting[voice_id]
                elif voice_id not in sketched and (sketch := stream.sketch) and stream.frame > sketch.start:
                    sketched[voice_id] = self._heard_ms(stream, sketch.start, began_ns)
        patience_ms = PATIENCE_S * 1e3
        return changes + [(sketched.get(voice_id, patience_ms), patience_ms) for voice_id in waiting]

    def _heard_ms(self, stream: Stream, frame: int, began_ns: int) -> float:
        """When the first sample of a frame that was just decoded comes out of the limiter."""
        first = (frame - self._finisher.lead_frames) * self._finisher.hop
        ahead_s = (first - stream.position()) / self._finisher.rate_hz
        limiter_s = look_ahead_frames(self._core.memory.rate_hz) / self._core.memory.rate_hz
        return (time.monotonic_ns() - began_ns) * 1e-6 + 1e3 * (ahead_s + limiter_s)
