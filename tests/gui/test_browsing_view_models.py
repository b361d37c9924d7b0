"""Timbre library, inventions, preset shelf, rainbowgram and settings, without widgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth_app.core.errors import PresetError
from synth_app.core.units import pitch_to_hz
from synth_app.timbre.patch import PatchAnchor
from synth_app.ui.settings import PanelSettings
from synth_app.ui.theme import DARK, LIGHT
from synth_app.ui.view_models.invention import (
    captured,
    fresh_name,
    layers_from,
    layers_of,
    moved,
    mutated,
    random_layers,
)
from synth_app.ui.view_models.library import TimbreLibrary, orders
from synth_app.ui.view_models.presets import PresetShelf
from synth_app.ui.view_models.spectrum import (
    FFT_SAMPLES,
    HUES,
    LEVELS,
    RainbowModel,
    SampleTape,
    rainbow_table,
    row_of_pitch,
    scope_window,
)
from tests.gui.fake_instrument import FakeInstrument, make_anchors


@pytest.fixture
def library() -> TimbreLibrary:
    return TimbreLibrary(make_anchors(), frozenset({"Choir"}), {"Oboe": ("nasal",)})


def names(rows: list) -> list[str]:
    return [row.anchor.name for row in rows]


def test_search_looks_at_names_families_tags_and_what_is_heard(library: TimbreLibrary) -> None:
    assert names(library.rows("cello")) == ["Cello"]
    assert set(names(library.rows("brass"))) == {"Trumpet", "French Horn"}
    assert names(library.rows("nasal")) == ["Oboe"]
    assert "Harpsichord" in names(library.rows("bright sharp"))
    assert "French Horn" not in names(library.rows("bright"))
    assert library.rows("no such thing") == []


def test_filters_by_family_and_star(library: TimbreLibrary) -> None:
    assert set(names(library.rows(family="Strings"))) == {"Cello", "Violin", "Pizzicato"}
    assert names(library.rows(only_favourites=True)) == ["Choir"]
    assert library.toggle_favourite("Choir") is False
    assert library.rows(only_favourites=True) == []


def test_orders_come_from_the_descriptors_there_are(library: TimbreLibrary) -> None:
    brightest = next(o for o in orders(library.anchors) if o.key == "brightness_hz" and o.falling)
    assert names(library.rows(order=brightest))[0] == "Harpsichord"
    softest = next(o for o in orders(library.anchors) if o.key == "attack_ms" and o.falling)
    assert names(library.rows(order=softest))[0] == "Choir"
    assert {o.key for o in orders(())} == {"family", "name"}


def test_more_like_this_begins_with_itself(library: TimbreLibrary) -> None:
    rows = names(library.rows(like="Marimba"))
    assert rows[0] == "Marimba" and len(rows) == len(library.anchors)


def test_tags_can_be_given(library: TimbreLibrary) -> None:
    library.set_tags("Flute", ("breathy", ""))
    assert names(library.rows("breathy")) == ["Flute"]
    assert library.tags["Flute"] == ("breathy",)


def test_capture_on_an_anchor_is_that_anchor() -> None:
    anchors = make_anchors()
    placed = [PatchAnchor("Cello", 0, 0, 1.0), PatchAnchor("Grand Piano", 1, 1, 0.0)]
    layers = captured(placed, anchors, (1.0, 0.0))
    assert [velocity for velocity, _ in layers] == [96]
    np.testing.assert_allclose(layers[0][1], layers_from(anchors[5])[0][1], rtol=1e-5)


def test_capture_keeps_every_velocity_that_matters() -> None:
    anchors = make_anchors()
    placed = [PatchAnchor("Cello", 0, 0, 0.5), PatchAnchor("Grand Piano", 1, 1, 0.5)]
    layers = captured(placed, anchors, (0.5, 0.5))
    assert [velocity for velocity, _ in layers] == [50, 96, 110]
    lengths = [np.linalg.norm(latent) for _, latent in layers]
    assert min(lengths) > 0.8 * np.linalg.norm(anchors[5].layers[0].latent)
    assert captured([PatchAnchor("Nobody", 0, 0, 1.0)], anchors, (1.0,)) == ()


def test_an_anchor_with_latents_of_its_own_needs_no_model() -> None:
    own = PatchAnchor("Mine", 0, 0, 1.0, ((64, (1.0, 2.0)),))
    assert layers_of(own, ()) == ((64, (1.0, 2.0)),)


def test_random_draws_repeat_with_their_seed_and_keep_a_plausible_length() -> None:
    anchors = make_anchors()
    one, again = (random_layers(anchors, np.random.default_rng(3)) for _ in range(2))
    other = random_layers(anchors, np.random.default_rng(4))
    assert one == again and one != other
    usual = [np.linalg.norm(anchor.layers[0].latent) for anchor in anchors]
    assert 0.6 * min(usual) < np.linalg.norm(one[0][1]) < 1.4 * max(usual)


def test_a_mutation_keeps_its_length_and_moves_a_little() -> None:
    layers = layers_from(make_anchors()[0])
    child = mutated(layers, np.random.default_rng(9), amount=0.3)
    for (velocity, before), (same, after) in zip(layers, child, strict=True):
        assert velocity == same
        assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before), rel=1e-4)
        cosine = np.dot(before, after) / np.linalg.norm(before) ** 2
        assert 0.85 < cosine < 0.999
    assert mutated((), np.random.default_rng(1)) == ()


def test_named_directions_have_their_door() -> None:
    assert moved(((64, (1.0, 2.0)),), np.array([0.5, -1.0])) == ((64, (1.5, 1.0)),)


def test_fresh_names() -> None:
    assert fresh_name("A", ["B"]) == "A"
    assert fresh_name("A", ["A", "A 2"]) == "A 3"


@pytest.fixture
def shelf(fake: FakeInstrument) -> PresetShelf:
    return PresetShelf(fake)


def row(shelf: PresetShelf, name: str):
    return next(row for row in shelf.rows() if row.name == name)


def path_of(shelf: PresetShelf, name: str) -> Path:
    return row(shelf, name).path


def test_the_shelf_knows_factory_from_own_and_finds_by_words(shelf: PresetShelf) -> None:
    assert row(shelf, "Welcome").factory and not row(shelf, "Night Bus").factory
    assert shelf.folders == ("Factory", "My presets")
    assert [r.name for r in shelf.rows("ada")] == ["Night Bus"]
    assert [r.name for r in shelf.rows(tag="airy")] == ["Glass Choir"]
    assert [r.name for r in shelf.rows(folder="My presets")] == ["Night Bus"]
    assert "dark" in shelf.tags


def test_own_folders_are_shown_by_name(shelf: PresetShelf, fake: FakeInstrument) -> None:
    fake.save_preset(fake.patch, fake.preset_folder / "Pads" / "Soft.toml")
    shelf.refresh()
    assert "My presets · Pads" in shelf.folders
    assert shelf.own_folders == ("Pads",)
    factory = path_of(shelf, "Welcome").parent
    fake.save_preset(fake.patch, factory / "Winds" / "Reed.toml")
    shelf.refresh()
    assert {"Factory", "Factory · Winds"} <= set(shelf.folders)


def test_a_damaged_preset_is_shown_with_its_trouble(shelf: PresetShelf, fake: FakeInstrument) -> None:
    (fake.preset_folder / "Broken.toml").write_text("{")
    shelf.refresh()
    broken = row(shelf, "Broken")
    assert "not a preset" in broken.trouble
    assert shelf.neighbour(broken.path, 1) is not None, "stepping goes round it"


def test_rename_keeps_the_star_and_refuses_taken_names(shelf: PresetShelf) -> None:
    shelf.toggle_favourite(row(shelf, "Night Bus").path)
    target = shelf.rename(row(shelf, "Night Bus"), "Morning Bus")
    assert target.stem == "Morning Bus" and row(shelf, "Morning Bus").favourite
    assert all(r.name != "Night Bus" for r in shelf.rows())
    with pytest.raises(PresetError, match="already"):
        shelf.rename(row(shelf, "Morning Bus"), "welcome")
    with pytest.raises(PresetError, match="needs a name"):
        shelf.rename(row(shelf, "Morning Bus"), "  ")


def test_factory_presets_stay(shelf: PresetShelf) -> None:
    with pytest.raises(PresetError, match="duplicate"):
        shelf.rename(row(shelf, "Welcome"), "Mine now")
    with pytest.raises(PresetError, match="duplicate"):
        shelf.delete(row(shelf, "Welcome"))
    copy = shelf.duplicate(row(shelf, "Welcome"))
    assert copy.exists() and not row(shelf, "Welcome 2").factory


def test_delete_goes_to_the_bin_and_comes_back(shelf: PresetShelf) -> None:
    path = row(shelf, "Night Bus").path
    binned = shelf.delete(row(shelf, "Night Bus"))
    assert not path.exists() and binned.exists()
    shelf.restore(binned)
    assert row(shelf, "Night Bus").author == "Ada"


def test_export_and_import_make_a_copy(shelf: PresetShelf, tmp_path: Path) -> None:
    target = shelf.export_file(row(shelf, "Night Bus"), tmp_path / "out.toml")
    shelf.import_file(target)
    assert row(shelf, "Night Bus 2").author == "Ada"
    (tmp_path / "song.mid").write_bytes(b"MThd")
    with pytest.raises(PresetError):
        shelf.import_file(tmp_path / "song.mid")


def test_stepping_goes_round(shelf: PresetShelf) -> None:
    rows = shelf.rows()
    assert shelf.neighbour(rows[-1].path, 1).path == rows[0].path
    assert shelf.neighbour(rows[0].path, -1).path == rows[-1].path
    assert shelf.neighbour(None, 1).path == rows[0].path


def test_the_tape_splices_overlapping_snapshots() -> None:
    tape, wave = SampleTape(1000), np.arange(5000, dtype=np.float32)
    tape.add(wave[:400], 400)
    assert tape.add(wave[200:700], 700) == 300
    np.testing.assert_array_equal(tape.samples[-700:], wave[:700])
    assert tape.add(wave[200:700], 700) == 0
    tape.add(wave[1000:1100], 1100)
    np.testing.assert_array_equal(tape.samples[-400:-100], 0.0), "what was missed reads as silence"


def tone(hz: float, count: int, rate_hz: int = 48000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(count) / rate_hz)).astype(np.float32)


def seen(points: np.ndarray) -> np.ndarray:
    """What the dark look shows of them."""
    return rainbow_table()[points].astype(int)


def test_the_rainbowgram_is_bright_at_the_pitch_that_sounds() -> None:
    model = RainbowModel(rows=200, rate_hz=48000)
    columns = seen(model.add(tone(pitch_to_hz(69), 12000), 12000))
    assert columns.shape[0] == 200 and columns.shape[1] >= 10
    brightness = columns[:, -1].sum(axis=1)
    assert abs(int(np.argmax(brightness)) - row_of_pitch(69, 200)) <= 2
    assert brightness.max() > 500 and np.median(brightness) < 60


def test_a_gap_in_the_samples_is_no_flash() -> None:
    model, wave = RainbowModel(rows=200, rate_hz=48000), tone(440.0, 60000)
    calm = seen(model.add(wave[:12000], 12000)[:, -1:])
    after = seen(model.add(wave[30000 : 30000 + 4096], 34096))
    assert after.shape[1] == 27, "time goes on"
    assert np.abs(after - calm).max() < 60, "and no column shows the splice"
    torn = seen(model.add(wave[40000:40010], 60000))
    assert torn.shape[1] == 30 and np.abs(torn - calm).max() < 60, "half a second at most, nothing new to see"


def test_the_rainbowgrams_colour_is_the_tuning_not_the_note() -> None:
    def colour(pitch: float) -> np.ndarray:
        model = RainbowModel(rows=200, rate_hz=48000)
        column = seen(model.add(tone(pitch_to_hz(pitch), 2 * FFT_SAMPLES), 2 * FFT_SAMPLES)[:, -1])
        return column[int(np.argmax(column.sum(axis=1)))]

    in_tune, octave_higher, sharp = colour(69), colour(81), colour(69.35)
    assert np.abs(in_tune - octave_higher).max() < 40
    assert np.abs(in_tune - sharp).max() > 25


def test_the_colours_begin_at_the_background_and_stand_out_more_the_louder() -> None:
    for light, palette in ((False, DARK), (True, LIGHT)):
        table = rainbow_table(light).reshape(LEVELS, HUES, 3).astype(int)
        background = np.array([int(palette.sunken[i : i + 2], 16) for i in (1, 3, 5)])
        assert np.abs(table[0] - background).max() <= 18, palette.name
        away = np.abs(table - background).sum(axis=2).mean(axis=1)
        assert (np.diff(away) >= 0).all() and away[-1] > 300, palette.name


def test_the_scope_holds_a_tone_still() -> None:
    wave = tone(441.0, 4096)
    one, other = scope_window(wave[:3000], 1024), scope_window(wave[37:3037], 1024)
    assert one.size == other.size == 1024
    np.testing.assert_allclose(one, other, atol=0.04)
    assert scope_window(wave[:100], 1024).size == 100


def test_settings_survive_a_table_and_nonsense_in_it() -> None:
    chosen = PanelSettings(
        theme="light", zoom=1.5, window=(1, 2, 300, 400), favourite_timbres=frozenset({"Cello"}),
        timbre_tags={"Oboe": ("nasal",)}, first_run=False, computer_keys=False, frames_per_second=60,
    )  # fmt: skip
    assert PanelSettings().with_table(chosen.to_table()) == chosen
    odd = {"theme": 7, "zoom": "wide", "window": [1], "favourite_timbres": 3, "first_run": "no", "unknown": 1}
    assert PanelSettings().with_table(odd) == PanelSettings()
