"""What the worker is told to do: the needs of voices, the hands' neighbourhood, little while a slider moves."""

from __future__ import annotations

import numpy as np

from synth_app.core.events import SetMorph
from synth_app.engine.planning import AT_REST_NS, FOLLOW_AT_ONCE, PORTION
from synth_app.render.board import Demand
from synth_app.render.ports import SpectralFrames
from tests.helpers.sine_generator import SineGenerator
from tests.unit.engine.rig import Rig, palette
from tests.unit.render.recording import Recording

KEYS = 61
MS = 1_000_000


def _ahead(rig: Rig) -> list[Demand]:
    return list(rig.core.board._ahead)


def _urgent(rig: Rig) -> list[Demand]:
    return list(rig.core.board._urgent)


def _live(**options: float) -> Rig:
    return Rig(live=True, slices_a_block=0.0, **options)  # type: ignore[arg-type]


def test_at_the_start_the_whole_keyboard_is_wished():
    rig = _live()
    rig.step()
    first = [d for d in _ahead(rig) if d.stop == 10]
    assert {d.note.key.pitch for d in first} == set(range(24, 85))
    assert any(d.stop == 128 for d in _ahead(rig))


def test_offline_nothing_is_wished_that_nobody_played():
    rig = Rig(live=False, slices_a_block=0.0)
    rig.on(60)
    rig.step()
    assert _ahead(rig) == []
    assert {d.note.key.pitch for d in _urgent(rig)} == {60}


def test_fast_playing_does_not_keep_the_rest_of_the_keyboard_cold():
    """Every stroke used to replace the plan by a small one, as if the timbre were moving."""
    rig = _live()
    rig.step()
    for number in range(12):
        rig.on(60 + number % 3)
        rig.run(0.1)
        assert len({d.note.key.pitch for d in _ahead(rig)}) == KEYS


def test_while_the_timbre_moves_plans_are_small_and_once_it_rests_whole():
    rig = _live()
    rig.step()
    rig.run(0.3)
    for number in range(1, 15):
        rig.do(SetMorph(rig.now_ns, (1.0 - number / 20, number / 20)))
        rig.run(0.03)
    keys = {d.note.key.latent_key for d in _ahead(rig)}
    assert len(_ahead(rig)) < 60
    assert rig.voices == ()
    rig.run(2.5 * AT_REST_NS * 1e-9)
    assert len({d.note.key.pitch for d in _ahead(rig)}) == KEYS
    assert any(d.stop == 128 for d in _ahead(rig))
    assert {d.note.key.latent_key for d in _ahead(rig)} & keys


def test_a_slider_that_moves_for_a_minute_leaves_no_wishes_behind():
    rig = Rig(palette("Plain", "Soft", "Loud"), live=True, slices_a_block=0.0, block=960)
    rng = np.random.default_rng(1)
    most = 0
    for _ in range(600):
        weights = rng.dirichlet(np.ones(3))
        rig.do(SetMorph(rig.now_ns, tuple(float(w) for w in weights)))
        rig.step()
        most = max(most, len(rig.control.cache))
    assert most < 3000, "half a second's wishes at most"
    rig.run(1.0)
    rig.on(60)
    rig.run(1.0)
    assert len(rig.control.cache) < 500


def test_plans_are_spaced_however_fast_a_slider_moves():
    rig = Rig(live=True, slices_a_block=0.0, block=64)
    rig.run(0.5)
    before = rig.control.cache.round
    for number in range(375):  # half a second, a new place every 1.3 ms
        rig.do(SetMorph(rig.now_ns, (1.0 - number / 400, number / 400)))
        rig.step()
    assert rig.control.cache.round - before <= 27


def test_a_late_note_that_has_begun_is_provided_for_to_its_end():
    """Its voice used to stay on the board as one that waits, until something else happened."""
    rig = _live()
    rig.on(60)
    rig.step()
    rig.slices_a_block = 1.0
    rig.step()
    rig.step()
    rig.slices_a_block = 0.0
    rig.step()
    assert rig.voices[0].slot >= 0
    frames = [(d.start, d.stop) for d in _urgent(rig) if not d.audio]
    assert frames, "the frames of its sustain and release"
    assert max(stop for _, stop in frames) == 128


def test_a_dying_voice_needs_nothing_any_more():
    from synth_app.core.events import Panic

    rig = _live()
    rig.prepare([60], whole=False)
    rig.on(60)
    rig.step()
    assert _urgent(rig)
    rig.do(Panic(rig.now_ns))
    rig.control.step(rig.now_ns, rig.inbox.take(0.0))
    assert _urgent(rig) == []


def test_the_share_of_warm_keys():
    rig = _live()
    assert rig.control.warm_share(0) == 0.0
    rig.prepare(range(24, 24 + 30), whole=False)
    assert rig.control.warm_share(300 * MS) == 30 / KEYS
    assert rig.control.warm_share(301 * MS) == 30 / KEYS


def test_wishes_are_published_a_portion_at_a_time_until_everything_is_warm():
    """Four velocity zones of whole notes are hundreds of wishes: too many to look through at every stroke."""
    rig = _live(generator=SilentGenerator(), block=480)
    rig.step()
    assert len(_ahead(rig)) == PORTION
    rig.slices_a_block = 8.0
    for _ in range(200):
        rig.step()
        assert len(_ahead(rig)) <= PORTION
        if not _ahead(rig):
            break
    notes = [n for n in rig.control.cache if n.complete]
    assert {note.key.pitch for note in notes} == set(range(24, 85)), "the whole keyboard, and whole"
    assert rig.core.board.next() is None
    assert rig.control.warm_share(10**12) == 1.0


def test_when_everything_is_warm_a_stroke_asks_for_nothing_ahead():
    rig = _live(generator=SilentGenerator(), block=480)
    rig.slices_a_block = 8.0
    for _ in range(200):
        rig.step()
    rig.slices_a_block = 0.0
    rig.on(50)
    rig.run(0.3)
    assert _ahead(rig) == []


class SilentGenerator(SineGenerator):
    """A generator whose notes cost next to nothing."""

    def render(self, latents, pitches, start_frame, stop_frame):
        shape = (len(pitches), stop_frame - start_frame, 1024)
        return SpectralFrames(np.full(shape, -13.8, np.float32), np.zeros(shape, np.float32))


def test_under_a_moved_slider_every_voice_of_a_chord_gets_a_few_frames_before_any_gets_more():
    generator, pitches = Recording(), [48, 52, 55, 60, 64, 67, 72, 76]
    rig = Rig(live=True, slices_a_block=0.0, generator=generator)
    rig.prepare(pitches)
    rig.on(*pitches)
    rig.run(0.3)
    generator.asked.clear()
    rig.morph(0.0, 1.0)
    rig.slices_a_block = 1.0
    while len(generator.asked) < len(pitches):
        rig.step()
    asked = generator.asked[: len(pitches)]
    assert sorted(pitch for pitch, _, _ in asked) == pitches
    assert {stop - start for _, start, stop in asked} == {FOLLOW_AT_ONCE}
    rig.run(0.5)
    assert rig.core.streams.held == rig.memory.state[0]["starved"] == 0
