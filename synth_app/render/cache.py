"""The notes in memory, by content address. Owned by the control thread.

Nothing here is ever invalidated: a morph changes what is wanted, and what has not been wanted for longest goes first
when memory runs short. First slices go last: one is a twentieth of its note's memory, and all that a key needs to sound
at once, so a note is cut down to it before any is dropped. A pinned note never goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import LatentKey, NoteKey
from synth_app.core.units import semitones_to_ratio
from synth_app.render.note import Note

DEFAULT_BUDGET_BYTES = 400 << 20

STAND_IN_REACH = 12
"""Semitones over which a note may stand in for another of its timbre; beyond, another timbre is the smaller lie."""


class NoteCache:
    """Notes by key, within a budget.

    Args:
        make: builds an empty note from its key and latent.
        budget_bytes: rendered audio and frames to keep.
        first_slice: frames and samples of it, which outlive the rest of a note; ``None`` = notes go as a whole.

    Attributes:
        used_bytes: what they take, as last counted.
    """

    def __init__(
        self,
        make: Callable[[NoteKey, NDArray[np.float32]], Note],
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        first_slice: tuple[int, int] | None = None,
    ) -> None:
        self._make = make
        self._first_slice = first_slice
        self._notes: dict[NoteKey, Note] = {}
        self._by_latent: dict[tuple[str, LatentKey], dict[int, Note]] = {}
        self.budget_bytes = budget_bytes
        self.round = 0
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._notes)

    def __iter__(self) -> Iterator[Note]:
        return iter(self._notes.values())

    def get(self, key: NoteKey) -> Note | None:
        """The note with this key, rendered or begun."""
        return self._notes.get(key)

    def want(self, key: NoteKey, latent: NDArray[np.float32]) -> Note:
        """The note with this key, with room for all of it, made empty if need be, and marked as wanted now."""
        note = self._notes.get(key)
        if note is None:
            note = self._keep(self._make(key, latent))
        elif note.is_short:
            note = self._keep(note.lengthened())
        note.wanted = self.round
        return note

    def _keep(self, note: Note) -> Note:
        """Have this note at its address."""
        key = note.key
        self._notes[key] = note
        self._by_latent.setdefault((key.model_id, key.latent_key), {})[key.pitch] = note
        return note

    def family(self, model_id: str, latent_key: LatentKey) -> Mapping[int, Note]:
        """The notes of one latent by pitch."""
        return self._by_latent.get((model_id, latent_key), {})

    def nearest_pitch(self, key: NoteKey, samples: int) -> Note | None:
        """The note of the same latent nearest in pitch, within :data:`STAND_IN_REACH`, with ``samples`` rendered.

        A note that is transposed upwards is used up faster, so more of it must be there.
        """
        candidates = self._by_latent.get((key.model_id, key.latent_key), {})
        near = [n for p, n in candidates.items() if 0 < abs(p - key.pitch) <= STAND_IN_REACH]
        ready = [n for n in near if n.available >= samples * max(1.0, semitones_to_ratio(key.pitch - n.key.pitch))]
        return min(ready, key=lambda n: (abs(n.key.pitch - key.pitch), n.key.pitch), default=None)

    def nearest_latent(self, key: NoteKey, latent: NDArray[np.float32], samples: int) -> Note | None:
        """The rendered note of another latent that serves best: near in pitch first, then in latent."""
        families = [notes for (model_id, _), notes in self._by_latent.items() if model_id == key.model_id]
        pitches = {pitch for notes in families for pitch in notes}
        for distance in sorted({abs(pitch - key.pitch) for pitch in pitches}):
            near = {key.pitch - distance, key.pitch + distance}
            found = [notes[p] for notes in families for p in near if p in notes and notes[p].available >= samples]
            if found:
                gaps = np.stack([note.latent for note in found]) - latent
                return found[int(np.argmin(np.einsum("ij,ij->i", gaps, gaps)))]
        return None

    def measure(self) -> int:
        """Count :attr:`used_bytes` anew."""
        self.used_bytes = sum(note.used_bytes for note in self._notes.values())
        return self.used_bytes

    def evict(self) -> int:
        """Drop notes that are no longer wanted and were never begun; then make room, until the budget holds.

        The least recently wanted unpinned ones are cut down to their first slices, and only then dropped. Returns how
        many went altogether.
        """
        free = [note for note in self._notes.values() if note.pins == 0 and note.wanted < self.round]
        begun = sorted((note for note in free if note.kept), key=lambda note: note.wanted)
        gone = [note for note in free if not note.kept]
        excess = self.measure() - self.budget_bytes
        if excess > 0 and self._first_slice is not None:
            begun, excess = self._shorten(begun, excess, self._first_slice)
        for note in begun:
            if excess <= 0:
                break
            excess -= note.used_bytes
            gone.append(note)
        for note in gone:
            self._drop(note)
        self.measure()
        return len(gone)

    def _shorten(self, notes: list[Note], excess: int, first_slice: tuple[int, int]) -> tuple[list[Note], int]:
        """Cut notes down, in order, until ``excess`` bytes are gone: the notes as they are then, and what is left."""
        stop, samples = first_slice
        result = []
        for note in notes:
            if excess > 0 and not note.is_short and note.available > samples and note.next_frame > stop:
                excess -= note.used_bytes
                note = self._keep(note.shortened(stop, samples))
                excess += note.used_bytes
            result.append(note)
        return result, excess

    def _drop(self, note: Note) -> None:
        del self._notes[note.key]
        family = self._by_latent[(note.key.model_id, note.key.latent_key)]
        del family[note.key.pitch]
        if not family:
            del self._by_latent[(note.key.model_id, note.key.latent_key)]
