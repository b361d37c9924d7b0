"""The cache: one note for one address, what was not wanted for longest goes first, and nothing pinned ever goes."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.core.keys import NoteKey
from synth_app.render.cache import NoteCache
from synth_app.render.note import FINAL, Note

SAMPLES = 1000
NOTE_BYTES = 4 * SAMPLES
NOWHERE = np.zeros(2, np.float32)


def _make(key: NoteKey, latent: np.ndarray) -> Note:
    return Note(key, latent, SAMPLES, 0, (4, 1))


@pytest.fixture
def cache() -> NoteCache:
    return NoteCache(_make, budget_bytes=10 * NOTE_BYTES)


def _key(pitch: int, timbre: bytes = b"a", model: str = "m") -> NoteKey:
    return NoteKey(model, timbre, pitch)


def _rendered(cache: NoteCache, key: NoteKey, latent: np.ndarray = NOWHERE, samples: int = SAMPLES) -> Note:
    note = cache.want(key, latent)
    note.prepare()
    note.kept = max(1, note.kept)
    note.progress[:] = samples, samples == SAMPLES
    return note


def _room_for(cache: NoteCache, notes: int) -> None:
    """Set the budget to as many whole notes (a note's frames count too)."""
    [any_note] = [next(iter(cache))]
    cache.budget_bytes = notes * any_note.used_bytes


def test_one_address_is_one_note(cache: NoteCache):
    note = cache.want(_key(60), NOWHERE)
    assert cache.want(_key(60), NOWHERE) is note
    assert cache.get(_key(60)) is note
    assert cache.get(_key(61)) is None
    assert cache.want(_key(60, b"b"), NOWHERE) is not note
    assert cache.want(_key(60, model="n"), NOWHERE) is not note
    assert len(cache) == 3
    assert set(cache.family("m", b"a")) == {60}


def test_within_the_budget_nothing_goes(cache: NoteCache):
    for pitch in range(5):
        _rendered(cache, _key(pitch))
    cache.round += 5
    assert cache.evict() == 0
    assert len(cache) == 5
    assert cache.used_bytes == sum(note.used_bytes for note in cache) > 0


def test_what_was_not_wanted_for_longest_goes_first(cache: NoteCache):
    for pitch in range(10):
        cache.round += 1
        _rendered(cache, _key(pitch))
    cache.round += 1
    for pitch in (0, 3):
        cache.want(_key(pitch), NOWHERE)
    _room_for(cache, 4)
    assert cache.evict() == 6
    assert sorted(note.key.pitch for note in cache) == [0, 3, 8, 9]
    assert cache.used_bytes <= cache.budget_bytes
    assert cache.get(_key(1)) is None
    assert set(cache.family("m", b"a")) == {0, 3, 8, 9}


def test_a_pinned_note_never_goes(cache: NoteCache):
    old = _rendered(cache, _key(1))
    old.pins = 1
    for pitch in range(2, 12):
        cache.round += 1
        _rendered(cache, _key(pitch))
    cache.round += 1
    cache.budget_bytes = 0
    cache.evict()
    assert [note.key.pitch for note in cache] == [1]
    old.pins = 0
    cache.evict()
    assert len(cache) == 0
    assert cache.used_bytes == 0


def test_what_is_wanted_now_never_goes_however_small_the_budget(cache: NoteCache):
    cache.round += 1
    for pitch in range(20):
        _rendered(cache, _key(pitch))
    cache.budget_bytes = 0
    assert cache.evict() == 0
    assert len(cache) == 20


def test_wishes_that_were_never_begun_do_not_pile_up(cache: NoteCache):
    """A slider that moved for a minute used to leave a note for every key of every step behind."""
    for step in range(200):
        cache.round += 1
        for pitch in range(61):
            cache.want(_key(pitch, bytes([step])), NOWHERE)
        cache.evict()
        assert len(cache) == 61
    assert cache.family("m", bytes([0])) == {}


def test_a_wish_takes_no_memory_until_it_is_rendered(cache: NoteCache):
    assert cache.want(_key(60), NOWHERE).audio.nbytes == 0
    assert cache.measure() == 0


def test_an_empty_family_is_forgotten(cache: NoteCache):
    _rendered(cache, _key(60, b"x"))
    cache.round += 1
    cache.budget_bytes = 0
    cache.evict()
    assert cache.family("m", b"x") == {}
    assert cache.nearest_latent(_key(60), NOWHERE, 1) is None


# -- first slices go last --------------------------------------------------------------------------------------------

SLICE = 2, 100


@pytest.fixture
def slices() -> NoteCache:
    return NoteCache(_make, first_slice=SLICE)


def test_tails_go_before_any_note_does_the_least_wanted_first(slices: NoteCache):
    for pitch in range(10):
        slices.round += 1
        _whole(slices, pitch)
    slices.round += 1
    slices.budget_bytes = slices.measure() - 3 * NOTE_BYTES
    assert slices.evict() == 0
    assert [note.key.pitch for note in slices if note.is_short] == [0, 1, 2, 3]
    assert slices.used_bytes == slices.measure() <= slices.budget_bytes
    for note in slices:
        assert note.available == (SLICE[1] if note.is_short else SAMPLES)
        assert np.all(note.audio[: note.available] == note.key.pitch)


def test_with_no_tails_left_first_slices_go_the_least_wanted_first(slices: NoteCache):
    for pitch in range(10):
        slices.round += 1
        _whole(slices, pitch)
    slices.round += 1
    slices.budget_bytes = 5 * NOTE_BYTES // 10
    assert slices.evict() == 6
    assert [note.key.pitch for note in slices] == [6, 7, 8, 9]
    assert all(note.is_short for note in slices)


def test_pinned_and_wanted_notes_keep_their_tails(slices: NoteCache):
    pinned, wanted = _whole(slices, 1), _whole(slices, 2)
    pinned.pins = 1
    slices.round += 1
    slices.want(wanted.key, NOWHERE)
    slices.budget_bytes = 0
    assert slices.evict() == 0
    assert slices.get(_key(1)) is pinned
    assert slices.get(_key(2)) is wanted


def test_whoever_holds_a_note_that_is_cut_down_keeps_it_as_it_was(slices: NoteCache):
    held = _whole(slices, 5)
    slices.round += 1
    slices.budget_bytes = NOTE_BYTES // 2
    slices.evict()
    assert held.available == SAMPLES
    short = slices.get(_key(5))
    assert short is not None
    assert short is not held
    again = slices.want(_key(5), NOWHERE)
    assert not again.is_short
    assert len(again.audio) == SAMPLES
    assert again.available == SLICE[1]
    assert again.next_frame == SLICE[0]
    assert slices.get(_key(5)) is again
    assert slices.family("m", b"a")[5] is again


def _whole(cache: NoteCache, pitch: int) -> Note:
    note = _rendered(cache, _key(pitch))
    note.audio[:] = pitch
    note.have[:] = True
    note.kept = note.next_frame = len(note.have)
    return note


# -- stand-ins -------------------------------------------------------------------------------------------------------


def test_the_nearest_pitch_is_of_the_same_timbre_rendered_far_enough_and_not_the_note_itself(cache: NoteCache):
    for pitch in (50, 57, 64):
        _rendered(cache, _key(pitch))
    _rendered(cache, _key(60))
    _rendered(cache, _key(61), samples=10)
    _rendered(cache, _key(60, b"b"))
    found = cache.nearest_pitch(_key(60), 500)
    assert found is not None
    assert found.key == _key(57)
    assert cache.nearest_pitch(_key(60, b"c"), 1) is None


def test_of_two_equally_near_pitches_it_is_always_the_same(cache: NoteCache):
    for pitch in (63, 57):
        _rendered(cache, _key(pitch))
    found = cache.nearest_pitch(_key(60), 1)
    assert found is not None
    assert found.key.pitch == 57


def test_a_note_more_than_an_octave_away_does_not_stand_in(cache: NoteCache):
    _rendered(cache, _key(47))
    assert cache.nearest_pitch(_key(60), 1) is None
    assert cache.nearest_pitch(_key(59), 1) is not None


def test_a_note_that_is_transposed_up_must_be_longer(cache: NoteCache):
    """It used to stand in, and ran dry at once."""
    _rendered(cache, _key(48), samples=900)
    assert cache.nearest_pitch(_key(60), 500) is None
    assert cache.nearest_pitch(_key(60), 450) is not None
    assert cache.nearest_pitch(_key(36), 900) is not None


def test_the_nearest_latent_is_near_in_pitch_first_then_in_timbre(cache: NoteCache):
    wanted = np.array([1.0, 0.0], np.float32)
    _rendered(cache, _key(62, b"twin"), wanted)
    _rendered(cache, _key(60, b"far"), np.array([-9.0, 0.0], np.float32))
    _rendered(cache, _key(60, b"near"), np.array([0.5, 0.0], np.float32))
    _rendered(cache, _key(60, b"nearest"), wanted, samples=10)
    _rendered(cache, _key(60, b"other model", "n"), wanted)
    found = cache.nearest_latent(_key(60), wanted, 500)
    assert found is not None
    assert found.key.latent_key == b"near"
    found = cache.nearest_latent(_key(61), wanted, 500)
    assert found is not None
    assert found.key.latent_key == b"twin", "one semitone either way: the timbre decides"
    assert cache.nearest_latent(_key(60, model="nobody"), wanted, 1) is None


def test_the_nearest_latent_agrees_with_a_plain_search(cache: NoteCache):
    rng = np.random.default_rng(4)
    notes = []
    for number in range(200):
        latent = rng.standard_normal(2).astype(np.float32)
        key = _key(int(rng.integers(24, 84)), bytes([number]))
        notes.append(_rendered(cache, key, latent, samples=int(rng.integers(0, SAMPLES))))
    for pitch in range(20, 90):
        wanted = rng.standard_normal(2).astype(np.float32)
        ready = [note for note in notes if note.available >= 500]
        best = min(ready, key=lambda n: (abs(n.key.pitch - pitch), float(np.linalg.norm(n.latent - wanted))))
        assert cache.nearest_latent(_key(pitch), wanted, 500) is best


def test_a_whole_note_says_so(cache: NoteCache):
    note = _rendered(cache, _key(60))
    assert note.complete
    note.progress[FINAL] = 0
    assert not note.complete
