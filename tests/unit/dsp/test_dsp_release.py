"""The model's own release from wherever a note is."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.dsp import figures
from synth_app.dsp.release import CONTEXT_FRAMES, LONGEST_TAIL_S, SILENT_LOG_MEL, Release, ReleaseTail, _never_rising
from synth_app.dsp.sustain import Sustain, SustainWalk
from synth_app.dsp.trend import NEPERS_PER_DB

from .conftest import FIRST, HOP, LAST, LEAD, RATE_HZ, RELEASE, Note, middle_of, start_of

NAMES = ["bowed", "breathy", "struck"]
FRAMES_PER_S = RATE_HZ / HOP
LONGEST_FRAMES = round((LONGEST_TAIL_S + 1.5) * FRAMES_PER_S)


def release_of(note: Note) -> Release:
    return Release(note.log_mel, note.inst_freq, RELEASE)


def tail_at(note: Note, frame: int) -> ReleaseTail:
    """A tail that begins at a frame of the note itself."""
    now = frame - 1
    return ReleaseTail(
        note.log_mel[now], release_of(note), inst_freq_now=note.inst_freq[now], frame=now, loudest=note.loudest,
        rng=np.random.default_rng(0),
    )  # fmt: skip


def all_of(tail: ReleaseTail) -> tuple[np.ndarray, np.ndarray]:
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    done = False
    while not done:
        assert len(rows) < LONGEST_FRAMES
        log_mel, inst_freq, done = tail.next(1)
        rows.append((log_mel[0], inst_freq[0]))
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def heard(note: Note, frame: int) -> np.ndarray:
    """The note let go at a frame, to its end."""
    decoder = note.blank.fork()
    held = decoder.push(note.log_mel[3:frame], note.inst_freq[3:frame])
    released = decoder.push(*all_of(tail_at(note, frame)))
    return np.concatenate([held, released, decoder.tail()])[LEAD * HOP :]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frame", [7, 12, 40, LAST])
def test_never_rises_and_ends_in_silence(notes: dict[str, Note], name: str, frame: int) -> None:
    note = notes[name]
    log_mel, inst_freq = all_of(tail_at(note, frame))
    course = np.concatenate([note.log_mel[frame - 1][None], log_mel])
    assert np.diff(course, axis=0).max() < 1e-5
    assert log_mel[-1].max() < max(note.loudest - 80.0 * NEPERS_PER_DB, SILENT_LOG_MEL)
    assert np.isfinite(inst_freq).all()


def test_falls_as_the_models_own_release_from_any_level(notes: dict[str, Note]) -> None:
    note = notes["bowed"]  # falls by 150 dB a second
    expected = 150.0 / FRAMES_PER_S * NEPERS_PER_DB
    top = int(np.argmax(note.held[0].mean(axis=0)))
    for level in (note.log_mel[LAST - 1], note.log_mel[LAST - 1] - 3.0, note.log_mel[20]):
        log_mel, _, _ = ReleaseTail(level, release_of(note)).next(12)
        falls = -np.diff(log_mel[:, top])
        assert falls.mean() == pytest.approx(expected, rel=0.2)
        # Two frames after the release frame the window has seen it for two hops.
        assert 0.5 * expected < level[top] - log_mel[0, top] < 4.5 * expected


def test_goes_on_past_the_models_last_frame_at_its_slope(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    log_mel, inst_freq = note.log_mel.copy(), note.inst_freq
    bands = np.argsort(log_mel[LAST - 1])[-20:]
    slope = -0.3  # nepers a frame: 30 frames bring it down by 39 dB
    log_mel[RELEASE:, :] = log_mel[RELEASE - 2 : RELEASE].mean(axis=0) + slope * np.arange(1, 129 - RELEASE)[:, None]
    tail = ReleaseTail(log_mel[LAST - 1], Release(log_mel, inst_freq, RELEASE))
    played = tail.next(60)[0]
    assert np.allclose(np.diff(played[30:, bands], axis=0), slope, atol=0.05)


def test_a_release_that_does_not_decay_ends_all_the_same(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    log_mel = note.log_mel.copy()
    log_mel[LAST:] = log_mel[LAST - 1]
    ended, _ = all_of(ReleaseTail(log_mel[LAST - 1], Release(log_mel, note.inst_freq, RELEASE)))
    assert len(ended) > 4.0 * FRAMES_PER_S


def test_ghosts_left_by_the_generator_do_not_ring_on(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    ghosts = np.maximum(note.log_mel, note.held[0].mean(axis=0) - 55.0 * NEPERS_PER_DB)
    ended, _ = all_of(ReleaseTail(note.log_mel[LAST - 1], Release(ghosts, note.inst_freq, RELEASE)))
    assert len(ended) < 1.2 * FRAMES_PER_S


def test_a_struck_note_let_go_early_dies_no_later_than_by_itself(notes: dict[str, Note]) -> None:
    # Its release was learnt when nearly nothing was left to be damped.
    note = notes["struck"]
    log_mel = note.log_mel.copy()
    log_mel[LAST:] = log_mel[LAST - 1]
    frame = 20
    told = ReleaseTail(log_mel[frame], Release(log_mel, note.inst_freq, RELEASE), frame=frame)
    untold = ReleaseTail(log_mel[frame], Release(log_mel, note.inst_freq, RELEASE))
    left = RELEASE - frame
    top = np.argsort(log_mel[frame])[-50:]
    by_itself = log_mel[LAST - 4 : LAST, top].mean()
    assert told.next(left)[0][-1, top].mean() < by_itself + 2.0 * NEPERS_PER_DB
    assert untold.next(left - 70)[0][-1, top].mean() > by_itself + 5.0 * NEPERS_PER_DB


def test_looks_only_at_the_frames_it_says_it_needs(notes: dict[str, Note]) -> None:
    note = notes["breathy"]
    log_mel, inst_freq = note.log_mel.copy(), note.inst_freq.copy()
    log_mel[: RELEASE - CONTEXT_FRAMES] = inst_freq[: RELEASE - CONTEXT_FRAMES] = np.nan
    one = ReleaseTail(note.log_mel[50], release_of(note)).next(50)
    other = ReleaseTail(note.log_mel[50], Release(log_mel, inst_freq, RELEASE)).next(50)
    assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_frames_are_the_same_however_they_are_split(notes: dict[str, Note]) -> None:
    note = notes["breathy"]
    whole, pieces = tail_at(note, 60), tail_at(note, 60)
    log_mel, inst_freq, done = whole.next(50)
    parts = [pieces.next(count) for count in (1, 0, 30, 19)]
    assert np.array_equal(log_mel, np.concatenate([part[0] for part in parts]))
    assert np.array_equal(inst_freq, np.concatenate([part[1] for part in parts]))
    assert done == parts[-1][2] == whole.done


def test_a_peak_that_the_release_does_not_have_keeps_its_step(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    level, step = note.log_mel[60].copy(), note.inst_freq[60].copy()
    band = 700
    level[band - 4 : band + 5] = 6.0 - np.abs(np.arange(-4, 5))
    step[band - 4 : band + 5] = 0.77
    _, inst_freq, _ = ReleaseTail(level, release_of(note), inst_freq_now=step).next(5)
    assert np.allclose(inst_freq[:, band], 0.77)
    _, inst_freq, _ = ReleaseTail(level, release_of(note)).next(5)
    assert np.array_equal(inst_freq[:, band], note.inst_freq[RELEASE + 2 : RELEASE + 7, band])


def test_out_of_a_walk(notes: dict[str, Note]) -> None:
    note = notes["struck"]
    walk = SustainWalk(Sustain(note.log_mel, note.inst_freq, FIRST, LAST), np.random.default_rng(0))
    log_mel, inst_freq = walk.next(60)
    tail = ReleaseTail(walk.level, release_of(note), inst_freq[-1], LAST + 59, note.loudest)
    played, _ = all_of(tail)
    assert np.diff(np.concatenate([log_mel[-1:], played]), axis=0).max() < 1e-5
    assert len(played) < 1.0 * FRAMES_PER_S


@pytest.mark.parametrize("name", NAMES)
def test_sounds_like_the_models_own_release(notes: dict[str, Note], name: str) -> None:
    note = notes[name]
    own, let_go = note.play(), heard(note, LAST)
    # The model's key goes up at 3.0 s; here at the first sample that frame LAST can change.
    up, ours = 3 * RATE_HZ, start_of(LAST)
    reference = figures.envelope_db(own, RATE_HZ)
    released = figures.envelope_db(let_go, RATE_HZ)
    for after_s in (0.06, 0.09, 0.12):
        at = [round((start / RATE_HZ + after_s) * 100) for start in (up, ours)]
        before = [round(start / RATE_HZ * 100) - 4 for start in (up, ours)]
        falls = [
            level[b - 4 : b].mean() - level[a] for level, a, b in zip((reference, released), at, before, strict=True)
        ]
        assert abs(falls[0] - falls[1]) < 6.0
    # It begins within one hop: by the end of the second it has fallen.
    hop_s = HOP / RATE_HZ
    begun = released[round((ours / RATE_HZ + 2 * hop_s) * 100) - 1]
    assert begun < released[round(ours / RATE_HZ * 100) - 8 : round(ours / RATE_HZ * 100)].mean() - 2.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frame", [20, 60, LAST])
def test_up_to_the_join_it_is_the_note_and_the_join_does_not_click(
    notes: dict[str, Note], name: str, frame: int
) -> None:
    note = notes[name]
    own, let_go = note.play(), heard(note, frame)
    join = start_of(frame)
    assert np.abs(own[:join] - let_go[:join]).max() < 1e-6

    # A click is energy where the note has none: above 6 kHz, in 4 ms, against all of the note's own.
    def brightest(wave: np.ndarray) -> np.ndarray:
        bright = np.diff(wave.astype(float), 6)
        return np.asarray(np.square(bright[: len(bright) // 64 * 64]).reshape(-1, 64).mean(axis=1))

    around = brightest(let_go[join - 2 * HOP : join + 6 * HOP])
    assert around.max() < 1.5 * brightest(own[middle_of(8) : middle_of(110)]).max()


def test_isotonic_regression_against_a_brute_force() -> None:
    rng = np.random.default_rng(1)
    course = np.cumsum(rng.standard_normal((12, 40)), axis=0)
    fitted = course.copy()
    _never_rising(fitted)
    assert np.diff(fitted, axis=0).max() <= 1e-12
    # The minimax formula: max over later ends of the min over earlier starts, for falling courses.
    for column in range(40):
        for t in range(12):
            value = min(max(course[start : end + 1, column].mean() for end in range(t, 12)) for start in range(t + 1))
            assert fitted[t, column] == pytest.approx(value)


def test_shapes_are_checked(notes: dict[str, Note]) -> None:
    note = notes["bowed"]
    with pytest.raises(ValueError, match="no release"):
        Release(note.log_mel[:99], note.inst_freq[:99], RELEASE)
    with pytest.raises(ValueError, match="does not fit"):
        ReleaseTail(note.log_mel[0, :10], release_of(note))
