"""Which instruments a data set lists: no sound twice, families alike, and lists that share notes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from synth_app.core.errors import SettingsError
from synth_app.training.data import BuildOptions, Dataset, InstrumentEntry, build_dataset, take_from
from synth_app.training.feed import NoteFeed
from synth_app.training.instruments import by_rule, curated
from synth_app.training.listing import balanced, brightness_semitones
from synth_app.training.procedural import patches
from synth_app.training.soundfont import Preset

from .conftest import RATE, tone


def entry(name: str, family: str, held_out: bool = False) -> InstrumentEntry:
    return InstrumentEntry(name, family, "", f"folder-{name}", (112,), held_out, ())


def test_a_first_choice_takes_from_every_family_in_turn() -> None:
    entries = [entry(name, family) for name, family in zip("abcdef", ("x", "x", "x", "y", "z", "z"), strict=True)]
    entries.insert(0, entry("hidden", "x", held_out=True))
    names = ["".join(one.name for one in balanced(entries, count) if not one.held_out) for count in (1, 3, 5, 0)]
    assert names == ["a", "ade", "abdef", "abcdef"]
    assert all(balanced(entries, count)[0].name == "hidden" for count in (1, 3, 0))


def test_the_same_sound_is_listed_once(tmp_path: Path) -> None:
    for name, partials in (("first", (1.0, 0.5)), ("twin", (1.0, 0.5)), ("other", (0.2, 0.3, 0.5, 0.8))):
        folder = tmp_path / "waves" / name
        folder.mkdir(parents=True)
        for pitch in range(44, 77):
            samples = (tone(pitch, partials) * 32_767).astype(np.int16)
            wavfile.write(folder / f"note-{pitch:03d}.wav", RATE, samples)
    built = build_dataset(BuildOptions(tmp_path / "data", wave_folders=(tmp_path / "waves",)))
    assert [one.name for one in built.instruments] == ["first", "other"]
    assert "2 instruments" in built.summary
    fewer = build_dataset(BuildOptions(tmp_path / "data", wave_folders=(tmp_path / "waves",), instruments=1))
    assert [one.name for one in fewer.instruments] == ["first"]


def test_a_list_of_another_data_set_reads_its_notes(dataset: Dataset, tmp_path: Path) -> None:
    part = take_from(dataset.root, tmp_path / "part", 1)
    assert [one.name for one in part.instruments] == ["bright"]
    assert np.array_equal(part.waves(part.instruments[0]), dataset.waves(dataset.instruments[0]))
    assert len(NoteFeed(Dataset.open(tmp_path / "part"))) == 22
    assert part.sources == dataset.sources
    with pytest.raises(SettingsError, match="notes of its own"):
        take_from(dataset.root, dataset.root, 1)


def test_a_general_midi_soundfont_gets_the_curated_names() -> None:
    presets = [Preset(one.bank, one.program, f"x {one.program}") for one in curated()]
    more = [*presets, Preset(8, 107, "Taisho Koto"), Preset(128, 0, "Drums")]
    assert [one.name for one in by_rule(more)] == [one.name for one in curated()] + ["Taisho Koto"]
    assert [one.name for one in by_rule([Preset(0, 0, "My Cello")])] == ["My Cello"]


def test_made_up_instruments_darken_under_a_soft_touch() -> None:
    touched = [patch for patch in patches() if patch.touch > 0.0]
    assert len(patches()) >= 25 and len(touched) >= 15
    for patch in touched[::4]:
        assert brightness_semitones(patch.render(48)) > brightness_semitones(patch.render(48, 45)) + 0.3, patch.name
