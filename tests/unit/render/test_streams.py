"""Streams: a note goes on past its own end, ends from where it is, follows another timbre; never a step, never dry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.core.units import pitch_to_hz
from synth_app.render.finish import Finisher
from synth_app.render.note import Note
from synth_app.render.sketch import Sketcher
from synth_app.render.streams import CHUNK_S, LEAD_S, Chunk, Stream, StreamWorker
from tests.helpers.listen import cents_off, pitch_hz
from tests.unit.engine.desk import steepest
from tests.unit.render.recording import Recording, Sketching

RATE_HZ = 48_000
BLOCK = 128
NewNote = Callable[..., Note]


@dataclass
class Listener:
    """Plays one voice as the mixer would: its note, then each chunk from its switch on, never past an edge."""

    stream: Stream
    position: int = 0
    heard: list[NDArray[np.float32]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)

    def play(self, samples: int) -> None:
        stop = self.position + samples
        while self.position < stop:
            at = self.position
            chunk = next((c for c in reversed(self.chunks) if at >= c.switch), None)
            audio, origin = (self.first.audio, 0) if chunk is None else (chunk.audio, chunk.origin)
            edge = self.first.available if chunk is None else chunk.edge
            ended = self.first.complete if chunk is None else bool(chunk.progress[1])
            until = min([stop, edge, *(c.switch for c in self.chunks if c.switch > at)])
            if until <= at:
                assert ended, f"ran dry at {at}"
                return
            self.heard.append(audio[at - origin : until - origin].copy())
            self.position = until

    def __post_init__(self) -> None:
        self.first = self.stream.note

    @property
    def wave(self) -> NDArray[np.float64]:
        return np.concatenate(self.heard).astype(float)


class Band:
    """Voices played together by one stream worker."""

    def __init__(self, finisher: Finisher, notes: list[Note], generator: Recording | None = None) -> None:
        sketcher = None if generator is None else Sketcher(generator, finisher)
        self.worker = StreamWorker(finisher, self._chunk, sketcher=sketcher)
        self.listeners: dict[int, Listener] = {}
        for voice_id, note in enumerate(notes):
            stream = Stream(voice_id, note, lambda v=voice_id: float(self.listeners[v].position), _rng(voice_id))
            self.listeners[voice_id] = Listener(stream)
            self.worker.begin(stream)

    def _chunk(self, voice_id: int, chunk: Chunk) -> None:
        self.listeners[voice_id].chunks.append(chunk)

    def play(self, seconds: float, block: int = BLOCK) -> None:
        """The stream thread gets one step a block: 2.7 ms, as live; and the sketch thread one."""
        for _ in range(round(seconds * RATE_HZ / block)):
            self.worker.step()
            self.worker.draw()
            for listener in self.listeners.values():
                listener.play(block)

    def wish(self, voice: int, note: Note, *, moving: bool = False) -> None:
        stream = self.listeners[voice].stream
        frame = self.worker.frame_after(stream, self.listeners[voice].position + 2 * BLOCK)  # the designed delay
        self.worker.wish(stream, note, frame, moving=moving)

    def release(self, *voices: int) -> None:
        for voice in voices:
            listener = self.listeners[voice]
            listener.stream.release_frame = self.worker.frame_after(listener.stream, listener.position)
            listener.stream.released = True


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def whole_note(finisher: Finisher, generator: Recording, new_note: NewNote) -> NewNote:
    def make(pitch: int = 60, level_db: float = 0.0) -> Note:
        note = new_note(pitch, level_db)
        finisher.extend(note, generator, finisher.frames)
        return note

    return make


def _rms_db(wave: NDArray[np.float64]) -> float:
    return 10.0 * float(np.log10(np.mean(wave**2) + 1e-20))


def test_a_held_note_goes_on_past_its_own_end_at_its_pitch_and_level(finisher: Finisher, whole_note: NewNote):
    band = Band(finisher, [whole_note(57)])
    band.play(3.0 * CHUNK_S)
    wave = band.listeners[0].wave
    assert len(wave) == pytest.approx(3.0 * CHUNK_S * RATE_HZ, abs=BLOCK)
    own = wave[RATE_HZ : 2 * RATE_HZ]
    for start_s in range(3, 11):
        piece = wave[start_s * RATE_HZ : (start_s + 1) * RATE_HZ]
        assert _rms_db(piece) == pytest.approx(_rms_db(own), abs=0.3)
        assert abs(cents_off(pitch_hz(piece[:9600], RATE_HZ), pitch_to_hz(57))) < 1.5
    assert steepest(wave) < 1.05 * steepest(own)
    assert len(band.listeners[0].chunks) >= 3, "over several chunks"


@pytest.mark.parametrize("held_s", [0.02, 0.31, 1.0, 2.7, 2.9, 5.3])
def test_a_released_note_ends_from_where_it_is_without_a_step(held_s: float, finisher: Finisher, whole_note: NewNote):
    note = whole_note(57)
    band = Band(finisher, [note])
    band.play(held_s)
    at = band.listeners[0].position
    band.release(0)
    band.play(2.0)
    listener = band.listeners[0]
    wave = listener.wave
    own = note.audio[RATE_HZ : 2 * RATE_HZ].astype(float)
    assert listener.stream.ended
    assert steepest(wave[100:]) < 1.1 * steepest(own)
    soon = at + round((LEAD_S + 0.1) * RATE_HZ)
    assert _rms_db(wave[soon : soon + 2400]) < _rms_db(wave[at - 900 : at]) - 1.0, "it begins at once"
    assert _rms_db(wave[at + RATE_HZ // 2 : at + RATE_HZ]) < _rms_db(own) - 15.0
    assert abs(wave[-1]) < 1e-3 * np.abs(own).max()


def test_a_released_note_goes_silent_though_its_own_release_is_not_rendered(
    finisher: Finisher, generator: Recording, new_note: NewNote
):
    note = new_note(57)
    finisher.extend(note, generator, 60)
    band = Band(finisher, [note])
    band.play(0.5)
    band.release(0)
    band.play(2.0)
    assert band.listeners[0].stream.ended
    assert _rms_db(band.listeners[0].wave[-100:]) < -60.0


def test_a_held_note_follows_another_timbre_from_its_playhead_on(finisher: Finisher, whole_note: NewNote):
    loud, soft = whole_note(57, 0.0), whole_note(57, -12.0)
    band = Band(finisher, [loud])
    band.play(1.0)
    at = band.listeners[0].position
    band.listeners[0].stream.target = soft
    band.play(4.0)
    wave = band.listeners[0].wave
    before = wave[at - 4800 : at]
    assert _rms_db(wave[at + round(0.13 * RATE_HZ) : at + round(0.2 * RATE_HZ)]) == pytest.approx(
        _rms_db(before) - 12.0, abs=0.5
    )
    assert _rms_db(wave[-4800:]) == pytest.approx(_rms_db(before) - 12.0, abs=0.5), "also in its walk"
    assert steepest(wave[at - 100 :]) < 1.05 * steepest(before)
    np.testing.assert_array_equal(wave[: at - 1], loud.audio[: at - 1].astype(float))


def test_a_note_in_its_walk_follows_too(finisher: Finisher, whole_note: NewNote):
    loud, soft = whole_note(57, 0.0), whole_note(57, -12.0)
    band = Band(finisher, [loud])
    band.play(4.0)
    band.listeners[0].stream.target = soft
    band.play(0.3)
    assert band.listeners[0].stream.target is soft, "nobody has looked through it yet"
    at = band.listeners[0].position
    assert finisher.learn_sustain(soft)
    band.play(0.6)
    wave = band.listeners[0].wave
    assert _rms_db(wave[-4800:]) == pytest.approx(_rms_db(wave[at - 4800 : at]) - 12.0, abs=0.5)
    assert steepest(wave[at - 100 :]) < 1.05 * steepest(wave[at - 4800 : at])


@pytest.mark.parametrize("held_s", [0.4, 2.8, 4.0], ids=["early", "near its end", "in its walk"])
def test_what_is_wished_is_heard_before_it_is_rendered(
    held_s: float, finisher: Finisher, whole_note: NewNote, new_note: NewNote
):
    loud, soft = whole_note(57, 0.0), new_note(57, -12.0)
    band = Band(finisher, [loud], Sketching())
    band.play(held_s)
    at = band.listeners[0].position
    before = _rms_db(band.listeners[0].wave[at - 4800 : at])
    band.wish(0, soft)
    band.play(1.0)
    wave = band.listeners[0].wave
    for start_s in np.arange(0.19, 0.9, 0.1):
        start = at + round(start_s * RATE_HZ)
        assert _rms_db(wave[start : start + 4800]) == pytest.approx(before - 12.0, abs=0.5)
    assert steepest(wave[at - 100 :]) < 1.05 * steepest(wave[at - 4800 : at])
    assert not soft.have.any() and band.listeners[0].stream.note is loud


def test_a_morph_that_moves_on_is_never_between_its_sketches(
    finisher: Finisher, whole_note: NewNote, new_note: NewNote
):
    """Each wish begins a little ahead of what is written; until there the one before goes on."""
    band = Band(finisher, [whole_note(57, 0.0)], Sketching())
    band.play(0.5)
    at = band.listeners[0].position
    before = _rms_db(band.listeners[0].wave[at - 4800 : at])
    for step in range(30):
        band.wish(0, new_note(57, -12.0 - 0.01 * step), moving=True)
        band.play(0.0454)  # at every place within a hop
    wave = band.listeners[0].wave
    for start in range(at + round(0.25 * RATE_HZ), len(wave) - 1200, 600):
        assert _rms_db(wave[start : start + 1200]) == pytest.approx(before - 12.0, abs=0.8)


@pytest.mark.parametrize("held_s", [0.5, 4.0], ids=["early", "in its walk"])
def test_a_sketch_gives_way_to_what_is_rendered(held_s: float, finisher: Finisher, whole_note: NewNote):
    loud, soft = whole_note(57, 0.0), whole_note(57, -12.0)
    assert finisher.learn_sustain(soft)
    band = Band(finisher, [loud], Sketching())
    band.play(held_s)
    at = band.listeners[0].position
    band.wish(0, soft)
    band.play(0.3)
    band.listeners[0].stream.target = soft
    band.play(0.5)
    stream, wave = band.listeners[0].stream, band.listeners[0].wave
    assert stream.note is soft and stream.sketch is None
    before = _rms_db(wave[at - 4800 : at])
    for start in range(at + round(0.19 * RATE_HZ), len(wave) - 4800, 2400):
        assert _rms_db(wave[start : start + 4800]) == pytest.approx(before - 12.0, abs=0.5)


def test_a_morph_on_its_way_goes_over_to_whole_notes_only_and_never_back(finisher: Finisher, whole_note: NewNote,
                                                                          new_note: NewNote):  # fmt: skip
    """What it passed is rendered late: it is something to sketch from, and not where the sound goes back to."""
    generator = Sketching()
    loud, passed, soft = whole_note(57, 0.0), new_note(57, -3.0), new_note(57, -12.0)
    band = Band(finisher, [loud], generator)
    band.play(0.5)
    at = band.listeners[0].position
    stream = band.listeners[0].stream
    band.wish(0, passed, moving=True)
    stream.target = passed
    band.play(0.1)
    band.wish(0, soft, moving=True)
    finisher.fetch(passed, generator, 20, finisher.frames)
    band.play(0.3)
    assert stream.note is loud, "what came before is missing, which its walk will need"
    finisher.fetch(passed, generator, finisher.first_frame, 20)
    assert finisher.learn_sustain(passed)
    band.play(0.3)
    assert stream.note is passed
    wave = band.listeners[0].wave
    before = _rms_db(wave[at - 4800 : at])
    for start in range(at + round(0.25 * RATE_HZ), len(wave) - 2400, 1200):
        assert _rms_db(wave[start : start + 2400]) == pytest.approx(before - 12.0, abs=0.5)


def test_a_released_note_keeps_what_was_sketched_of_it(finisher: Finisher, whole_note: NewNote, new_note: NewNote):
    loud, soft, louder = whole_note(57, 0.0), new_note(57, -12.0), new_note(57, 6.0)
    band = Band(finisher, [loud], Sketching())
    band.play(0.5)
    band.wish(0, soft)
    band.play(0.3)
    at = band.listeners[0].position
    band.release(0)
    band.wish(0, louder)
    band.play(2.0)
    wave = band.listeners[0].wave
    assert band.listeners[0].stream.ended
    assert steepest(wave[at:]) < 1.2 * steepest(wave[at - 4800 : at])
    levels = [_rms_db(wave[start : start + 4800]) for start in range(at - 4800, len(wave) - 4800, 4800)]
    assert all(later < sooner + 0.5 for sooner, later in pairwise(levels))


def test_who_has_no_sketches_waits_for_what_is_rendered(finisher: Finisher, whole_note: NewNote, new_note: NewNote):
    loud, soft = whole_note(57, 0.0), new_note(57, -12.0)
    for generator in (None, Recording()):
        band = Band(finisher, [loud], generator)
        band.play(0.5)
        band.wish(0, soft, moving=True)
        assert not band.listeners[0].stream.moving
        band.play(0.3)
        np.testing.assert_array_equal(band.listeners[0].wave, loud.audio[: band.listeners[0].position].astype(float))


def test_a_whole_chord_is_let_go_while_another_is_held_and_nobody_runs_dry(finisher: Finisher, whole_note: NewNote):
    """Eight beginnings in one step used to hold up everybody for some 25 ms, at the end of a sustain for 50."""
    notes = [whole_note(pitch) for pitch in range(40, 56)]
    band = Band(finisher, notes)
    band.play(3.5)
    begun = [len(listener.chunks) for listener in band.listeners.values()]
    assert begun == [1] * 16
    band = Band(finisher, notes)
    band.play(1.0)
    band.release(*range(8))
    steps = 0
    while any(not listener.chunks for listener in list(band.listeners.values())[:8]):
        before = sum(len(listener.chunks) for listener in band.listeners.values())
        band.play(BLOCK / RATE_HZ)
        after = sum(len(listener.chunks) for listener in band.listeners.values())
        assert after - before <= 1, "one beginning a step"
        steps += 1
        assert steps < 40
    band.play(3.0)


def test_who_is_let_go_begins_before_who_is_only_held(finisher: Finisher, whole_note: NewNote):
    band = Band(finisher, [whole_note(pitch) for pitch in (50, 51, 52)])
    for listener in band.listeners.values():
        listener.position = round(2.9 * RATE_HZ)
    band.release(2)
    band.worker.step()
    assert [bool(listener.chunks) for listener in band.listeners.values()] == [False, False, True]


def test_a_stream_writes_no_further_ahead_than_a_hand_may_wait(finisher: Finisher, whole_note: NewNote):
    band = Band(finisher, [whole_note(57)])
    band.play(3.5)
    listener = band.listeners[0]
    assert listener.stream.chunk is not None
    ahead = listener.stream.chunk.edge - listener.position
    assert ahead < 0.012 * RATE_HZ + finisher.hop + BLOCK


def test_a_stream_that_was_ended_is_served_no_more(finisher: Finisher, whole_note: NewNote):
    band = Band(finisher, [whole_note(57), whole_note(60)])
    band.play(3.5)
    band.worker.end(0)
    band.worker.end(99)
    assert band.worker.get(0) is None
    chunk = band.listeners[0].stream.chunk
    assert chunk is not None
    edge = chunk.edge
    band.listeners[0].position += RATE_HZ
    band.worker.step()
    assert chunk.edge == edge


def test_the_same_voice_gives_the_same_walk(finisher: Finisher, whole_note: NewNote):
    takes = []
    for _ in range(2):
        band = Band(finisher, [whole_note(57)])
        band.play(5.0)
        takes.append(band.listeners[0].wave)
    np.testing.assert_array_equal(*takes)
