"""What the render thread should do: the voices' needs first, then the notes the hands may play next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from synth_app.core.keys import LatentKey, NoteKey
from synth_app.dsp.release import CONTEXT_FRAMES
from synth_app.engine.timing import FrameClock
from synth_app.engine.voices import EngineVoice, Phase
from synth_app.performer.performer import Performer
from synth_app.render.board import Demand, DemandBoard
from synth_app.render.cache import NoteCache
from synth_app.render.finish import Finisher
from synth_app.render.note import Note
from synth_app.render.planner import Timbre, Wish, plan
from synth_app.render.streams import StreamWorker

SOON_S, LATER_S = 0.05, 0.5
"""How urgent frames are that a morph asks for, and those of a release that nobody asked for yet."""

FOLLOW_AT_ONCE, FOLLOW_FRAMES = 5, 12
"""Frames of a new timbre that a held voice needs to go over to it (three, and two that pass meanwhile), and then to be
at rest for a third of a second. All voices of a chord get the few first: what they lack next has its own deadline."""

PLAN_EVERY_NS = 20_000_000
AT_REST_NS = 200_000_000
"""A timbre that changes again within this time is on its way, and plans are small; once it rests, they are whole."""

PORTION = 96
"""Wishes published at a time: a second of work. To look through thousands would cost the hand-over milliseconds."""

TIDY_EVERY_NS = 500_000_000
WARM_EVERY_NS = 200_000_000


class Planning:
    """Keeps the demand board in step with the voices and the hands (control thread).

    Args:
        note_ratio: samples of a note an output frame, at rate 1.
        ready: whether a note can sound at once.
        ahead: whether to render ahead of the hands at all.
    """

    def __init__(
        self,
        performer: Performer,
        cache: NoteCache,
        board: DemandBoard,
        finisher: Finisher,
        streams: StreamWorker,
        clock: FrameClock,
        device_rate_hz: int,
        *,
        ahead: bool,
    ) -> None:
        self._performer = performer
        self._cache = cache
        self._board = board
        self._finisher = finisher
        self._streams = streams
        self._clock = clock
        self._rate_hz = device_rate_hz
        self._note_ratio = finisher.rate_hz / device_rate_hz
        self._wanted = ahead
        self._ahead: list[Demand] | None = None
        self._last_plan_ns = self._moved_ns = -AT_REST_NS
        self._timbre: tuple[LatentKey, ...] = ()
        self._more: Demand | None = None  # once it is met, it is time for the next portion
        self._tidy_due_ns = 0
        self._warm = 0.0
        self._warm_due_ns = 0
        self.due_ns: int | None = 0 if ahead else None
        self.voices_changed = True

    def want(self, now_ns: int) -> None:
        """The hands or the timbre moved: plan anew soon. Plans are spaced, so a moving slider costs no more."""
        if self._wanted:
            soon = max(now_ns, self._last_plan_ns + PLAN_EVERY_NS)
            self.due_ns = soon if self.due_ns is None else min(self.due_ns, soon)

    def step(self, now_ns: int, voices: Iterable[EngineVoice]) -> None:
        """Plan and publish, where something changed."""
        voices = tuple(voices)
        if self._more is not None and self._more.met:
            self.want(now_ns)
        if self.due_ns is not None and now_ns >= self.due_ns:
            self._last_plan_ns = now_ns
            if any(voice.coming is not None and voice.phase is Phase.SOUNDING for voice in voices):
                self.due_ns = now_ns + PLAN_EVERY_NS  # what sounds and moves comes before what may be played
            else:
                self._ahead = self._look_ahead(now_ns, voices)
        if self.voices_changed or self._ahead is not None:
            urgent = [demand for voice in voices for demand in self._demands(voice)]
            self._board.publish(urgent, self._ahead)
            self._ahead = None
            self.voices_changed = False

    def _look_ahead(self, now_ns: int, voices: tuple[EngineVoice, ...]) -> list[Demand]:
        wants = self._performer.wants()
        moving = self._is_moving(now_ns, tuple(want.latent_key for want in wants.latents))
        self.due_ns = now_ns + AT_REST_NS if moving else None
        self._cache.round += 1
        wishes = plan(
            [Timbre(w.latent, w.latent_key) for w in wants.latents],
            [Timbre(w.latent, w.latent_key) for w in wants.ahead],
            wants.recent, wants.hand_pitch, wants.lowest_pitch, wants.highest_pitch, moving=moving,
        )  # fmt: skip
        ahead = self._portion(wants.model_id, wishes)
        self._more = ahead[-PORTION // 4] if len(ahead) == PORTION else None
        for voice in voices:
            for note in (voice.note, voice.following, voice.coming):
                if note is not None:
                    note.wanted = self._cache.round
        if now_ns >= self._tidy_due_ns:
            self._tidy_due_ns = now_ns + TIDY_EVERY_NS
            self._cache.evict()
        return ahead

    def _portion(self, model_id: str, wishes: Iterator[Wish]) -> list[Demand]:
        """The first wishes that are not met yet: as many as keep the worker busy for a while, within the memory."""
        cache, whole, first = self._cache, self._finisher.frames, self._finisher.first_stop
        whole_bytes, first_bytes = self._finisher.slice_bytes(True), self._finisher.slice_bytes(False)
        room = cache.budget_bytes
        ahead: list[Demand] = []
        for wish in wishes:
            room -= whole_bytes if wish.whole else first_bytes
            if room < 0 or len(ahead) == PORTION:
                break
            stop = whole if wish.whole else first
            note = cache.family(model_id, wish.timbre.latent_key).get(wish.pitch)
            if note is None or note.next_frame < stop:
                note = cache.want(NoteKey(model_id, wish.timbre.latent_key, wish.pitch), wish.timbre.latent)
                ahead.append(Demand(note, 0, stop))
            note.wanted = cache.round
        return ahead

    def _is_moving(self, now_ns: int, timbre: tuple[LatentKey, ...]) -> bool:
        """Whether the timbre is another than a moment ago, and was then as well. Strokes do not move it."""
        changed = set(timbre) != set(self._timbre)  # a stroke may bring another velocity's latent to the front
        moving = changed and now_ns - self._moved_ns < AT_REST_NS
        if changed:
            self._timbre, self._moved_ns = timbre, now_ns
        return moving

    def _demands(self, voice: EngineVoice) -> list[Demand]:
        """What a voice needs rendered, and when it would miss it."""
        if voice.phase is Phase.DYING:
            return []
        frames, release = self._finisher.frames, self._finisher.release_frame
        note, rate = voice.note, voice.rate * self._note_ratio
        stream = self._streams.get(voice.voice_id)
        now = self._clock.frame_now
        soon, later = SOON_S * self._rate_hz, LATER_S * self._rate_hz
        demands = []
        if stream is None or stream.chunk is None:
            start = voice.due_frame if voice.waiting else voice.start_frame
            stop = self._streams.heard_until(stream) if stream and stream.released else release
            demands.append(Demand(note, 0, stop, True, lambda: start + note.available / rate))
        first_frame, end = self._finisher.first_frame, release - CONTEXT_FRAMES
        if voice.phase is Phase.RELEASING:
            demands.append(Demand(stream.note if stream else note, end, frames, False, now, release=True))
        elif not voice.waiting:
            playing = stream.note if stream else note
            due = partial(_after, now, later)
            demands.append(Demand(playing, first_frame, frames, False, due, release=True, sustain=True))
        if stream is not None and stream.chunk is not None and stream.walk is None:
            taken, left = stream, self._streams.left  # it may have taken over early: what comes next is what it lacks
            stop = min(release, stream.release_frame) if stream.released else release
            demands.append(Demand(stream.note, stream.frame, stop, False, lambda: now() + left(taken) / rate))
        if stream is not None and stream.target is not None and stream.tail is None:
            target, at = stream.target, self._streams.needed_from(stream)
            at_once, first = min(at + FOLLOW_AT_ONCE, release), min(at + FOLLOW_FRAMES, release)
            usable = partial(self._streams.usable, stream, target)
            walks = at == first_frame
            soon = later if stream.moving else soon
            demands.append(Demand(target, at, at_once, False, partial(_after, now, 0.5 * soon), enough=usable))
            demands.append(Demand(target, at, first, False, partial(_after, now, soon)))
            demands.append(Demand(target, at, release, False, partial(_after, now, 2 * soon), sustain=walks))
            demands.append(Demand(target, end, frames, False, partial(_after, now, later), release=True))
        return demands

    def ready(self, note: Note, samples: float) -> bool:
        """Whether so much of a note is there."""
        return note.complete or note.available >= samples

    def warm_share(self, now_ns: int, samples: float) -> float:
        """Share of the keyboard whose notes at the present timbre can sound at once (looked up now and then)."""
        if now_ns >= self._warm_due_ns:
            self._warm_due_ns = now_ns + WARM_EVERY_NS
            self._cache.measure()
            wants = self._performer.wants()
            ready = 0
            if wants.latents:
                family = self._cache.family(wants.model_id, wants.latents[0].latent_key)
                ready = sum(self.ready(note, samples) for note in family.values())
            self._warm = ready / (wants.highest_pitch - wants.lowest_pitch + 1)
        return self._warm


def _after(now: Callable[[], float], frames: float) -> float:
    return now() + frames
