"""Settings come back as they were written, and no content of the file can stop the program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth_app.app.settings import Settings, SettingsFile
from synth_app.core.errors import SettingsError
from synth_app.core.params import PARAMS


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "config" / "settings.toml")


def test_a_first_start_has_the_defaults_and_nothing_to_say(file: SettingsFile) -> None:
    loaded = file.load()
    assert loaded.settings == Settings()
    assert loaded.notices == ()


def test_what_was_saved_comes_back(file: SettingsFile) -> None:
    kept = Settings(last_preset="/music/Wärme.toml", provider="cpu", params={"master_db": -3.5})
    kept.audio.device = "JACK: system"
    kept.midi.inputs = ["A", "B"]
    kept.panel = {"theme": "dark", "favourites": ["Cello"], "nothing": None, "size": {"width": 1200}}
    file.save(kept)
    loaded = file.load()
    assert loaded.notices == ()
    assert loaded.settings.panel == {"theme": "dark", "favourites": ["Cello"], "size": {"width": 1200}}
    assert loaded.settings.model_dump(exclude={"panel"}) == kept.model_dump(exclude={"panel"})


def test_a_damaged_file_is_kept_and_the_defaults_hold(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("audio = [broken")
    loaded = file.load()
    assert loaded.settings == Settings()
    assert len(loaded.notices) == 1
    assert "damaged" in loaded.notices[0]
    assert file.path.with_suffix(".damaged.toml").read_text() == "audio = [broken"


def test_one_wrong_value_costs_only_itself(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text(
        'last_preset = "a"\nprovider = "steam"\n[audio]\nrate_hz = "loud"\ndevice = "X"\n[midi]\ninputs = [3, 4]\n'
    )
    loaded = file.load()
    assert loaded.settings.last_preset == "a"
    assert loaded.settings.provider == "auto"
    assert loaded.settings.audio.device == "X"
    assert loaded.settings.audio.rate_hz == 0
    assert loaded.settings.midi.inputs == []
    assert "provider, audio.rate_hz and midi.inputs" in loaded.notices[0]


def test_a_table_of_the_wrong_kind_falls_back(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text('audio = "none"\nparams = 4\npanel = []\n')
    loaded = file.load()
    assert loaded.settings == Settings()
    assert len(loaded.notices) == 1


def test_a_newer_file_is_left_alone(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("schema_version = 99\n")
    assert "newer" in file.load().notices[0]
    assert file.path.read_text() == "schema_version = 99\n"


def test_unknown_keys_survive(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text('later = "kept"\n[audio]\nexclusive = true\n')
    file.save(file.load().settings)
    assert 'later = "kept"' in file.path.read_text()
    assert "exclusive = true" in file.path.read_text()


def test_remembered_parameters_are_drawn_into_range(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("[params]\npolyphony = 900\nmaster_db = nan\nunheard = 1\nvolume_db = 1\n")
    params = file.load().settings.params
    assert params["polyphony"] == PARAMS["polyphony"].highest
    assert params["master_db"] == PARAMS["master_db"].default
    assert set(params) == {name for name, spec in PARAMS.items() if not spec.in_patch}


def test_a_failed_save_keeps_the_old_file(file: SettingsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.save(Settings(model="old"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        file.save(Settings(model="new"))
    assert file.load().settings.model == "old"
    assert [path.name for path in file.path.parent.iterdir()] == ["settings.toml"]


def test_a_linked_file_stays_a_link(file: SettingsFile, tmp_path: Path) -> None:
    file.path.parent.mkdir()
    target = tmp_path / "dotfiles.toml"
    target.write_text("")
    file.path.symlink_to(target)
    file.save(Settings(model="x"))
    assert file.path.is_symlink()
    assert 'model = "x"' in target.read_text()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_no_content_raises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(content)
    assert isinstance(SettingsFile(path).load().settings, Settings)


def test_what_the_panel_chose_is_what_it_finds_again(file: SettingsFile) -> None:
    """Through the file and back: devices, channels, model and the panel's own."""
    from synth_app.app.panel import settings_for_panel, take_from_panel
    from synth_app.engine.ports import AudioSettings
    from synth_app.ui.settings import PanelSettings

    chosen = PanelSettings(
        theme="light",
        audio=AudioSettings("JACK: system", 48_000, 256),
        midi_inputs=("Keystep",),
        midi_channels=(1, 10),
        model="mine",
        provider="cpu",
        timbre_tags={"Cello": ("dark",)},
        first_run=False,
    )
    kept = Settings()
    take_from_panel(kept, chosen)
    file.save(kept)
    loaded = file.load()
    assert loaded.notices == ()
    found = settings_for_panel(loaded.settings)
    assert found.params == kept.params
    assert found == PanelSettings(**{**{n: getattr(chosen, n) for n in chosen.__slots__}, "params": kept.params})


def test_a_channel_that_midi_does_not_have_means_all_of_them(file: SettingsFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("[midi]\nchannels = [1, 17]\nall_inputs = false\n")
    loaded = file.load()
    assert loaded.settings.midi.channels == [] and not loaded.settings.midi.all_inputs
    assert "midi.channels" in loaded.notices[0]
