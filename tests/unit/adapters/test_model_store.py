"""Model directories: what a manifest may say, and how models are found and proven."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from synth_app.adapters import model_store
from synth_app.adapters.model_manifest import Manifest, read_manifest, write_manifest
from synth_app.adapters.model_store import find_model, list_models, open_model, require_model, verify_model
from synth_app.core.errors import ModelError
from tests.unit.adapters.model_arrays import OPTIONS, SMALL, random_arrays, write_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "models"
    write_model(folder / "default", random_arrays(SMALL, np.random.default_rng(1)), OPTIONS)
    return folder


@pytest.fixture
def home(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path of an empty player's folder and the made-up models."""
    monkeypatch.setattr(model_store, "search_path", lambda: (tmp_path, models))
    return tmp_path


def edit(directory: Path, source: Path, change: dict[str, Any]) -> Path:
    directory.mkdir()
    (directory / "generator.onnx").write_bytes((source / "generator.onnx").read_bytes())
    document = tomllib.loads((source / "model.toml").read_text())
    for dotted, value in change.items():
        place: Any = document
        *path, last = [int(part) if part.isdigit() else part for part in dotted.split(".")]
        for part in path:
            place = place[part]
        place[last] = value
    (directory / "model.toml").write_text(tomli_w.dumps(document))
    return directory


def test_a_manifest_is_read_as_it_was_written(models: Path, tmp_path: Path) -> None:
    manifest = read_manifest(models / "default")
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_latents_are_code_and_shared_tail(models: Path) -> None:
    manifest = read_manifest(models / "default")
    first = manifest.timbre_anchors()[0]
    assert [layer.velocity for layer in first.layers] == [50, 110]
    assert first.descriptors == {"brightness_hz": 900.5}
    latent = first.layers[1].latent
    assert latent.shape == (20,)
    assert np.array_equal(latent[4:], np.asarray(manifest.shared_tail, np.float32))
    assert np.array_equal(latent, manifest.check_latent)
    with pytest.raises(ValueError, match="read-only"):
        latent[0] = 1.0
    whole = manifest.model_copy(update={"shared_tail": [float(k) for k in range(20)]})
    assert whole.latent([9.0, 9.0])[2:].tolist() == list(range(2, 20))
    assert whole.latent([5.0] * 20).tolist() == [5.0] * 20


def test_find_by_name_path_and_default(models: Path, home: Path) -> None:
    assert find_model() == find_model("default") == models / "default"
    assert find_model(str(models / "default")) == models / "default"
    assert find_model(str(models / "default" / "model.toml")) == models / "default"
    assert find_model("no such") is None
    assert find_model("../default") is None
    with pytest.raises(ModelError, match="at hand: default"):
        require_model("no such")


def test_the_players_own_model_comes_first(models: Path, home: Path) -> None:
    own = edit(home / "default", models / "default", {"description": "mine"})
    assert find_model() == own
    assert [entry.directory for entry in list_models()] == [own]


def test_broken_models_are_listed_with_their_problem(models: Path, home: Path) -> None:
    edit(home / "broken", models / "default", {"schema_version": 99})
    entries = {entry.name: entry for entry in list_models()}
    assert set(entries) == {"broken", "default"}
    assert "99" in entries["broken"].problem
    assert entries["default"].problem == ""


def test_verify_proves_hash_graph_and_level(models: Path, home: Path) -> None:
    report = verify_model("default")
    assert report.rms == pytest.approx(report.manifest.check.rms, rel=1e-3)
    assert "2 anchors" in report.sentence
    quiet = edit(home / "quiet", models / "default", {"check.rms": 1e-6})
    with pytest.raises(ModelError, match="RMS"):
        verify_model(str(quiet))
    damaged = edit(home / "damaged", models / "default", {})
    with (damaged / "generator.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="damaged"):
        verify_model(str(damaged))


def test_open_gives_generator_and_anchors(models: Path, home: Path) -> None:
    generator, anchors = open_model("", "cpu", threads=1)
    assert generator.info.name == "default"
    assert [anchor.name for anchor in anchors] == ["First", "Second"]
    generator.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "version 2"),
        ({"phase_convention": "sideways"}, "phase_convention"),
        ({"anchors": []}, "anchors"),
        ({"surprise": 1}, "surprise"),
        ({"graph.sha256": "short"}, "sha256"),
        ({"graph.file": "../other.onnx"}, "graph.file"),
        ({"release_frame": 3}, "release_frame"),
        ({"hop_samples": 100}, "hop_samples"),
        ({"lowest_pitch": 85}, "pitch"),
        ({"check.anchor": "Nobody"}, "note to check"),
        ({"check.pitch": 20}, "pitch range"),
        ({"anchors.1.name": "First"}, "same name"),
        ({"anchors.0.layers.0.code": [1.0]}, "First"),
        ({"anchors.0.layers.0.code": [float("nan")] * 4}, "code"),
        ({"check.rms": float("inf")}, "rms"),
        ({"shared_tail": [1.0]}, "does not complete"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_sentence(models: Path, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    directory = edit(tmp_path / "m", models / "default", change)
    with pytest.raises(ModelError, match=words) as caught:
        read_manifest(directory)
    assert "\n" not in str(caught.value)
    assert str(directory) in str(caught.value)


def test_missing_and_foreign_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model directory"):
        read_manifest(tmp_path)
    (tmp_path / "model.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="not valid TOML"):
        read_manifest(tmp_path)
    (tmp_path / "model.toml").write_text("a = [")
    with pytest.raises(ModelError, match="not valid TOML"):
        read_manifest(tmp_path)
    (tmp_path / "model.toml").unlink()
    (tmp_path / "model.toml").mkdir()
    with pytest.raises(ModelError, match="cannot be read"):
        read_manifest(tmp_path)


def test_defaults_are_magentas_geometry() -> None:
    fields = Manifest.model_fields
    assert fields["frames"].default * fields["hop_samples"].default == 65536
    assert fields["release_frame"].default == 98
