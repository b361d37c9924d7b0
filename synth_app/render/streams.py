"""Sound beyond a cached note: held as long as the key, ended as the model ends it, following the morph.

A cached note plays as it is. Where a voice leaves it - its key is let go, its sustain runs out, its morph moves - a
stream takes over: a decoder positioned at that frame, with the phases the note had, fed from the note's own frames,
from another note's, from a walk over the sustain frames, or from the model's release. Phase is carried through all of
it, so nothing is ever cross-faded. A stream writes only a little ahead of its voice's playhead, so that what a hand
does is heard at once.

Where a wish takes effect is a matter of its own place in the voice's time, not of when a thread came round to it: at
the first frame that begins :data:`LEAD_S` or more after it. So a take replayed offline, in blocks of any size, gives
the same samples, as long as live nobody came late.

Streams are stepped by a thread of their own: a frame costs it a fraction of a millisecond, and no render may delay it.
Sketches are made by another: they take a few.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synth_app.core.shared import write_shared
from synth_app.dsp.release import Release, ReleaseTail
from synth_app.dsp.sustain import Sustain, SustainWalk
from synth_app.render.finish import Finisher
from synth_app.render.note import AVAILABLE, FINAL, Note
from synth_app.render.sketch import Sketch, Sketcher
from synth_app.spectral.streaming import StreamingDecoder

log = logging.getLogger(__name__)

Frame = NDArray[np.float32]

CHUNK_S = 4.0
LEAD_S = 0.012
"""A stream is written so far ahead of its playhead, and at most a hop further; wishes take effect as much later."""

ENTER_LEAD_S = 0.5 * LEAD_S
"""What is left of the lead when a stream that was late to begin goes to a later frame than was wished. A good deal less
than the lead, since a bend just after the wish shortens that."""

EARLY_FRAMES = 2
"""A stream that goes on where its note runs out may begin so much before it is due: nothing is lost by it."""

RENEWED = 2
"""A sketch that the wish outlives is gone on with so many frames before its end."""

PLAIN_RELEASE_STEP = 1.4
"""Fall of log power a hop while the model's own release is not rendered yet: 60 dB in a third of a second."""

SILENT_LOG_MEL = -12.0
"""Log mel power of silence (the picture's floor is -13.8)."""


class Chunk:
    """A piece of a stream's audio, lent to the mixer.

    Attributes:
        audio: float32; ``audio[0]`` is sample ``origin`` of the voice.
        progress: as a note's.
        switch: the voice's sample from which the mixer reads it.
    """

    __slots__ = ("audio", "origin", "progress", "switch")

    def __init__(self, samples: int, origin: int, switch: int) -> None:
        self.audio: NDArray[np.float32] = np.empty(samples, np.float32)
        self.progress: NDArray[np.int64] = np.zeros(2, np.int64)
        self.origin = origin
        self.switch = switch

    @property
    def edge(self) -> int:
        """The voice's sample up to which it is written."""
        return self.origin + int(self.progress[AVAILABLE])

    def append(self, samples: NDArray[np.float32]) -> None:
        """Write and publish."""
        start = int(self.progress[AVAILABLE])
        self.audio[start : start + len(samples)] = samples
        write_shared(self.progress, AVAILABLE, start + len(samples))

    @property
    def room(self) -> int:
        """Samples that still fit."""
        return len(self.audio) - int(self.progress[AVAILABLE])


@dataclass(slots=True, eq=False)
class Stream:
    """One voice's sound from a frame on. The control thread sets the wishes, the stream thread does the rest.

    Attributes:
        voice_id: whose. position: the voice's playhead, in samples of its timeline.
        note: the note it began on.
        rng: of what the walk and the release leave to chance.
        rate: how fast the voice plays, as a ratio.
        released, target: wishes: end; follow this note (its latent's note of the same pitch).
        wish: the newest note it should follow; its target may be an older one, which is being rendered.
        moving: whether wishes follow each other quickly, and sketches of them are at hand.
        release_frame, target_frame, wish_frame: the first frames for which they hold.
        sketches: from its note, and from its target once that can be gone over to, to its wish.
    """

    voice_id: int
    note: Note
    position: Callable[[], float]
    rng: np.random.Generator
    rate: float = 1.0
    released: bool = False
    release_frame: int = 0
    target: Note | None = None
    target_frame: int = 0
    wish: Note | None = None
    wish_frame: int = 0
    moving: bool = False
    sketches: dict[Note, Sketch] = field(default_factory=dict)
    ended: bool = False
    holding: bool = False  # it ran out of rendered frames, and its last one goes on
    frame: int = -1  # next frame to decode, on the voice's own timeline
    decoder: StreamingDecoder | None = None
    chunk: Chunk | None = None
    walk: SustainWalk | None = None
    walk_note: Note | None = None
    tail: ReleaseTail | None = None
    level: NDArray[np.float32] | None = None  # the last frame that was decoded
    inst_freq: NDArray[np.float32] | None = None

    @property
    def sketch(self) -> Sketch | None:
        """What its note is changed by."""
        return None if self.note is self.wish else self.sketches.get(self.note)


class StreamWorker:
    """Keeps every stream a little ahead of its playhead.

    Args:
        finisher: knows the frames' geometry and makes decoders.
        on_chunk: told (voice_id, chunk) when the mixer should go over to a chunk (any thread may be meant by it).
        late: whether renders may come late; then a stream takes over before its note runs dry, and holds a frame.
        sketcher: tells what a morph does before it is rendered; nobody does offline.

    Attributes:
        held: how often a stream ran out of rendered frames.
    """

    def __init__(
        self,
        finisher: Finisher,
        on_chunk: Callable[[int, Chunk], None],
        *,
        late: bool = True,
        sketcher: Sketcher | None = None,
    ) -> None:
        self._finisher = finisher
        self._sketcher = sketcher
        self._on_chunk = on_chunk
        self._join = finisher.join_frame
        self._streams: dict[int, Stream] = {}
        self._late = late
        self._wished = threading.Event()
        self.held = 0
        self._warm_up()

    def _warm_up(self) -> None:
        """Have the kernels of walk and release ready: the first key that is let go must not wait for a compiler."""
        rng = np.random.default_rng(0)
        frames, bins = self._finisher.picture
        log_mel, inst_freq = rng.uniform(-1.0, 1.0, (2, frames, bins)).astype(np.float32)
        SustainWalk(Sustain(log_mel, inst_freq, 0, self._join), rng).next(1)
        ReleaseTail(log_mel[0], Release(log_mel, inst_freq, self._finisher.release_frame)).next(1)

    @property
    def sketches(self) -> bool:
        """Whether a stream goes where it is wished before that is rendered."""
        return self._sketcher is not None and self._sketcher.able

    # -- the control thread's side -------------------------------------------------------------------------------

    def begin(self, stream: Stream) -> None:
        """Take a stream in."""
        self._streams = {**self._streams, stream.voice_id: stream}

    def end(self, voice_id: int) -> None:
        """Forget a stream: its voice is gone."""
        if voice_id in self._streams:
            self._streams = {key: s for key, s in self._streams.items() if key != voice_id}

    def get(self, voice_id: int) -> Stream | None:
        """The stream of a voice."""
        return self._streams.get(voice_id)

    def wish(self, stream: Stream, note: Note, frame: int, *, moving: bool) -> None:
        """Tell a stream which note it should come to be like, from a frame on; it becomes that note by its target."""
        stream.moving = moving and self.sketches
        stream.wish_frame, stream.wish = frame, note
        self._wished.set()

    def frame_after(self, stream: Stream, sample: float, lead_s: float = LEAD_S) -> int:
        """The first frame that begins a lead or more after a sample of the voice: from there a wish of then holds."""
        lead = lead_s * self._finisher.rate_hz * stream.rate
        return int((sample + lead) // self._finisher.hop) + self._finisher.lead_frames + 1

    def needed_from(self, stream: Stream) -> int:
        """The first frame of its target that a stream will use; a walk needs all that were held.

        So does a morph on its way: what it sketches is nearer to it than what comes late, so that it goes over only to
        what it can go on from for as long as it likes.
        """
        at = stream.frame if stream.frame >= 0 else self.frame_after(stream, stream.position())
        at = max(at, stream.target_frame)
        whole = stream.moving or stream.walk is not None or at >= self._join
        return self._finisher.first_frame if whole else at

    def left(self, stream: Stream) -> float:
        """Samples from a stream's playhead to the first frame of its note that is not rendered."""
        have = stream.note.have[stream.frame :]
        missing = stream.frame + (len(have) if have.all() else int(np.argmin(have)))
        return (missing - self._finisher.lead_frames) * self._finisher.hop - stream.position()

    def heard_until(self, stream: Stream) -> int:
        """The frame up to which a stream's note must be decoded, for the stream to take over from it.

        That is a hop beyond the switch, or the mixer would see the note's edge coming and fade before it got there.
        """
        frame = max(self.frame_after(stream, stream.position()), self._wish(stream))
        return min(self._finisher.frames, frame + 1)

    def _wish(self, stream: Stream) -> int:
        """The frame at which a stream that has not begun is wished to."""
        wishes = [self._join]
        if stream.released:
            wishes.append(stream.release_frame)
        if stream.target is not None and self.usable(stream, stream.target):
            wishes.append(stream.target_frame)
        if stream.sketch is not None:
            wishes.append(stream.wish_frame)
        return min(wishes)

    def provided(self, stream: Stream, sample: float) -> bool:
        """Whether all frames are rendered that a stream will use up to a sample of its voice (for who can wait)."""
        finisher, note = self._finisher, stream.note
        if stream.ended:
            return True
        if stream.target is not None and not (stream.released and stream.release_frame <= stream.target_frame):
            return stream.tail is not None
        if not stream.released and self.frame_after(stream, sample) + EARLY_FRAMES < self._join:
            return True
        if stream.chunk is None and note.next_frame < self.heard_until(stream):
            return False
        if stream.released:
            return stream.tail is not None or finisher.has_release(note)
        return stream.walk_note is note or note.has(finisher.first_frame, self._join)

    # -- the stream thread's side --------------------------------------------------------------------------------

    def step(self) -> bool:
        """Write what every stream lacks, and let at most one more begin; whether anything was done.

        To begin costs milliseconds, in which the streams that sound must not run dry.
        """
        streams = tuple(self._streams.values())
        worked = False
        for stream in streams:
            if stream.chunk is not None and not stream.ended:
                worked = self._guarded(stream, self._keep_ahead) or worked
        coming = sorted((s for s in streams if s.chunk is None and not s.ended), key=lambda s: not s.released)
        return any(self._guarded(s, self._enter) for s in coming) or worked

    # -- the sketch thread's side --------------------------------------------------------------------------------

    def draw(self) -> bool:
        """Sketch what one stream is wished to become, the one that needs it first; whether there was any."""
        streams = sorted(self._streams.values(), key=self._until_wish)
        return self.sketches and any(self._guarded(stream, self._draw) for stream in streams)

    def wait_for_wishes(self, timeout_s: float) -> None:
        """Sleep until a stream is wished elsewhere."""
        self._wished.wait(timeout_s)
        self._wished.clear()

    def _until_wish(self, stream: Stream) -> float:
        """Samples from a stream's playhead to what is wished of it; what it has a sketch for can wait."""
        drawn = CHUNK_S * self._finisher.rate_hz * (stream.sketch is not None)
        return drawn + stream.wish_frame * self._finisher.hop - stream.position()

    def _guarded(self, stream: Stream, work: Callable[[Stream], bool]) -> bool:
        """Work on a stream; what goes wrong with one ends that one, and no other."""
        try:
            return work(stream)
        except Exception:
            log.exception("a stream of %s ended early", stream.note.key)
            stream.ended = True
            return True

    def _keep_ahead(self, stream: Stream) -> bool:
        edge = stream.position() + LEAD_S * self._finisher.rate_hz * stream.rate
        worked = False
        while not stream.ended and stream.chunk is not None and stream.chunk.edge < edge:
            self._advance(stream)
            worked = True
        return worked

    def _enter(self, stream: Stream) -> bool:
        """Position a decoder where the voice will leave its note; False while that is too early or not rendered."""
        finisher, note = self._finisher, stream.note
        soonest = self.frame_after(stream, stream.position(), ENTER_LEAD_S)
        frame = max(soonest, self._wish(stream))
        if self._late and not note.complete and soonest == note.next_frame - 1:
            frame = soonest  # the last one at which it still can
        if frame > soonest + EARLY_FRAMES:  # its note goes on for a while, and its hand may wish something else
            return False
        if frame >= finisher.frames:
            return False
        if note.next_frame < min(frame + 1, finisher.frames) or not note.has(finisher.first_frame, frame):
            return False
        decoder, before = finisher.decoder_at(note, frame)
        switch = (frame - finisher.lead_frames) * finisher.hop
        chunk = Chunk(self._chunk_samples, switch - len(before), switch)
        chunk.append(before)
        stream.decoder, stream.chunk, stream.frame = decoder, chunk, frame
        stream.level = note.log_mel[frame - 1].astype(np.float32)
        stream.inst_freq = note.inst_freq[frame - 1].astype(np.float32)
        self._keep_ahead(stream)
        self._on_chunk(stream.voice_id, chunk)
        return True

    def _draw(self, stream: Stream) -> bool:
        """Have sketches of what is wished and not rendered, for the frames that come next, from the stream's note and
        from the one that it is about to go over to; whether one was made."""
        wish, note, target = stream.wish, stream.note, stream.target
        if wish is None or stream.released or stream.ended:
            return False
        frame = stream.frame if stream.frame >= 0 else self.frame_after(stream, stream.position())
        if stream.sketch is None:  # one that follows another begins at once, or a frame between would be without
            frame = max(frame, stream.wish_frame)
        begun = {note, target} if target is not None and self.usable(stream, target) else {note}
        for start in begun - {wish}:
            known = stream.sketches.get(start)
            if (
                known is not None
                and known.wish is wish
                and (frame + RENEWED < known.stop or not start.have[known.stop])
            ):
                continue
            drawn = self._sketch(stream, start, wish, frame)
            if drawn is not None:
                stream.sketches = {key: kept for key, kept in stream.sketches.items() if key in begun} | {start: drawn}
                return True
        return False

    def _sketch(self, stream: Stream, note: Note, wish: Note, frame: int) -> Sketch | None:
        assert self._sketcher is not None
        walking = stream.walk is not None or frame + RENEWED >= self._join
        wishes = (s.wish.key for s in self._streams.values() if s.wish is not None)
        chord = [key.pitch for key in wishes if key.latent_key == wish.key.latent_key]
        return self._sketcher.sketch(note, wish, frame, walking, chord)

    @property
    def _chunk_samples(self) -> int:
        return round(CHUNK_S * self._finisher.rate_hz)

    def _advance(self, stream: Stream) -> None:
        """Decode one more frame into the chunk, going over to a new chunk when this one is full."""
        assert stream.chunk is not None and stream.decoder is not None
        hop = self._finisher.hop
        log_mel, inst_freq, last = self._next_frame(stream)
        samples = stream.decoder.push(log_mel, inst_freq)
        if stream.chunk.room < 4 * hop:
            full = stream.chunk
            context = full.audio[int(full.progress[AVAILABLE]) - hop : int(full.progress[AVAILABLE])]
            chunk = Chunk(self._chunk_samples, full.edge - hop, full.edge - hop // 2)
            chunk.append(context)
            full.append(samples)  # the mixer may still read past the switch
            stream.chunk = chunk
            chunk.append(samples)
            self._on_chunk(stream.voice_id, chunk)
        else:
            stream.chunk.append(samples)
        stream.frame += 1
        stream.level, stream.inst_freq = log_mel[0], inst_freq[0]
        if last:
            stream.chunk.append(stream.decoder.tail()[: stream.chunk.room])
            write_shared(stream.chunk.progress, FINAL, 1)
            stream.ended = True

    def _next_frame(self, stream: Stream) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        """The stream's next frame, float32 ``[1, bins]`` each, and whether it is the last."""
        holding, stream.holding = stream.holding, False
        if stream.released and stream.frame >= stream.release_frame:
            return self._release_frame(stream)
        note = stream.note
        before = stream.sketch
        if stream.target is not None and self._goes_over(stream, stream.target):
            note = stream.note = stream.target
            stream.target = None
        if stream.frame < self._join and stream.walk is None and note.has(stream.frame, stream.frame + 1):
            return *self._sketched(stream, *note.picture(stream.frame, stream.frame + 1)), False
        if stream.walk_note is not note and self._finisher.learn_sustain(note) and note.sustain is not None:
            if stream.walk is None:
                # Chance of its own: what the release draws must not depend on how long the walk was.
                stream.walk = SustainWalk(note.sustain, copy.deepcopy(stream.rng).spawn(1)[0])
            else:
                stream.walk.follow(note.sustain, _given_up(before, stream.sketch, stream.frame))
            stream.walk_note = note
        if stream.walk is not None:
            return *self._sketched(stream, *stream.walk.next(1)), stream.walk.silent
        assert stream.level is not None and stream.inst_freq is not None
        stream.holding = True
        self.held += not holding
        return stream.level[None], stream.inst_freq[None], False  # held until there is more to go on from

    def _goes_over(self, stream: Stream, target: Note) -> bool:
        """Whether it is time for a stream to become its target, which must not sound more like that than its sketch."""
        if stream.frame < stream.target_frame or not self.usable(stream, target):
            return False
        if stream.sketch is None or stream.wish is target:
            return True
        onward = stream.sketches.get(target)
        return onward is not None and onward.wish is stream.wish

    def _sketched(self, stream: Stream, log_mel: Frame, inst_freq: Frame) -> tuple[Frame, Frame]:
        """The stream's next frame, changed to what is wished."""
        sketch = stream.sketch
        if sketch is None or stream.frame < sketch.start:
            return log_mel, inst_freq
        return sketch.added(stream.frame, log_mel, inst_freq)

    def usable(self, stream: Stream, note: Note) -> bool:
        """Whether a target's frames are there: the next few, or all that a walk needs, looked through."""
        at = self.needed_from(stream)
        if at == self._finisher.first_frame:
            return note.sustain is not None
        return note.has(at, min(at + 3, self._join))

    def _release_frame(self, stream: Stream) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        """A frame of the model's own release, or of a plain one until the model's is rendered."""
        assert stream.level is not None and stream.inst_freq is not None
        note = stream.note
        if stream.tail is None and self._finisher.learn_release(note) and note.release is not None:
            stream.tail = ReleaseTail(stream.level, note.release, stream.inst_freq, stream.frame - 1, rng=stream.rng)
        if stream.tail is not None:
            log_mel, inst_freq, done = stream.tail.next(1)
            return log_mel, inst_freq, done
        level = stream.level[None] - np.float32(PLAIN_RELEASE_STEP)
        return level, stream.inst_freq[None], bool(level.max() < SILENT_LOG_MEL)


def _given_up(before: Sketch | None, now: Sketch | None, frame: int) -> NDArray[np.float64] | None:
    """The level that one sketch added to a frame and the next does not, ``[bins]``."""
    if before is None or before is now:
        return None
    level = before.level(frame).astype(np.float64)
    return level if now is None else level - now.level(frame)
