"""From a checkpoint to a model directory and back, and the report about it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from synth_app.adapters.model_store import verify_model
from synth_app.adapters.onnx_writer import read_arrays
from synth_app.core.errors import CheckpointError
from synth_app.training.arrays import to_arrays
from synth_app.training.codec import TorchCodec
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.describe import describe
from synth_app.training.export import ExportOptions, export_model, export_voice
from synth_app.training.features import make_pictures
from synth_app.training.feed import NoteFeed
from synth_app.training.loop import save, start_from_model
from synth_app.training.model import GeneratorConfig
from synth_app.training.run import Run

from .test_training import TINY, WITH_ONSET


@pytest.fixture(scope="module")
def run(dataset: Dataset) -> Run:
    make_pictures(dataset, TorchCodec(TINY.spectral, "centred").encode)
    run = Run(TrainConfig(model=WITH_ONSET, stages=(Stage("heads", 8),)), dataset, NoteFeed(dataset, waves=True))
    with torch.no_grad():
        for value in run.voice.generator.parameters():
            value += 0.02 * torch.randn_like(value)
    return run


def test_a_voice_becomes_a_model_that_opens_and_gives_its_weights_back(
    run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    manifest = export_voice(run.voice, run.feed, ExportOptions(tmp_path / "tiny", name="tiny"))
    assert verify_model(str(tmp_path / "tiny")).rms == pytest.approx(manifest.check.rms, rel=0.02)
    assert [(anchor.name, len(anchor.layers)) for anchor in manifest.anchors] == [("bright", 1), ("dull", 1)]
    assert "bright, dull" in (tmp_path / "tiny" / "README.md").read_text()
    again = Run(run.config, dataset, run.feed)
    start_from_model(again, tmp_path / "tiny")
    wanted, found = to_arrays(run.voice.generator), to_arrays(again.voice.generator)
    assert wanted.keys() == found.keys()
    for name, array in wanted.items():
        assert np.allclose(found[name], array, rtol=2e-3, atol=2e-4), name
    assert torch.allclose(again.voice.codes, run.voice.white_codes(), atol=1e-3)


def test_a_stroke_that_the_model_has_not_learned_begins_as_its_nearest(
    run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    export_voice(run.voice, run.feed, ExportOptions(tmp_path))
    again = Run(run.config, dataset, NoteFeed(dataset, waves=True))
    again.feed.anchors = tuple(
        replace(anchor, instrument=replace(anchor.instrument, velocities=(33,))) for anchor in again.feed.anchors
    )
    start_from_model(again, tmp_path)
    assert torch.allclose(again.voice.codes, run.voice.white_codes(), atol=1e-3)


def test_a_model_of_other_sizes_is_no_start(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    export_voice(run.voice, run.feed, ExportOptions(tmp_path))
    other = GeneratorConfig(
        channels=(4, 4, 4, 4, 4, 4, 2), code_size=2, hidden=16, film=8, ranks=2, partials=4, cosines=3
    )
    with pytest.raises(CheckpointError, match="other sizes"):
        start_from_model(Run(TrainConfig(model=other), dataset, run.feed), tmp_path)


def test_a_run_is_exported_without_the_convolutions_it_has_not_trained(
    run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    save(run, tmp_path / "run")
    manifest = export_model(tmp_path / "run", dataset.root, tmp_path / "heads-only")
    assert manifest.training["convolutions_trained"] is False
    assert "not trained yet" in (tmp_path / "heads-only" / "README.md").read_text()
    arrays = read_arrays((tmp_path / "heads-only" / "generator.onnx").read_bytes())
    assert not arrays["rgb.weight"].any() and arrays["head.time.weight"].any()


def test_timbres_are_described_in_the_right_order(run: Run) -> None:
    bright, dull = describe(run.feed, 0), describe(run.feed, 1)
    assert bright.descriptors["brightness_hz"] > 1.3 * dull.descriptors["brightness_hz"]
    assert dull.descriptors["noisiness"] < 0.02
    assert "sustained" in dull.tags and "breathy" not in dull.tags
