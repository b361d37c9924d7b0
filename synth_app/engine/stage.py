"""The control thread's side of the mixer: which slot holds which note, and the commands that say so.

Whoever lends memory to the audio thread keeps it alive until its id comes back: a note is pinned when its START is put
and unpinned when the mixer reports FINISHED for that slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from synth_app.engine.callback import MixerMemory
from synth_app.engine.protocol import (
    COMMAND_CAPACITY,
    DRY,
    FINISHED,
    GAIN,
    KILL,
    LATE,
    MASTER,
    RELEASE,
    SEGMENT,
    SEGMENT_FREED,
    SLOTS,
    START,
    STARTED,
    TUNE,
)
from synth_app.performer.actions import EnvelopeTimes
from synth_app.render.note import Note
from synth_app.render.streams import Chunk

KILL_FADE_S = 0.005
AT_ONCE = 0
"""As a due frame: at the start of the next block, without being counted as late."""

_RESERVED = COMMAND_CAPACITY // 4  # kept for releases and kills


@dataclass(frozen=True, slots=True)
class Started:
    """A slot began to sound at ``frame``, when ``due_frame`` was asked for (0 = at once)."""

    slot: int
    voice_id: int
    frame: int
    due_frame: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A slot has ended and is free."""

    slot: int
    voice_id: int


@dataclass(frozen=True, slots=True)
class Late:
    """A command reached the mixer after its frame."""

    slot: int
    voice_id: int
    frame: int
    due_frame: int


News = Started | Finished | Late


@dataclass(frozen=True, slots=True)
class Sounding:
    """How a note should sound: everything a START says beside which note and when."""

    rate: float
    vibrato: float
    gain_left: float
    gain_right: float
    envelope: EnvelopeTimes
    position: float = 0.0
    fade_in_s: float = 0.0


class Stage:
    """Sends commands, keeps slots and pins. Used by the control thread alone."""

    def __init__(self, memory: MixerMemory) -> None:
        self._memory = memory
        self._free = deque(range(SLOTS))
        self._notes: dict[int, Note] = {}
        self._lent: dict[int, dict[tuple[int, int], Chunk]] = {}
        memory.lent += [self._notes, self._lent]  # an engine may be gone before its stream is closed
        self._overflow: list[tuple[float, ...]] = []
        self._unsent_starts: set[int] = set()
        self._dirty = False

    @property
    def slots_in_use(self) -> int:
        """Slots that sound or are about to."""
        return SLOTS - len(self._free)

    def start(self, voice_id: int, note: Note, due_frame: int, sounding: Sounding) -> int | None:
        """Put a note into a free slot; ``None`` when there is none (more dying than the mixer has room for)."""
        if not self._free:
            return None
        slot = self._free.popleft()
        self._notes[slot] = note
        note.pins += 1
        e = sounding.envelope
        self._put(
            START, slot, voice_id, due_frame, buffer=note.audio.ctypes.data, progress=note.progress.ctypes.data,
            position=sounding.position, rate=sounding.rate, vibrato=sounding.vibrato, gain_left=sounding.gain_left,
            gain_right=sounding.gain_right, attack_s=e.attack_ms / 1e3, decay_s=e.decay_ms / 1e3, sustain=e.sustain,
            release_s=e.release_ms / 1e3, fade_in_s=sounding.fade_in_s,
        )  # fmt: skip
        return slot

    def go_over(self, slot: int, voice_id: int, due_frame: int, chunk: Chunk) -> None:
        """Let a slot read on in a chunk from its switch on; ``due_frame`` is not before its START's."""
        address = chunk.audio.ctypes.data
        self._lent.setdefault(slot, {})[voice_id, address] = chunk
        self._put(
            SEGMENT, slot, voice_id, due_frame, buffer=address, progress=chunk.progress.ctypes.data,
            origin=chunk.origin, switch=chunk.switch,
        )  # fmt: skip

    def release(self, slot: int, voice_id: int, due_frame: int, release_ms: float) -> None:
        """Let a slot end over its release time."""
        self._put(RELEASE, slot, voice_id, due_frame, release_s=release_ms / 1e3)

    def kill(self, slot: int, voice_id: int, due_frame: int, fade_s: float = KILL_FADE_S) -> None:
        """Take a slot away over a short fade."""
        self._put(KILL, slot, voice_id, due_frame, release_s=fade_s)

    def tune(self, slot: int, voice_id: int, due_frame: int, rate: float, vibrato: float) -> None:
        """Change a slot's playback rate and vibrato depth."""
        self._put(TUNE, slot, voice_id, due_frame, rate=rate, vibrato=vibrato)

    def gain(self, slot: int, voice_id: int, due_frame: int, gain_left: float, gain_right: float) -> None:
        """Change a slot's gains."""
        self._put(GAIN, slot, voice_id, due_frame, gain_left=gain_left, gain_right=gain_right)

    def position(self, slot: int, voice_id: int) -> float:
        """The sample of its note that a slot has reached (0 before it began)."""
        record = self._memory.slots[slot]
        return float(record["position"]) if record["voice_id"] == voice_id else 0.0

    def dry(self, slot: int, voice_id: int) -> bool:
        """Whether a slot has played all that is rendered of its note and is silent."""
        record = self._memory.slots[slot]
        return bool(record["starving"] == DRY and record["voice_id"] == voice_id)

    def master(self, due_frame: int, gain: float, vibrato_hz: float) -> None:
        """Set the master gain and the vibrato's rate."""
        self._put(MASTER, 0, 0, due_frame, gain_left=gain, vibrato=vibrato_hz)

    def commit(self) -> None:
        """Make everything put so far visible to the mixer, all at once."""
        if self._overflow:
            waiting, self._overflow = self._overflow, []
            self._unsent_starts.clear()
            for record in waiting:
                self._send(record)
        if self._dirty:
            self._memory.commands.commit()
            self._dirty = bool(self._overflow)

    def collect(self) -> Sequence[News]:
        """What the mixer reports since last time; slots that ended are free again and their notes unpinned."""
        news: list[News] = []
        for kind, slot, voice_id, frame, value in self._memory.done.take_all():
            if kind == STARTED:
                news.append(Started(slot, voice_id, frame, int(value)))
            elif kind == FINISHED:
                self._notes.pop(slot).pins -= 1
                self._lent.pop(slot, None)
                self._free.append(slot)
                news.append(Finished(slot, voice_id))
            elif kind == SEGMENT_FREED:
                self._lent.get(slot, {}).pop(
                    (voice_id, int(value)), None
                )  # a note's own buffer stays pinned until FINISHED
            elif kind == LATE:
                news.append(Late(slot, voice_id, frame, int(value)))
        return news

    def _put(
        self, kind: int, slot: int, voice_id: int, due_frame: int, *, buffer: int = 0, progress: int = 0,
        origin: int = 0, switch: int = 0, position: float = 0.0, rate: float = 1.0, vibrato: float = 0.0,
        gain_left: float = 0.0, gain_right: float = 0.0, attack_s: float = 0.0, decay_s: float = 0.0,
        sustain: float = 1.0, release_s: float = 0.0, fade_in_s: float = 0.0,
    ) -> None:  # fmt: skip
        record = (
            kind, slot, voice_id, due_frame, buffer, progress, origin, switch, position, rate, vibrato, gain_left,
            gain_right, attack_s, decay_s, sustain, release_s, fade_in_s,
        )  # fmt: skip
        self._send(record)

    def _send(self, record: tuple[float, ...]) -> None:
        """Put a record into the ring, or keep it for the next commit.

        What waits keeps its order, but the end of a voice does not wait behind changes: only behind its own START.
        """
        kind, slot = int(record[0]), int(record[1])
        ring = self._memory.commands
        if kind in (RELEASE, KILL):
            sent = slot not in self._unsent_starts and ring.put(record)
        else:
            sent = not self._changes_wait and ring.free() > _RESERVED and ring.put(record)
        self._dirty = True
        if not sent:
            self._overflow.append(record)
            if kind == START:
                self._unsent_starts.add(slot)

    @property
    def _changes_wait(self) -> bool:
        return any(record[0] not in (RELEASE, KILL) for record in self._overflow)
