"""From frames to a playable note: in any slices, at any device rate, the same note at the same pitch and level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from synth_app.core.keys import NoteKey
from synth_app.core.units import pitch_to_hz
from synth_app.render.finish import FADE_IN_S, Finisher, decoding_factor
from synth_app.render.note import Note
from synth_app.spectral.codec import decode
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from tests.helpers.listen import cents_off, pitch_hz
from tests.unit.render.recording import Recording

NewNote = Callable[..., Note]


def _render(finisher: Finisher, generator: Recording, note: Note, *stops: int) -> Note:
    """Extend a note to each stop in turn, or by the finisher's own slices."""
    if stops:
        for stop in stops:
            finisher.extend(note, generator, stop)
    while note.next_frame < finisher.frames:
        finisher.extend(note, generator, finisher.next_stop(note))
    return note


@pytest.mark.parametrize(
    ("device_rate_hz", "factor"),
    [
        (16_000, 1),
        (32_000, 2),
        (48_000, 3),
        (96_000, 6),
        (44_100, 6),
        (88_200, 6),
        (22_050, 6),
        (192_000, 6),
        (8000, 6),
    ],
)
def test_notes_are_decoded_at_a_whole_multiple_of_the_models_rate(device_rate_hz: int, factor: int):
    assert decoding_factor(16_000, device_rate_hz) == factor


@pytest.mark.parametrize("convention", ["centred", "magenta"])
@pytest.mark.parametrize("stops", [(128,), (10, 128), (4, 5, 6, 7, 8, 9, 10, 30, 127), tuple(range(4, 128))])
def test_slices_are_the_whole_note(convention: PhaseConvention, stops: tuple[int, ...]):
    generator = Recording(convention)
    finisher = Finisher(generator.info, 48_000)

    def note() -> Note:
        return finisher.new_note(NoteKey("m", b"z", 57), np.zeros(4, np.float32))

    whole = _render(finisher, generator, note())
    cut = _render(finisher, generator, note(), *stops)
    assert cut.complete and whole.complete
    np.testing.assert_allclose(cut.audio, whole.audio, atol=2e-6)


@pytest.mark.parametrize("convention", ["centred", "magenta"])
def test_a_note_cut_down_to_its_first_slice_goes_on_as_if_nothing_had_been(convention: PhaseConvention):
    generator = Recording(convention)
    finisher = Finisher(generator.info, 48_000)
    whole = _render(finisher, generator, finisher.new_note(NoteKey("m", b"z", 57), np.zeros(4, np.float32)))
    stop = finisher.first_stop
    short = whole.shortened(stop, finisher.samples_after(stop))
    assert short.used_bytes <= finisher.slice_bytes(False) < whole.used_bytes / 15
    generator.asked.clear()
    again = _render(finisher, generator, short.lengthened())
    assert min(start for _, start, _ in generator.asked) == stop, "what was kept is not rendered again"
    assert again.complete
    assert again.used_bytes == whole.used_bytes
    np.testing.assert_allclose(again.audio, whole.audio, atol=2e-6)
    assert np.array_equal(again.log_mel, whole.log_mel)


def test_a_note_is_what_the_reference_decoder_makes_of_its_frames(
    finisher: Finisher, generator: Recording, new_note: NewNote
):
    note = _render(finisher, generator, new_note(57))
    frames = generator.render(note.latent[None], np.array([57]), 0, 128)
    kept = frames.log_mel[0].astype(np.float16), frames.inst_freq[0].astype(np.float16)
    truth = decode(kept[0].astype(float), kept[1].astype(float), "centred", SpectralConfig())
    fade = round(FADE_IN_S * 16_000)
    np.testing.assert_allclose(note.audio[::3][fade:63_000], truth[fade:63_000], atol=2e-3 * np.abs(truth).max())


@pytest.mark.parametrize("device_rate_hz", [16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("pitch", [36, 69, 84])
def test_pitch_and_level_are_those_of_the_model_at_every_rate(device_rate_hz: int, pitch: int):
    generator = Recording()
    finisher = Finisher(generator.info, device_rate_hz)
    reference = Finisher(generator.info, 16_000)
    notes = [
        _render(f, generator, f.new_note(NoteKey("m", b"z", pitch), np.zeros(4, np.float32)), 40)
        for f in (finisher, reference)
    ]
    held = notes[0].audio[finisher.rate_hz // 4 : finisher.rate_hz // 2].astype(float)
    assert abs(cents_off(pitch_hz(held, finisher.rate_hz), pitch_to_hz(pitch))) < 1.0
    at_16_khz = notes[1].audio[4000:8000].astype(float)
    assert np.sqrt(np.mean(held**2)) == pytest.approx(np.sqrt(np.mean(at_16_khz**2)), rel=0.01)


def test_what_is_available_never_changes_afterwards(finisher: Finisher, generator: Recording, new_note: NewNote):
    """The mixer reads behind the edge while the render thread writes before it."""
    note = new_note()
    seen = np.zeros(0, np.float32)
    while not note.complete:
        finisher.extend(note, generator, finisher.next_stop(note))
        np.testing.assert_array_equal(note.audio[: len(seen)], seen)
        assert note.available > len(seen)
        seen = note.audio[: note.available].copy()
    assert note.available == finisher.samples == len(note.audio) == 192_000
    assert note.decoder is None, "a whole note carries no decoder"


def test_the_first_slice_is_128_ms_of_sound(finisher: Finisher, generator: Recording, new_note: NewNote):
    note = new_note()
    finisher.extend(note, generator, finisher.next_stop(note))
    assert generator.asked == [(60, 3, 10)], "the padding is never rendered"
    assert note.available == round(0.128 * 48_000)
    assert note.available == finisher.samples_after(finisher.first_stop)


def test_magentas_phase_runs_through_the_padding():
    generator = Recording("magenta")
    finisher = Finisher(generator.info, 48_000)
    note = finisher.new_note(NoteKey("m", b"z", 60), np.zeros(4, np.float32))
    finisher.extend(note, generator, finisher.next_stop(note))
    assert generator.asked == [(60, 0, 10)]
    assert note.available == round(0.128 * 48_000)


def test_slices_grow_and_cover_every_frame_once(finisher: Finisher, generator: Recording, new_note: NewNote):
    _render(finisher, generator, new_note())
    starts = [start for _, start, _ in generator.asked]
    stops = [stop for _, _, stop in generator.asked]
    assert starts == [3, *stops[:-1]]
    assert stops[-1] == 128
    sizes = np.array(stops) - starts
    assert np.all(np.diff(sizes[:-1]) >= 0)


def test_the_edge_of_the_attack_is_taken_off(finisher: Finisher, generator: Recording, new_note: NewNote):
    note = _render(finisher, generator, new_note(69), 10)
    fade = round(FADE_IN_S * 48_000)
    assert note.audio[0] == 0.0
    assert np.abs(note.audio[: fade // 8]).max() < 0.2 * np.abs(note.audio[fade : 4 * fade]).max()


@pytest.mark.parametrize("device_rate_hz", [16_000, 48_000, 96_000])
def test_frames_and_samples_agree(device_rate_hz: int):
    """As many frames as ``frame_of_sample`` says are enough for the sample, and not many more than needed."""
    generator = Recording()
    finisher = Finisher(generator.info, device_rate_hz)
    for sample in (0, 1, 100, 5000, 6143, 6144, 6145, 50_000, finisher.samples - 1, finisher.samples + 10**6):
        frames = finisher.frame_of_sample(sample)
        assert finisher.first_stop <= frames <= finisher.frames
        if frames < finisher.frames:
            assert finisher.samples_after(frames) > sample + 3
        if frames > finisher.first_stop and frames < finisher.frames:
            assert finisher.samples_after(frames - 2) <= sample


def test_frames_that_are_there_are_not_rendered_again(finisher: Finisher, generator: Recording, new_note: NewNote):
    note = new_note()
    finisher.fetch(note, generator, 50, 60)
    finisher.fetch(note, generator, 50, 60)
    assert generator.asked == [(60, 50, 60)]
    kept = note.log_mel[50:60].copy()
    finisher.fetch(note, generator, 45, 62)
    assert generator.asked[-1] == (60, 45, 62)
    np.testing.assert_array_equal(note.log_mel[50:60], kept)
    assert note.has(45, 62)
    assert note.kept == 17
    finisher.extend(note, generator, 62)
    assert generator.asked[-1] == (60, 3, 45)
    assert note.available == finisher.samples_after(62)


@pytest.mark.parametrize("convention", ["centred", "magenta"])
@pytest.mark.parametrize("frame", [7, 10, 41, 96])
def test_a_decoder_can_go_on_from_any_frame(convention: PhaseConvention, frame: int):
    generator = Recording(convention)
    finisher = Finisher(generator.info, 48_000)
    note = _render(finisher, generator, finisher.new_note(NoteKey("m", b"z", 64), np.zeros(4, np.float32)))
    decoder, before = finisher.decoder_at(note, frame)
    at = (frame - finisher.lead_frames) * finisher.hop
    scale = np.abs(note.audio).max()
    if at >= finisher.hop:
        np.testing.assert_allclose(before[-100:], note.audio[at - 100 : at], atol=1e-5 * scale)
    after = decoder.push(*note.picture(frame, frame + 4))
    fade = max(0, round(FADE_IN_S * 48_000) - at)
    np.testing.assert_allclose(after[fade:], note.audio[at : at + 4 * finisher.hop][fade:], atol=1e-5 * scale)


def test_the_memory_of_a_note_is_what_it_takes(finisher: Finisher, generator: Recording, new_note: NewNote):
    note = new_note()
    assert note.used_bytes == 0
    finisher.extend(note, generator, 10)
    first = note.used_bytes
    _render(finisher, generator, note)
    assert first < note.used_bytes / 10
    assert finisher.slice_bytes(whole=True) == pytest.approx(note.used_bytes, rel=0.05)
    assert finisher.slice_bytes(whole=False) == pytest.approx(first, rel=0.5)


def test_warming_up_renders_one_slice_for_nobody(finisher: Finisher, generator: Recording):
    finisher.warm_up(generator)
    assert generator.asked == [(24, 3, 10)]
