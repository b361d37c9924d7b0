"""OpenVINO behind the same port: in float32 the same frames, in its own choice of precision nearly so."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synth_app.adapters import generator_openvino
from synth_app.adapters.generator_onnx import OnnxGenerator
from synth_app.adapters.generator_openvino import OpenVinoEngine, openvino_missing
from synth_app.core.errors import ModelError
from tests.unit.adapters.model_arrays import OPTIONS, SMALL, random_arrays, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "small"
    write_model(directory, random_arrays(SMALL, np.random.default_rng(1)), OPTIONS)
    return directory


def notes(generator: OnnxGenerator) -> tuple[np.ndarray, np.ndarray]:
    latents = np.random.default_rng(2).standard_normal((3, generator.manifest.latent_size)).astype(np.float32)
    return latents, np.asarray([24, 60, 84])


@pytest.mark.parametrize(("provider", "mean", "most"), [("openvino-f32", 1e-5, 1e-4), ("openvino", 0.06, 1.0)])
def test_slices_are_those_of_the_cpu(model: Path, provider: str, mean: float, most: float) -> None:
    """In normalised values, in which a picture spans -1 to 1. bfloat16 keeps eight bits of each number."""
    ours, theirs = OnnxGenerator(model, provider, threads=1), OnnxGenerator(model, "cpu", threads=1)
    latents, pitches = notes(ours)
    for start, stop in ((0, 16), (3, 10), (15, 16), (1, 4), (3, 10)):
        a, b = (generator.render(latents, pitches, start, stop) for generator in (ours, theirs))
        assert a.log_mel.shape == b.log_mel.shape == (3, stop - start, 128)
        apart = np.abs(a.log_mel - b.log_mel) * OPTIONS.mag_scale, np.abs(a.inst_freq - b.inst_freq)
        assert max(difference.max() for difference in apart) < most
        assert max(difference.mean() for difference in apart) < mean
    assert ours.sound(latents, pitches, 3) is None
    ours.close()


def test_other_sums_have_another_identity(model: Path) -> None:
    """Notes of one precision are never taken for those of another, in memory or on disk."""
    cpu, exact, own = (OnnxGenerator(model, name, threads=1) for name in ("cpu", "openvino-f32", "openvino"))
    assert exact.info.model_id == cpu.info.model_id
    assert exact.info.provider == "OpenVINO f32, 1 thread"
    precision = own.info.provider.split()[1].rstrip(",")
    assert own.info.model_id == (cpu.info.model_id if precision == "f32" else f"{cpu.info.model_id}+{precision}")


def test_what_it_gives_is_its_owners(model: Path) -> None:
    """The runtime writes its next answer where the last one was."""
    generator = OnnxGenerator(model, "openvino-f32", threads=1)
    latents, pitches = notes(generator)
    first = generator.render(latents[:1], pitches[:1], 3, 10)
    before = first.log_mel.copy()
    generator.render(latents[1:2], pitches[1:2], 3, 10)
    assert np.array_equal(first.log_mel, before)


def test_it_is_replaced_by_the_cpu_when_it_fails(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    generator = OnnxGenerator(model, "openvino", threads=1, on_fallback=told.append)
    latents, pitches = notes(generator)

    def fails(*_: Any) -> None:
        raise RuntimeError("oneDNN primitive could not be executed")

    monkeypatch.setattr(OpenVinoEngine, "_note", fails)
    truth = OnnxGenerator(model, "cpu", threads=1).render(latents, pitches, 3, 10)
    assert np.array_equal(generator.render(latents, pitches, 3, 10).log_mel, truth.log_mel)
    assert len(told) == 1
    assert "oneDNN" in told[0]


def test_without_the_package_one_sentence_says_how_to_get_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "openvino":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError, match="install the extra openvino"):
        OnnxGenerator(model, "openvino")
    assert openvino_missing() == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "extra openvino" in openvino_missing()


def test_a_graph_it_does_not_take_is_one_sentence(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def Core(self) -> None:
            raise RuntimeError("Check failed at src/core.cpp:1\nmany more lines")

    monkeypatch.setattr(generator_openvino, "_runtime", Broken)
    with pytest.raises(ModelError, match=r"does not take this model \(Check failed") as caught:
        OnnxGenerator(model, "openvino")
    assert "\n" not in str(caught.value)
