"""The control thread: events in, the performer's actions carried out, notes asked for, voices started and ended.

``step()`` never waits for a render or a device. Live, a thread calls it in a loop; offline and in tests the same steps
are called in order. What becomes of each voice is the ensemble's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from synth_app.core.events import Event, Panic, SetParam, VoiceDone
from synth_app.core.units import semitones_to_ratio
from synth_app.engine.ensemble import Ensemble
from synth_app.engine.inbox import Inbox
from synth_app.engine.planning import Planning
from synth_app.engine.stage import AT_ONCE, Stage
from synth_app.engine.timing import FrameClock
from synth_app.engine.voices import EngineVoice
from synth_app.performer.actions import (
    Action,
    ChooseProgram,
    EnvelopeTimes,
    GainVoice,
    KillVoice,
    ReleaseVoice,
    RetimbreVoice,
    SetMaster,
    StartVoice,
    TuneVoice,
    WantsChanged,
)
from synth_app.performer.performer import Performer
from synth_app.render.board import DemandBoard
from synth_app.render.cache import NoteCache
from synth_app.render.finish import Finisher
from synth_app.render.streams import Chunk, StreamWorker
from synth_app.timbre.palette import Palette

FIRST_PREVIEW_ID = 1 << 40
"""Previews number their voices from here, out of the performer's way."""

PREVIEW_GAIN = 0.5
PREVIEW_HELD_NS = 600_000_000
PREVIEW_RELEASE_MS = 400.0

STILL_RENDERING = "The first notes of this timbre are still being rendered."


class ControlLoop:
    """One step of music: see :meth:`step`.

    Args:
        performer: decides.
        stage: the mixer's slots.
        cache, board, finisher: notes in memory, what to render, and how notes are made.
        streams: what voices go on with beyond their cached note.
        clock: times to frames.
        delay_frames: designed delay from an event's time to its frame.
        inbox: where events come from.
        device_rate_hz: of the output.
        prefetch: render ahead of the hands (off when rendering a file: only what is played is rendered).
        on_program: called with (bank, program) when a program change asks for a preset.
    """

    def __init__(
        self,
        performer: Performer,
        stage: Stage,
        cache: NoteCache,
        board: DemandBoard,
        finisher: Finisher,
        streams: StreamWorker,
        clock: FrameClock,
        delay_frames: int,
        inbox: Inbox,
        device_rate_hz: int,
        *,
        prefetch: bool = True,
        on_program: Callable[[int, int], None] = lambda bank, program: None,
    ) -> None:
        self.performer = performer
        self.inbox = inbox
        self.cache = cache
        self.board = board
        self.stage = stage
        self.banner = ""
        self._clock = clock
        self._calls: deque[Callable[[], Sequence[Action]]] = deque()
        self._planning = Planning(performer, cache, board, finisher, streams, clock, device_rate_hz, ahead=prefetch)
        self.ensemble = Ensemble(
            stage, cache, finisher, streams, clock, self._planning, device_rate_hz, delay_frames,
            bridges=prefetch, on_gone=self._gone,
        )  # fmt: skip
        self._on_program = on_program
        self._preview_id = FIRST_PREVIEW_ID
        for action in performer.handle(SetParam(0, "master_db", performer.settings["master_db"])):
            if isinstance(action, SetMaster):  # nothing has sounded yet, so there is nothing to glide from
                stage.master(AT_ONCE, action.gain, action.vibrato_hz)

    # -- the face to other threads -------------------------------------------------------------------------------

    def take_chunk(self, voice_id: int, chunk: Chunk) -> None:
        """A stream has a chunk for its voice (stream thread)."""
        self.ensemble.take_chunk(voice_id, chunk)
        self.inbox.wake()

    def set_palette(self, palette: Palette, now_ns: int) -> None:
        """Switch the patch, from any thread; carried out at the next step."""
        self.call(lambda: self.performer.set_palette(now_ns, palette))

    def call(self, decide: Callable[[], Sequence[Action]]) -> None:
        """Have actions decided and carried out at the next step, from any thread."""
        self._calls.append(decide)
        self.inbox.wake()

    def preview(self, palette: Palette, pitch: int, velocity: int, now_ns: int) -> None:
        """Sound a short note of another palette on top of what plays, from any thread; a later one replaces it."""
        self.call(lambda: self._preview(palette, pitch, velocity, now_ns))

    @property
    def voices(self) -> Sequence[EngineVoice]:
        """The voices there are (control thread)."""
        return self.ensemble.voices

    def needs_samples(self, frames: int) -> bool:
        """Whether some voice lacks what the next ``frames`` output frames will read (for those who can wait)."""
        return self.ensemble.needs_samples(frames)

    # -- a step --------------------------------------------------------------------------------------------------

    def step(self, now_ns: int, events: Sequence[Event]) -> None:
        """Take in events and news, and act on them.

        Args:
            now_ns: the present time, on the events' clock.
            events: from the inbox, in order.
        """
        for item in self.stage.collect():
            self.ensemble.on_news(item)
        while self._calls:
            self._carry_out(self._calls.popleft()())
        for event in events:
            self._tick_until(event.time_ns)
            self._carry_out(self.performer.handle(event))
            if isinstance(event, Panic):
                self._end_previews(self._frame(event.time_ns))
        self.ensemble.go_over()
        self._tick_until(now_ns)
        self.ensemble.attend(self._clock.frame_at(now_ns))
        self.banner = STILL_RENDERING if self.ensemble.silent_keys else ""
        self.stage.commit()
        self._planning.step(now_ns, self.ensemble.voices)

    def _tick_until(self, time_ns: int) -> None:
        """Let a gliding morph take its steps, each at its own time, however seldom this is called."""
        while (tick_ns := self.performer.next_tick_ns) is not None and tick_ns <= time_ns:
            self._carry_out(self.performer.tick(tick_ns))

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When :meth:`step` should run again even if nothing arrives."""
        times = [t for t in (self._planning.due_ns, self.performer.next_tick_ns) if t is not None]
        if self.ensemble.waiting or self.ensemble.following:
            times.append(now_ns + 2_000_000)
        return min(times, default=None)

    # -- the performer's actions ---------------------------------------------------------------------------------

    def _frame(self, time_ns: int) -> int:
        return max(AT_ONCE, self._clock.frame_at(time_ns) + self.ensemble.delay_frames)

    def _carry_out(self, actions: Sequence[Action]) -> None:
        voices = self.ensemble
        for action in actions:
            match action:
                case StartVoice(time_ns=time_ns):
                    voices.start(action, self._frame(time_ns))
                case ReleaseVoice(time_ns=time_ns, voice_id=voice_id):
                    voices.release(voice_id, self._frame(time_ns))
                case KillVoice(time_ns=time_ns, voice_id=voice_id):
                    voices.kill(voice_id, self._frame(time_ns))
                case TuneVoice(time_ns=time_ns):
                    voices.tune(action, self._frame(time_ns))
                case GainVoice(time_ns=time_ns):
                    voices.gain(action, self._frame(time_ns))
                case RetimbreVoice(time_ns=time_ns):
                    voices.retimbre(action, self._frame(time_ns))
                case SetMaster(time_ns=time_ns, gain=gain, vibrato_hz=vibrato_hz):
                    self.stage.master(self._frame(time_ns), gain, vibrato_hz)
                case WantsChanged():
                    self._planning.want(action.time_ns)
                case ChooseProgram(bank=bank, program=program):
                    self._on_program(bank, program)

    def warm_share(self, now_ns: int) -> float:
        """Share of the keyboard whose notes at the present timbre can sound at once."""
        return self._planning.warm_share(now_ns, self.ensemble.lead_samples)

    def _gone(self, voice_id: int) -> None:
        self._carry_out(self.performer.handle(VoiceDone(0, voice_id)))

    def _end_previews(self, frame: int) -> None:
        for voice in self.voices:
            if voice.voice_id > FIRST_PREVIEW_ID:
                self.ensemble.kill(voice.voice_id, frame)

    def _preview(self, palette: Palette, pitch: int, velocity: int, now_ns: int) -> list[Action]:
        rendered = palette.note(palette.patch.weights, velocity, pitch)
        former, self._preview_id = self._preview_id, self._preview_id + 1
        gain = PREVIEW_GAIN * velocity / 127.0
        note = StartVoice(
            now_ns, self._preview_id, 0, pitch, velocity, rendered.note_key, rendered.latent,
            semitones_to_ratio(rendered.semitones), 0.0, gain, gain, EnvelopeTimes(0.0, 1.0, 1.0, PREVIEW_RELEASE_MS),
            may_bridge=False,  # who listens to a timbre wants to hear that one
        )  # fmt: skip
        return [
            KillVoice(now_ns, former),
            note,
            ReleaseVoice(now_ns + PREVIEW_HELD_NS, self._preview_id),
        ]
