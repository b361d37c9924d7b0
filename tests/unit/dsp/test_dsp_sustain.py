"""A held note goes on: the figures it must hold, and how a decoder takes it over."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.dsp import figures
from synth_app.dsp.sustain import SILENCE_DB, Sustain, SustainWalk
from synth_app.dsp.trend import NEPERS_PER_DB

from .conftest import FIRST, HOP, LAST, RATE_HZ, Note, middle_of, start_of

NAMES = ["bowed", "breathy", "struck"]
LONG_FRAMES = round(30.0 * RATE_HZ / HOP) - LAST


def walk(note: Note, seed: int = 1) -> SustainWalk:
    return SustainWalk(Sustain(note.log_mel, note.inst_freq, FIRST, LAST), np.random.default_rng(seed))


def carried_on(note: Note, log_mel: np.ndarray, inst_freq: np.ndarray) -> np.ndarray:
    """The note's sound up to frame ``LAST`` and these frames' after it."""
    return np.concatenate([note.play(LAST), note.decoder_at(LAST).push(log_mel, inst_freq)])


def texture(note: Note, wave: np.ndarray, from_s: float = 4.0) -> figures.Texture:
    own = note.play()
    loudest = figures.loudest_band_db(own, HOP)
    end = figures.audible_until(wave, RATE_HZ)
    return figures.compare(own[middle_of(FIRST) : middle_of(LAST)], wave[round(from_s * RATE_HZ) : end], HOP, loudest)


# -- what it gives out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_frames_are_the_same_however_they_are_split(notes: dict[str, Note], name: str) -> None:
    whole = walk(notes[name]).next(150)
    pieces = walk(notes[name])
    parts = [pieces.next(count) for count in (1, 0, 7, 1, 41, 100)]
    for channel in range(2):
        assert whole[channel].dtype == np.float32
        assert np.array_equal(whole[channel], np.concatenate([part[channel] for part in parts]))


def test_another_seed_goes_another_way(notes: dict[str, Note]) -> None:
    one, same, other = (walk(notes["bowed"], seed).next(200)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one[50:], other[50:])


def test_the_entry_is_one_of_the_notes_own_steps(notes: dict[str, Note]) -> None:
    for note in notes.values():
        steps = np.sqrt(np.square(np.diff(note.held[0], axis=0)).mean(axis=1))
        entry = np.sqrt(np.square(walk(note).next(1)[0][0] - note.log_mel[LAST - 1]).mean())
        assert entry <= np.percentile(steps, 99) * 1.1


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_moves_as_the_notes_own_sustain(notes: dict[str, Note], name: str) -> None:
    note = notes[name]
    moved = figures.compare_pictures(note.held, walk(note).next(LONG_FRAMES), note.loudest)
    assert 0.7 < moved.deviation < 1.4
    assert 0.7 < moved.flux < 1.4
    assert 0.7 < moved.noisiness < 1.4
    assert moved.steps.max() <= 1.001


def test_a_frozen_frame_a_loop_and_a_shuffle_fail(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    order = np.random.default_rng(0).integers(FIRST, LAST, LONG_FRAMES)
    looped = FIRST + np.arange(LONG_FRAMES) % (LAST - FIRST)
    frozen, loop, shuffled = (
        (note.log_mel[rows], note.inst_freq[rows]) for rows in (np.full(LONG_FRAMES, LAST - 1), looped, order)
    )
    still = figures.compare_pictures(note.held, frozen, note.loudest)
    assert still.flux < 0.01 and still.noisiness < 0.01
    assert texture(note, carried_on(note, *frozen)).flux < 0.7
    own = figures.repetition(note.play()[:48_000], RATE_HZ)
    assert figures.repetition(carried_on(note, *loop), RATE_HZ) > own + 0.1
    jittery = figures.compare_pictures(note.held, shuffled, note.loudest)
    assert jittery.flux > 1.1 and jittery.steps.max() > 1.1


def test_breath_gets_phases_that_do_not_come_back(notes: dict[str, Note]) -> None:
    note = notes["breathy"]
    _, inst_freq = walk(note).next(2000)
    # The same frame of the note, visited again: peaks turn as they did, breath does not.
    tone = int(np.argmax(note.held[0].mean(axis=0)))
    breath = 500
    for band, repeats in ((tone, True), (breath, False)):
        values = np.sort(np.round(inst_freq[:, band], 6))
        distinct = 1 + int((np.diff(values) > 0.0).sum())
        assert (distinct < 400) == repeats
    spread = inst_freq[:, breath].std() / note.held[1][:, breath].std()
    assert 0.8 < spread < 1.25


def test_a_struck_note_dies_to_silence_at_its_own_slope(notes: dict[str, Note]) -> None:
    note = notes["struck"]
    struck = walk(note)
    assert not struck.silent
    log_mel, _ = struck.next(10 * 31)
    fundamental = int(np.argmax(note.held[0].mean(axis=0)))
    fall_db = (log_mel[0, fundamental] - log_mel[-1, fundamental]) / NEPERS_PER_DB
    assert 10.0 * 5.6 * 0.75 < fall_db < 10.0 * 5.6 * 1.35
    struck.next(20 * 31)
    assert struck.silent
    assert struck.level.max() < note.loudest - SILENCE_DB * NEPERS_PER_DB


def test_a_bowed_note_stays(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    bowed = walk(note)
    log_mel, _ = bowed.next(LONG_FRAMES)
    total = [np.log(np.exp(level.astype(float)).sum(axis=1)).mean() for level in (note.held[0], log_mel[-100:])]
    assert abs(total[1] - total[0]) < 1.0 * NEPERS_PER_DB
    assert not bowed.silent


def test_follow_changes_the_note_within_a_few_frames_and_without_a_step(notes: dict[str, Note]) -> None:
    one, other = notes["bowed"], notes["breathy"]
    changing = walk(one)
    before, _ = changing.next(50)
    changing.follow(Sustain(other.log_mel, other.inst_freq, FIRST, LAST))
    after, _ = changing.next(20)
    gap = np.sqrt(np.square(other.held[0].mean(axis=0) - before[-1]).mean())
    left = np.sqrt(np.square(other.held[0].mean(axis=0) - after).mean(axis=1))
    first = np.sqrt(np.square(after[0] - before[-1]).mean())
    assert first < 0.4 * gap
    assert left[3] < 0.5 * gap + 1.0
    settled = changing.next(LONG_FRAMES)
    assert 0.7 < figures.compare_pictures(other.held, settled, other.loudest).flux < 1.4


def test_shapes_and_spans_are_checked(notes: dict[str, Note]) -> None:
    note, rng = notes["bowed"], np.random.default_rng(0)
    with pytest.raises(ValueError, match="too few"):
        SustainWalk(Sustain(note.log_mel, note.inst_freq, 90, 96), rng)
    with pytest.raises(ValueError, match="expected two"):
        SustainWalk(Sustain(note.log_mel, note.inst_freq[:50], FIRST, LAST), rng)
    SustainWalk(Sustain(note.log_mel[:LAST], note.inst_freq[:LAST], LAST - 8, LAST), rng).next(100)


# -- what is heard -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_thirty_seconds_sound_like_the_first_three(notes: dict[str, Note], name: str) -> None:
    note = notes[name]
    wave = carried_on(note, *walk(note).next(LONG_FRAMES))
    heard = texture(note, wave)
    assert 0.7 < heard.deviation < 1.4
    assert 0.7 < heard.flux < 1.4
    assert 0.7 < heard.noisiness < 1.4
    # Of so many hops one in a hundred passes the note's 99th percentile by what the word means.
    assert np.percentile(heard.steps, 99) < 1.15
    end = figures.audible_until(wave, RATE_HZ)
    own = note.play()
    assert figures.repetition(wave[3200:end], RATE_HZ) < figures.repetition(own[3200:47_000], RATE_HZ) + 0.1
    held = own[middle_of(FIRST) : middle_of(LAST)]
    assert abs(figures.cents_apart(wave[64_000:end], held, note.frequency_hz, RATE_HZ)) < 3.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frame", [50, 80, LAST])
def test_a_decoder_enters_at_any_frame_with_nothing_to_hear(notes: dict[str, Note], name: str, frame: int) -> None:
    """The recipe in ``sustain``: skip or push the note up to a frame, then push the walk."""
    note = notes[name]
    held = (
        SustainWalk(Sustain(note.log_mel, note.inst_freq, FIRST, frame), np.random.default_rng(3))
        if frame > 50
        else None
    )
    frames = held.next(60) if held else (note.log_mel[FIRST:frame], note.inst_freq[FIRST:frame])
    skipped = np.concatenate([note.play(frame), note.decoder_at(frame).push(*frames)])
    pushed = note.blank.fork()
    first = pushed.push(note.log_mel[3:frame], note.inst_freq[3:frame])[3 * HOP :]
    forked = np.concatenate([first, pushed.fork().push(*frames)])
    assert np.abs(skipped - forked).max() < 1e-6
    # Up to the join it is the note itself.
    join = start_of(frame)
    assert np.abs(skipped[:join] - note.play()[:join]).max() < 1e-6
    if frame == LAST:
        around = skipped[join - 28 * HOP : join + 28 * HOP]
        own = note.play()
        loudest = figures.loudest_band_db(own, HOP)
        heard = figures.compare(own[middle_of(FIRST) : middle_of(LAST)], around, HOP, loudest)
        hops = len(heard.steps) // 2
        assert heard.steps[hops - 4 : hops + 4].max() < 1.1
