"""The control thread: events in, the performer's actions carried out, notes asked for, voices started and ended.

``step()`` never waits for a render or a device. Live, a thread calls it in a loop; offline and in tests the same steps
are called in order. This is the only place that knows voices, notes and slots together.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from synth_app.core.events import Event, Panic, SetParam, VoiceDone
from synth_app.core.units import semitones_to_ratio
from synth_app.engine.inbox import Inbox
from synth_app.engine.planning import Planning
from synth_app.engine.stage import AT_ONCE, Finished, Late, Sounding, Stage, Started
from synth_app.engine.timing import DelayStatistics, FrameClock
from synth_app.engine.voices import EngineVoice, Phase
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
from synth_app.render.note import Note
from synth_app.render.streams import Chunk, Stream, StreamWorker
from synth_app.timbre.palette import Palette

log = logging.getLogger(__name__)

BRIDGE_AFTER_S = 0.015
"""How long a key may stay silent before a stand-in sounds for it."""

EXCHANGE_S = 0.012
"""Cross-fade from a stand-in to the true note."""

START_LEAD_S = 0.012
"""Rendered sound a voice needs before it may begin."""

FIRST_PREVIEW_ID = 1 << 40
"""Previews number their voices from here, out of the performer's way."""

PREVIEW_GAIN = 0.5
PREVIEW_HELD_NS = 600_000_000
PREVIEW_RELEASE_MS = 400.0

STAND_IN_RELEASE_MS = 250.0
"""Release of a stand-in whose patch leaves the release to the note."""

LATCH_S = 2.0
"""A short note that is still not rendered so long after its key went up is given up: nobody expects it any more."""

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
        self.delays = DelayStatistics()
        self.bridged = 0
        self.late = 0
        self.refused = 0
        self.banner = ""
        self.streams = streams
        self._finisher = finisher
        self._clock = clock
        self.delay_frames = delay_frames
        self._rate_hz = device_rate_hz
        self._note_ratio = finisher.rate_hz / device_rate_hz
        self._lead_samples = round(START_LEAD_S * finisher.rate_hz)
        self._voices: dict[int, EngineVoice] = {}
        self._chunks: deque[tuple[int, Chunk]] = deque()
        self._calls: deque[Callable[[], Sequence[Action]]] = deque()
        self._bridges = prefetch
        self._planning = Planning(performer, cache, board, finisher, streams, clock, device_rate_hz, ahead=prefetch)
        self._on_program = on_program
        self._preview_id = FIRST_PREVIEW_ID
        self._silent_keys = False
        for action in performer.handle(SetParam(0, "master_db", performer.settings["master_db"])):
            if isinstance(action, SetMaster):  # nothing has sounded yet, so there is nothing to glide from
                stage.master(AT_ONCE, action.gain, action.vibrato_hz)

    # -- the face to other threads -------------------------------------------------------------------------------

    def take_chunk(self, voice_id: int, chunk: Chunk) -> None:
        """A stream has a chunk for its voice (stream thread)."""
        self._chunks.append((voice_id, chunk))
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
        return tuple(self._voices.values())

    @property
    def waiting(self) -> bool:
        """Whether some voice waits for its note."""
        return any(v.waiting for v in self._voices.values())

    def needs_samples(self, frames: int) -> bool:
        """Whether some voice lacks what the next ``frames`` output frames will read (for those who can wait)."""
        return any(voice.waiting or self._lacks_samples(voice, frames) for voice in self._voices.values())

    def _lacks_samples(self, voice: EngineVoice, frames: int) -> bool:
        position = self.stage.position(voice.slot, voice.voice_id)
        reach = position + 2.0 * frames * voice.rate * self._note_ratio + self._lead_samples
        stream = self.streams.get(voice.voice_id)
        if stream is not None and (voice.coming is not None or not self.streams.provided(stream, reach)):
            return True
        if stream is not None and stream.chunk is not None:
            return False
        return not voice.note.complete and voice.note.available < reach

    # -- a step --------------------------------------------------------------------------------------------------

    def step(self, now_ns: int, events: Sequence[Event]) -> None:
        """Take in events and news, and act on them.

        Args:
            now_ns: the present time, on the events' clock.
            events: from the inbox, in order.
        """
        for item in self.stage.collect():
            self._on_news(item)
        while self._calls:
            self._carry_out(self._calls.popleft()())
        for event in events:
            self._carry_out(self.performer.handle(event))
            if isinstance(event, Panic):
                self._end_previews(self._frame(event.time_ns))
        self._go_over()
        tick = self.performer.next_tick_ns
        if tick is not None and now_ns >= tick:
            self._carry_out(self.performer.tick(now_ns))
        now_frame = self._clock.frame_at(now_ns)
        self._silent_keys = False
        for voice in [v for v in self._voices.values() if v.waiting]:
            self._try_start(voice, now_frame)
        self.banner = STILL_RENDERING if self._silent_keys else ""
        self._end_dry_voices(now_frame)
        self.stage.commit()
        self._planning.step(now_ns, self._voices.values())

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When :meth:`step` should run again even if nothing arrives."""
        times = [t for t in (self._planning.due_ns, self.performer.next_tick_ns) if t is not None]
        if self.waiting:
            times.append(now_ns + 2_000_000)
        return min(times, default=None)

    # -- news from the mixer -------------------------------------------------------------------------------------

    def _on_news(self, item: Started | Finished | Late) -> None:
        voice = self._voices.get(item.voice_id)
        match item:
            case Late():
                self.late += 1
            case Started(slot=slot, frame=frame, due_frame=due) if voice is not None:
                if slot == voice.slot and due:
                    self.delays.add(frame - due)
                elif slot == voice.slot:
                    voice.anchor_frame += frame - voice.start_frame
                    voice.start_frame = frame
                elif slot == voice.stand_in:
                    voice.anchor_frame += frame - voice.stand_in_frame
                    voice.stand_in_frame = frame
            case Finished(slot=slot) if voice is not None:
                if slot == voice.stand_in and not voice.waiting:
                    voice.stand_in = -1  # its exchange is over
                elif slot in (voice.slot, voice.stand_in):
                    self._forget(voice)

    def _forget(self, voice: EngineVoice) -> None:
        del self._voices[voice.voice_id]
        self.streams.end(voice.voice_id)
        self._planning.voices_changed = True
        self._carry_out(self.performer.handle(VoiceDone(0, voice.voice_id)))

    # -- the performer's actions ---------------------------------------------------------------------------------

    def _frame(self, time_ns: int) -> int:
        return max(AT_ONCE, self._clock.frame_at(time_ns) + self.delay_frames)

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case StartVoice():
                    self._start(action)
                case ReleaseVoice(time_ns=time_ns, voice_id=voice_id):
                    self._release(self._voices.get(voice_id), self._frame(time_ns))
                case KillVoice(time_ns=time_ns, voice_id=voice_id):
                    self._kill(self._voices.get(voice_id), self._frame(time_ns))
                case TuneVoice():
                    self._tune(action)
                case GainVoice():
                    self._gain(action)
                case RetimbreVoice():
                    self._retimbre(action)
                case SetMaster(time_ns=time_ns, gain=gain, vibrato_hz=vibrato_hz):
                    self.stage.master(self._frame(time_ns), gain, vibrato_hz)
                case WantsChanged():
                    self._planning.want(action.time_ns)
                case ChooseProgram(bank=bank, program=program):
                    self._on_program(bank, program)

    def _start(self, action: StartVoice) -> None:
        note = self.cache.want(action.note_key, action.latent)
        voice = EngineVoice(
            action, note, self._frame(action.time_ns), rate=action.rate, vibrato=action.vibrato,
            gain_left=action.gain_left, gain_right=action.gain_right,
        )  # fmt: skip
        self._voices[voice.voice_id] = voice
        self._planning.voices_changed = True
        if self._ready(note):
            self._begin(voice, voice.due_frame)

    def _ready(self, note: Note, position: float = 0.0) -> bool:
        return self._planning.ready(note, position + self._lead_samples)

    def warm_share(self, now_ns: int) -> float:
        """Share of the keyboard whose notes at the present timbre can sound at once."""
        return self._planning.warm_share(now_ns, self._lead_samples)

    def _sounding(self, voice: EngineVoice) -> Sounding:
        return Sounding(
            voice.rate * self._note_ratio, voice.vibrato, voice.gain_left, voice.gain_right, voice.action.envelope
        )

    def _begin(self, voice: EngineVoice, due_frame: int, sounding: Sounding | None = None) -> None:
        slot = self.stage.start(voice.voice_id, voice.note, due_frame, sounding or self._sounding(voice))
        if slot is None:
            self.refused += 1
            self._forget(voice)
            return
        position = sounding.position if sounding else 0.0
        voice.slot, voice.begin_frame = slot, due_frame
        voice.start_frame = due_frame or max(voice.due_frame, self._clock.frame_now())
        voice.anchor_frame, voice.anchor_position = voice.start_frame, position
        latched = voice.phase is Phase.LATCHED
        voice.phase = Phase.SOUNDING
        playhead = partial(self.stage.position, slot, voice.voice_id)
        rng = np.random.default_rng(voice.voice_id)
        self.streams.begin(Stream(voice.voice_id, voice.note, playhead, rng, voice.rate * voice.ratio))
        if latched:
            shortest = 0 if due_frame else self.delay_frames  # a release in the same block would be late
            self._release(voice, voice.start_frame + max(shortest, voice.held_frames))

    def _release(self, voice: EngineVoice | None, frame: int) -> None:
        if voice is None:
            return
        release_ms = voice.action.envelope.release_ms
        if voice.phase is Phase.PENDING:
            voice.phase = Phase.LATCHED
            voice.held_frames = max(0, frame - voice.due_frame)
            if voice.stand_in >= 0:
                self.stage.release(voice.stand_in, voice.voice_id, frame, release_ms or STAND_IN_RELEASE_MS)
        elif voice.phase is Phase.SOUNDING:
            voice.phase = Phase.RELEASING
            frame = max(frame, voice.begin_frame)
            if release_ms:
                self.stage.release(voice.slot, voice.voice_id, frame, release_ms)
            self._end_stream(voice, frame)
            self._planning.voices_changed = True

    def _end_stream(self, voice: EngineVoice, frame: int) -> None:
        """Let the model's own release begin, once the voice has come as far as ``frame``."""
        stream = self.streams.get(voice.voice_id)
        if stream is not None:
            stream.release_at = self._position(voice, frame)
            stream.released = True

    def _position(self, voice: EngineVoice, frame: int) -> float:
        """The sample of its note that a voice plays at a frame, by the bends it was told (and if it never starved)."""
        return voice.anchor_position + (frame - voice.anchor_frame) * voice.rate * self._note_ratio

    def _retimbre(self, action: RetimbreVoice) -> None:
        """Let a held voice follow the morph from its playhead on; only the newest wish is kept."""
        voice = self._voices.get(action.voice_id)
        if voice is None or voice.phase is not Phase.SOUNDING:
            return
        voice.coming = self.cache.want(action.note_key, action.latent)
        voice.coming_at = self._position(voice, max(self._frame(action.time_ns), voice.begin_frame))
        self._planning.voices_changed = True

    def _follow(self) -> None:
        """Hand each stream its next note once it has taken up the one before: no wish is starved by newer ones."""
        for voice in self._voices.values():
            stream = self.streams.get(voice.voice_id)
            if voice.coming is not None and stream is not None and stream.target is None:
                stream.target_at = voice.coming_at  # before the target, which the stream's thread waits for
                stream.target, voice.coming = voice.coming, None
                self._planning.voices_changed = True

    def _go_over(self) -> None:
        """Send finished chunks on to the mixer."""
        while self._chunks:
            voice_id, chunk = self._chunks.popleft()
            voice = self._voices.get(voice_id)
            if voice is not None and voice.slot >= 0:
                self.stage.go_over(voice.slot, voice_id, voice.begin_frame, chunk)
                self._planning.voices_changed = True
        self._follow()

    def _kill(self, voice: EngineVoice | None, frame: int) -> None:
        if voice is None:
            return
        if voice.stand_in >= 0:
            self.stage.kill(voice.stand_in, voice.voice_id, frame)
        if voice.waiting:
            self._forget(voice)
        elif voice.phase is not Phase.DYING:
            voice.phase = Phase.DYING
            self.stage.kill(voice.slot, voice.voice_id, max(frame, voice.begin_frame))
            self._planning.voices_changed = True

    def _end_previews(self, frame: int) -> None:
        for voice in self.voices:
            if voice.voice_id > FIRST_PREVIEW_ID:
                self._kill(voice, frame)

    def _end_dry_voices(self, now_frame: int) -> None:
        """End what will not be missed: a release that ran out of sound, a short note that never got any."""
        for voice in self.voices:
            if voice.phase is Phase.RELEASING and self.stage.dry(voice.slot, voice.voice_id):
                self._kill(voice, AT_ONCE)
            elif voice.phase is Phase.LATCHED and voice.stand_in < 0:
                let_go = voice.due_frame + voice.held_frames
                if self._bridges and now_frame - let_go > LATCH_S * self._rate_hz:
                    self._forget(voice)

    def _tune(self, action: TuneVoice) -> None:
        voice = self._voices.get(action.voice_id)
        if voice is None:
            return
        frame = max(self._frame(action.time_ns), voice.begin_frame)
        voice.anchor_position = self._position(voice, frame)
        voice.anchor_frame = frame
        voice.rate, voice.vibrato = action.rate, action.vibrato
        stream = self.streams.get(voice.voice_id)
        if stream is not None:
            stream.rate = action.rate
        for slot, ratio in ((voice.slot, voice.ratio), (voice.stand_in, voice.stand_in_ratio)):
            if slot >= 0:
                rate = action.rate * self._note_ratio * ratio
                self.stage.tune(slot, voice.voice_id, frame, rate, action.vibrato)

    def _gain(self, action: GainVoice) -> None:
        voice = self._voices.get(action.voice_id)
        if voice is None:
            return
        voice.gain_left, voice.gain_right = action.gain_left, action.gain_right
        frame = max(self._frame(action.time_ns), voice.begin_frame)
        for slot in (voice.slot, voice.stand_in):
            if slot >= 0:
                self.stage.gain(slot, voice.voice_id, frame, action.gain_left, action.gain_right)

    def _preview(self, palette: Palette, pitch: int, velocity: int, now_ns: int) -> list[Action]:
        rendered = palette.note(palette.patch.weights, velocity, pitch)
        former, self._preview_id = self._preview_id, self._preview_id + 1
        gain = PREVIEW_GAIN * velocity / 127.0
        note = StartVoice(
            now_ns, self._preview_id, 0, pitch, velocity, rendered.note_key, rendered.latent,
            semitones_to_ratio(rendered.semitones), 0.0, gain, gain, EnvelopeTimes(0.0, 1.0, 1.0, PREVIEW_RELEASE_MS),
        )  # fmt: skip
        return [
            KillVoice(now_ns, former),
            note,
            ReleaseVoice(now_ns + PREVIEW_HELD_NS, self._preview_id),
        ]

    # -- voices that wait ----------------------------------------------------------------------------------------

    def _try_start(self, voice: EngineVoice, now_frame: int) -> None:
        if voice.stand_in >= 0:
            self._try_exchange(voice, now_frame)
        elif self._ready(voice.note):
            in_time = self._clock.frame_now() <= voice.due_frame
            self._begin(voice, voice.due_frame if in_time else AT_ONCE)
        elif self._bridges and now_frame - (voice.due_frame - self.delay_frames) > BRIDGE_AFTER_S * self._rate_hz:
            self._bridge(voice, now_frame)

    def _bridge(self, voice: EngineVoice, now_frame: int) -> None:
        """Let the nearest rendered note stand in for one that is not there yet."""
        key = voice.note.key
        need = 4 * self._lead_samples
        note = self.cache.nearest_pitch(key, need) or self.cache.nearest_latent(key, voice.note.latent, need)
        if note is None:
            self._silent_keys = True
            return
        voice.stand_in_ratio = semitones_to_ratio(key.pitch - note.key.pitch)
        sounding = replace(self._sounding(voice), rate=voice.rate * self._note_ratio * voice.stand_in_ratio)
        slot = self.stage.start(voice.voice_id, note, AT_ONCE, sounding)
        if slot is not None:
            voice.stand_in, voice.stand_in_note = slot, note
            voice.stand_in_frame = voice.anchor_frame = now_frame
            self.bridged += 1
            if voice.phase is Phase.LATCHED:
                release_ms = voice.action.envelope.release_ms or STAND_IN_RELEASE_MS
                self.stage.release(slot, voice.voice_id, now_frame + voice.held_frames, release_ms)

    def _try_exchange(self, voice: EngineVoice, now_frame: int) -> None:
        """Go over from a stand-in to the true note at the same elapsed time, once it is there."""
        if voice.phase is Phase.LATCHED:  # it was short: the stand-in says it all
            assert voice.stand_in_note is not None
            voice.slot, voice.stand_in = voice.stand_in, -1
            voice.note, voice.ratio = voice.stand_in_note, voice.stand_in_ratio
            voice.start_frame = voice.stand_in_frame
            voice.phase = Phase.RELEASING
            self._planning.voices_changed = True
            return
        due = now_frame + self.delay_frames
        position = self._position(voice, due)
        if not self._ready(voice.note, position + EXCHANGE_S * self._finisher.rate_hz):
            return
        self.stage.kill(voice.stand_in, voice.voice_id, due, EXCHANGE_S)
        open_envelope = replace(voice.action.envelope, attack_ms=0.0)
        self._begin(
            voice, due,
            replace(self._sounding(voice), envelope=open_envelope, position=position, fade_in_s=EXCHANGE_S),
        )  # fmt: skip
        voice.start_frame = voice.stand_in_frame
