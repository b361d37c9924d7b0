"""Data sets: what is let in, how it is levelled and divided, and that a build goes on."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from synth_app.core.errors import FileFormatError, SettingsError
from synth_app.training import data
from synth_app.training.data import (
    BuildOptions,
    Dataset,
    build_dataset,
    good_note,
    normalise_loudness,
    timbre_distance_db,
)
from synth_app.training.instruments import Instrument, by_rule, curated
from synth_app.training.pitch import hz_of, read_mean, read_near, read_pitch
from synth_app.training.procedural import patches
from synth_app.training.soundfont import Preset, SoundfontRenderer, list_presets
from synth_app.training.sources import SoundfontInstrument, nsynth_instruments, wave_folder_instruments

from .conftest import RATE, tone


@pytest.mark.parametrize("pitch", [24, 36, 48, 60, 72, 84])
def test_the_pitch_of_a_tone_is_read_within_two_cents(pitch: int) -> None:
    wave = tone(pitch, (1.0, 0.5, 0.3))
    for reading in (read_pitch(wave), read_near(wave, pitch)):
        assert abs(reading.cents_from(pitch)) < 2.0
        assert reading.clarity > 0.95


def test_the_first_octave_is_told_from_the_second() -> None:
    assert read_pitch(tone(60, (1.0, 0.1))).pitch == pytest.approx(60, abs=0.05)
    assert read_pitch(tone(72, (1.0, 0.1))).pitch == pytest.approx(72, abs=0.05)


def test_only_notes_that_sound_in_tune_are_let_in() -> None:
    assert good_note(tone(60, (1.0, 0.5)), 60) is not None
    assert good_note(np.zeros(64_000, np.float32), 60) is None
    noise = np.random.default_rng(0).standard_normal(64_000).astype(np.float32)
    assert good_note(0.1 * noise, 60) is None
    flat = tone(60, (1.0,))[: int(64_000 / 1.03)]
    stretched = np.interp(np.arange(64_000) / 1.03, np.arange(len(flat)), flat).astype(np.float32)
    assert good_note(stretched, 60) is None


def test_an_octave_stop_is_not_out_of_tune() -> None:
    wave = tone(48, (0.7, 1.0)) + tone(60, (1.0, 0.4))
    assert good_note(wave, 60) is not None


class OutOfTune:
    """A soundfont whose notes are flat, and begin flatter still, as a brass player's may."""

    name = "flat.sf2"

    def render(self, bank: int, program: int, pitch: int, velocity: int, cents: float = 0.0) -> NDArray[np.float32]:
        time = np.arange(64_000) / RATE
        off = cents - 18.0 - 30.0 * np.exp(-time / 0.1)
        phase = 2.0 * np.pi * np.cumsum(hz_of(pitch) * 2.0 ** (off / 1200.0)) / RATE
        return np.asarray(0.2 * (np.sin(phase) + 0.4 * np.sin(2.0 * phase)) * np.clip(4.0 - time, 0.0, 1.0), np.float32)


@pytest.mark.parametrize("keep_tuning", [False, True])
def test_a_soundfont_is_brought_in_tune_where_its_notes_arrive(
    keep_tuning: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SoundfontInstrument(OutOfTune(), Instrument(0, 56, "Trumpet", "brass"), (100,))  # type: ignore[arg-type]
    monkeypatch.setattr(data, "_sources", lambda *_: [source])
    options = BuildOptions(tmp_path / "data", soundfonts=(tmp_path / "flat.sf2",), keep_tuning=keep_tuning)
    (entry,) = build_dataset(options).instruments
    waves = Dataset.open(tmp_path / "data").waves(entry).astype(np.float32) / 32_767.0
    arrived = [
        read_near(wave[16_000:], note.pitch).cents_from(note.pitch)
        for wave, note in zip(waves, entry.notes, strict=True)
    ]
    assert np.median(arrived) == pytest.approx(-18.0 if keep_tuning else 1.5, abs=1.5)
    assert len(entry.notes) == 61, "and the same notes are let in either way"


def test_a_tone_is_in_tune_on_the_whole() -> None:
    assert read_mean(tone(60, (1.0, 0.5)), 60) == pytest.approx(0.0, abs=1.0)
    assert read_mean(np.zeros(64_000, np.float32), 60) == 0.0


def test_loudness_is_one_tenth_unless_the_peak_forbids() -> None:
    levelled = normalise_loudness(tone(60, (1.0,)) * 0.01)
    assert np.sqrt(np.mean(levelled[:32_000] ** 2)) == pytest.approx(0.1, rel=1e-3)
    click = np.zeros(64_000, np.float32)
    click[:20] = 0.5
    assert np.abs(normalise_loudness(click)).max() == pytest.approx(0.9, rel=1e-3)
    assert not normalise_loudness(np.zeros(64_000, np.float32)).any()


def test_timbres_are_apart_and_a_timbre_is_not_apart_from_itself() -> None:
    dull, bright = tone(60, (1.0,)), tone(60, (0.5, 0.5, 0.5, 0.5))
    assert timbre_distance_db(dull, dull) == 0.0
    assert timbre_distance_db(dull, bright) > 1.7


def test_a_build_divides_notes_and_says_where_they_lie(dataset: Dataset) -> None:
    assert [entry.name for entry in dataset.instruments] == ["bright", "dull"]
    for entry in dataset.instruments:
        waves = dataset.waves(entry)
        assert waves.dtype == np.int16 and waves.shape == (26, 64_000)
        assert sum(note.held_out for note in entry.notes) == 4
        assert all(abs(note.cents) < 5 for note in entry.notes)
        rms = np.sqrt(np.mean((waves[:, :32_000] / 32_767.0) ** 2, axis=1))
        assert np.allclose(rms, 0.1, atol=2e-3)
    assert dataset.named(["dull"]).instruments == dataset.instruments[1:]


def test_an_interrupted_build_goes_on_and_gives_the_same(dataset: Dataset, tmp_path: Path) -> None:
    waves = dataset.root.parent / "waves"
    options = BuildOptions(out_dir=tmp_path / "data", wave_folders=(waves,), held_out_instruments=())
    build_dataset(options)
    (tmp_path / "data" / "dataset.json").unlink()
    (tmp_path / "data" / "001-dull" / "notes.json").unlink()
    kept = (tmp_path / "data" / "000-bright" / "wave.npy").stat().st_mtime_ns
    again = build_dataset(options)
    assert (tmp_path / "data" / "000-bright" / "wave.npy").stat().st_mtime_ns == kept
    assert again.instruments == dataset.instruments


def test_a_folder_is_not_filled_with_two_different_builds(dataset: Dataset) -> None:
    waves = dataset.root.parent / "waves"
    with pytest.raises(SettingsError, match="other options"):
        build_dataset(BuildOptions(out_dir=dataset.root, wave_folders=(waves,), held_out_instruments=(), seed=2))


def test_a_folder_without_a_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="build it first"):
        Dataset.open(tmp_path)


def test_wave_names_say_pitch_and_velocity(tmp_path: Path) -> None:
    for name in ("C4.wav", "f#3 v90.wav", "piano-060-v40.wav", "Bb2.wav", "readme.wav", "C9.wav"):
        wavfile.write(tmp_path / name, RATE, np.zeros(100, np.int16))
    (instrument,) = wave_folder_instruments(tmp_path)
    assert sorted(note[:2] for note in instrument.files) == [(46, 100), (54, 90), (60, 40), (60, 100)]


def test_nsynth_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    entry = {"pitch": 60, "velocity": 75, "instrument_str": "organ_1", "instrument_family_str": "organ"}
    examples = {"organ_1-060-075": entry, "organ_1-010-075": entry | {"pitch": 10}}
    (tmp_path / "examples.json").write_text(json.dumps(examples))
    wavfile.write(tmp_path / "audio" / "organ_1-060-075.wav", RATE, (tone(60, (1.0,)) * 32_767).astype(np.int16))
    (instrument,) = nsynth_instruments(tmp_path)
    (note,) = instrument.notes()
    assert (instrument.name, instrument.family, note.pitch, note.velocity) == ("organ_1", "organ", 60, 75)
    assert read_pitch(note.wave).pitch == pytest.approx(60, abs=0.05)


def test_the_curated_choice_has_unique_names_and_rules_keep_drums_out() -> None:
    chosen = curated()
    assert len(chosen) >= 64
    assert len({entry.name for entry in chosen}) == len(chosen)
    presets = [Preset(0, 0, "Piano"), Preset(8, 0, "Piano"), Preset(128, 0, "Kit"), Preset(0, 127, "Gun Shot")]
    assert [(entry.name, entry.family) for entry in by_rule(presets)] == [("Piano", "piano"), ("Piano 8-0", "piano")]


def test_what_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.sf2"
    path.write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(FileFormatError, match="not a soundfont"):
        list_presets(path)


def test_without_the_fluidsynth_library_the_player_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(SettingsError, match="libfluidsynth3"):
        SoundfontRenderer(tmp_path / "any.sf2")


def test_presets_are_found_behind_an_odd_chunk_without_its_pad(tmp_path: Path) -> None:
    record = b"Lonely Flute".ljust(20, b"\0") + (73).to_bytes(2, "little") + (8).to_bytes(2, "little") + bytes(14)
    headers = record + b"EOP".ljust(38, b"\0")
    pdta = b"pdta" + b"phdr" + len(headers).to_bytes(4, "little") + headers
    sdta = b"sdta" + b"odd"
    body = b"".join(b"LIST" + len(part).to_bytes(4, "little") + part for part in (sdta, pdta))
    path = tmp_path / "tiny.sf3"
    path.write_bytes(b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"sfbk" + body)
    assert list_presets(path) == [Preset(8, 73, "Lonely Flute")]


def test_made_up_instruments_are_in_tune_and_do_not_alias() -> None:
    found = patches()
    assert len(found) >= 25 and len({patch.name for patch in found}) == len(found)
    for patch in found[::5]:
        wave = patch.render(67)
        quality = good_note(wave, 67)
        assert quality is not None and abs(quality[0]) < 5.0, patch.name
        assert np.abs(wave[-1]) < 1e-3 * np.abs(wave).max()
    steady = patches()[0].render(84)[8_000:24_000].astype(np.float64)
    level = np.abs(np.fft.rfft(steady * np.blackman(len(steady))))
    between = level[np.abs((np.arange(len(level)) / hz_of(84)) % 1.0 - 0.5) < 0.4]
    assert between.max() < 1e-3 * level.max()
