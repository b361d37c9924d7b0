"""The voices between the performer's decisions and the mixer's slots: begun, bridged, bent, let go, ended.

This is the only place that knows voices, notes, slots and streams together. The control thread owns it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from synth_app.core.units import semitones_to_ratio
from synth_app.engine.planning import Planning
from synth_app.engine.stage import AT_ONCE, Finished, Late, Sounding, Stage, Started
from synth_app.engine.timing import DelayStatistics, FrameClock
from synth_app.engine.voices import EngineVoice, Phase
from synth_app.performer.actions import GainVoice, RetimbreVoice, StartVoice, TuneVoice
from synth_app.render.cache import NoteCache
from synth_app.render.finish import Finisher
from synth_app.render.note import Note
from synth_app.render.streams import Chunk, Stream, StreamWorker

BRIDGE_AFTER_S = 0.015
"""How long a key may stay silent before a stand-in sounds for it."""

EXCHANGE_S = 0.012
"""Cross-fade from a stand-in to the true note."""

START_LEAD_S = 0.012
"""Rendered sound a voice needs before it may begin."""

STAND_IN_RELEASE_MS = 250.0
"""Release of a stand-in whose patch leaves the release to the note."""

REST_S, PAINTED_S = 0.3, 0.5
"""A morph that is wished elsewhere again within the first is on its way, and so is one of a note that has just begun:
the net has enough to do. Where it can be sketched, the net paints what it passes no oftener than the second."""

LATCH_S = 2.0
"""A short note that is still not rendered so long after its key went up is given up: nobody expects it any more."""
PREVIEW_LATCH_S = 10.0
"""The same for one that nothing may stand in for: it was asked for once, and only the next one replaces it."""


class Ensemble:
    """Every voice there is.

    Args:
        stage: the mixer's slots.
        cache, finisher, streams: notes in memory, how they are made, and what voices go on with beyond them.
        clock: the mixer's frames.
        planning: told when the voices' needs change.
        device_rate_hz: of the output.
        bridges: whether a late note may be stood in for (live), or is waited for.
        on_gone: told the id of a voice that has ended.

    Attributes:
        delay_frames: designed delay from an event's time to its frame.
        delays: how well it is kept.
        finisher: how notes are made.
        bridged, late, refused: voices begun on a stand-in, commands that came late, voices there was no slot for.
        silent_keys: whether some key stays silent because nothing is rendered that could stand in.
    """

    def __init__(
        self,
        stage: Stage,
        cache: NoteCache,
        finisher: Finisher,
        streams: StreamWorker,
        clock: FrameClock,
        planning: Planning,
        device_rate_hz: int,
        delay_frames: int,
        *,
        bridges: bool,
        on_gone: Callable[[int], None],
    ) -> None:
        self.stage = stage
        self.cache = cache
        self.streams = streams
        self.delay_frames = delay_frames
        self.delays = DelayStatistics()
        self.bridged = 0
        self.late = 0
        self.refused = 0
        self.silent_keys = False
        self.finisher = finisher
        self._clock = clock
        self._planning = planning
        self._rate_hz = device_rate_hz
        self._note_ratio = finisher.rate_hz / device_rate_hz
        self._lead_samples = round(START_LEAD_S * finisher.rate_hz)
        self._voices: dict[int, EngineVoice] = {}
        self._chunks: deque[tuple[int, Chunk]] = deque()
        self._bridges = bridges
        self._on_gone = on_gone

    @property
    def voices(self) -> Sequence[EngineVoice]:
        """All voices."""
        return tuple(self._voices.values())

    @property
    def waiting(self) -> bool:
        """Whether some voice waits for its note."""
        return any(v.waiting for v in self._voices.values())

    @property
    def following(self) -> bool:
        """Whether some voice's stream is still to be told of a note that it should follow, or that it may rest."""
        streams = (self.streams.get(voice_id) for voice_id in self._voices)
        moving = any(stream is not None and stream.moving for stream in streams)
        return moving or any(voice.coming is not None for voice in self._voices.values())

    @property
    def lead_samples(self) -> int:
        """Rendered samples that make a note ready."""
        return self._lead_samples

    def take_chunk(self, voice_id: int, chunk: Chunk) -> None:
        """A stream has a chunk for its voice (stream thread)."""
        self._chunks.append((voice_id, chunk))

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

    def attend(self, now_frame: int) -> None:
        """See to the voices that wait, and end those that will not be missed."""
        self.silent_keys = False
        for voice in [v for v in self._voices.values() if v.waiting]:
            self._try_start(voice, now_frame)
        self._end_dry_voices(now_frame)

    # -- what the mixer and the performer say -----------------------------------------------------------------

    def on_news(self, item: Started | Finished | Late) -> None:
        """Take in what the mixer reports."""
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
        self._on_gone(voice.voice_id)

    def start(self, action: StartVoice, frame: int) -> None:
        """Begin a voice at a frame, or have it wait for its note."""
        note = self.cache.want(action.note_key, action.latent)
        voice = EngineVoice(
            action, note, frame, rate=action.rate, vibrato=action.vibrato,
            gain_left=action.gain_left, gain_right=action.gain_right,
        )  # fmt: skip
        self._voices[voice.voice_id] = voice
        self._planning.voices_changed = True
        if self._ready(note):
            self._begin(voice, voice.due_frame)

    def _ready(self, note: Note, position: float = 0.0) -> bool:
        return self._planning.ready(note, position + self._lead_samples)

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
        self._planning.voices_changed = True
        playhead = partial(self.stage.position, slot, voice.voice_id)
        rng = np.random.default_rng(voice.voice_id)
        self.streams.begin(Stream(voice.voice_id, voice.note, playhead, rng, voice.rate * voice.ratio))
        if latched:
            shortest = 0 if due_frame else self.delay_frames  # a release in the same block would be late
            self._release(voice, voice.start_frame + max(shortest, voice.held_frames))

    def release(self, voice_id: int, frame: int) -> None:
        """Let a voice end from a frame on."""
        voice = self._voices.get(voice_id)
        if voice is not None:
            self._release(voice, frame)

    def _release(self, voice: EngineVoice, frame: int) -> None:
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
            stream.release_frame = self.streams.frame_after(stream, self._position(voice, frame))
            stream.released = True

    def _position(self, voice: EngineVoice, frame: int) -> float:
        """The sample of its note that a voice plays at a frame, by the bends it was told (and if it never starved)."""
        return voice.anchor_position + (frame - voice.anchor_frame) * voice.rate * self._note_ratio

    def retimbre(self, action: RetimbreVoice, frame: int) -> None:
        """Let a held voice follow the morph from its playhead on; only the newest wish is kept."""
        voice = self._voices.get(action.voice_id)
        if voice is None or voice.phase is not Phase.SOUNDING:
            return
        now, former = self._clock.frame_now(), max(voice.wished_frame, voice.start_frame)
        voice.coming, voice.wished_frame = self.cache.want(action.note_key, action.latent), now
        stream = self.streams.get(voice.voice_id)
        if stream is not None:
            voice.coming_frame = self.streams.frame_after(stream, self._position(voice, max(frame, voice.begin_frame)))
            moving = now - former < REST_S * self._rate_hz
            self.streams.wish(stream, voice.coming, voice.coming_frame, moving=moving)
        self._planning.voices_changed = True

    def _follow(self) -> None:
        """Hand each stream its next note once it has taken up the one before: no wish is starved by newer ones."""
        for voice in self._voices.values():
            stream = self.streams.get(voice.voice_id)
            if stream is None:
                continue
            if stream.note is not voice.following:  # it has gone over: what it needs from now on is another note
                voice.following = stream.note
                self._planning.voices_changed = True
            now = self._clock.frame_now()
            if stream.moving and now - voice.wished_frame >= REST_S * self._rate_hz:
                stream.moving = False
                self._planning.voices_changed = True
            due = not stream.moving or now - voice.handed_frame >= PAINTED_S * self._rate_hz
            if voice.coming is not None and stream.target is None and due:
                stream.target_frame = voice.coming_frame  # before the target, which the stream's thread waits for
                stream.target, voice.coming = voice.coming, None
                voice.handed_frame = now
                self._planning.voices_changed = True

    def go_over(self) -> None:
        """Send finished chunks on to the mixer."""
        while self._chunks:
            voice_id, chunk = self._chunks.popleft()
            voice = self._voices.get(voice_id)
            if voice is not None and voice.slot >= 0:
                self.stage.go_over(voice.slot, voice_id, voice.begin_frame, chunk)
                self._planning.voices_changed = True
        self._follow()

    def kill(self, voice_id: int, frame: int) -> None:
        """Take a voice away."""
        voice = self._voices.get(voice_id)
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

    def _end_dry_voices(self, now_frame: int) -> None:
        """End what will not be missed: a release that ran out of sound, a short note that never got any.

        A stream that is late is waited for: its release is not over.
        """
        for voice in self.voices:
            stream = self.streams.get(voice.voice_id)
            coming = stream is not None and stream.chunk is not None and not stream.ended
            if voice.phase is Phase.RELEASING and not coming and self.stage.dry(voice.slot, voice.voice_id):
                self.kill(voice.voice_id, AT_ONCE)
            elif voice.phase is Phase.LATCHED and voice.stand_in < 0:
                let_go = voice.due_frame + voice.held_frames
                patience_s = LATCH_S if voice.action.may_bridge else PREVIEW_LATCH_S
                if self._bridges and now_frame - let_go > patience_s * self._rate_hz:
                    self._forget(voice)

    def tune(self, action: TuneVoice, frame: int) -> None:
        """Bend a voice from a frame on."""
        voice = self._voices.get(action.voice_id)
        if voice is None:
            return
        frame = max(frame, voice.begin_frame)
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

    def gain(self, action: GainVoice, frame: int) -> None:
        """Change a voice's gains from a frame on."""
        voice = self._voices.get(action.voice_id)
        if voice is None:
            return
        voice.gain_left, voice.gain_right = action.gain_left, action.gain_right
        frame = max(frame, voice.begin_frame)
        for slot in (voice.slot, voice.stand_in):
            if slot >= 0:
                self.stage.gain(slot, voice.voice_id, frame, action.gain_left, action.gain_right)

    # -- voices that wait ----------------------------------------------------------------------------------------

    def _try_start(self, voice: EngineVoice, now_frame: int) -> None:
        if voice.stand_in >= 0:
            self._try_exchange(voice, now_frame)
        elif self._ready(voice.note):
            in_time = self._clock.frame_now() <= voice.due_frame
            self._begin(voice, voice.due_frame if in_time else AT_ONCE)
        elif self._may_bridge(voice) and self._late_s(voice, now_frame) > BRIDGE_AFTER_S:
            self._bridge(voice, now_frame)

    def _may_bridge(self, voice: EngineVoice) -> bool:
        return self._bridges and voice.action.may_bridge

    def _late_s(self, voice: EngineVoice, now_frame: int) -> float:
        """How long the key has been waiting for its note."""
        return (now_frame - (voice.due_frame - self.delay_frames)) / self._rate_hz

    def _bridge(self, voice: EngineVoice, now_frame: int) -> None:
        """Let the nearest rendered note stand in for one that is not there yet."""
        key = voice.note.key
        need = 4 * self._lead_samples
        note = self.cache.nearest_pitch(key, need) or self.cache.nearest_latent(key, voice.note.latent, need)
        if note is None:
            self.silent_keys = True
            return
        note = self.cache.want(note.key, note.latent)  # with room for all of it: it may be heard to its end
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
        if not self._ready(voice.note, position + EXCHANGE_S * self.finisher.rate_hz):
            return
        self.stage.kill(voice.stand_in, voice.voice_id, due, EXCHANGE_S)
        open_envelope = replace(voice.action.envelope, attack_ms=0.0)
        self._begin(
            voice, due,
            replace(self._sounding(voice), envelope=open_envelope, position=position, fade_in_s=EXCHANGE_S),
        )  # fmt: skip
        voice.start_frame = voice.stand_in_frame
