"""A sound that training never saw is found among the codes, and becomes an anchor of the model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from synth_app.adapters.model_manifest import read_manifest
from synth_app.adapters.model_store import verify_model
from synth_app.core.errors import SettingsError
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.export import ExportOptions, export_voice
from synth_app.training.feed import NoteFeed
from synth_app.training.fit import FitOptions, Notes, add_recordings, fit_code
from synth_app.training.run import Run

from .conftest import RATE, tone
from .test_training import TINY


@pytest.fixture(scope="module")
def run(dataset: Dataset) -> Run:
    run = Run(TrainConfig(model=TINY, stages=(Stage("heads", 8),)), dataset, NoteFeed(dataset, waves=True))
    with torch.no_grad():
        for value in run.voice.head_parameters():
            value += 0.15 * torch.randn_like(value)
    return run


def test_descent_finds_the_code_that_painted_some_notes(run: Run) -> None:
    generator, tail = run.voice.generator, torch.randn(254)
    hidden = torch.tensor([0.9, -1.1])
    pitch = torch.tensor([10, 25, 40])
    with torch.no_grad():
        picture = generator(torch.cat([hidden, tail]).expand(3, -1), pitch)
    known = torch.tensor([[-2.0, 2.0], [0.2, -0.3]])
    fit = fit_code(generator, known, tail, Notes(pitch, picture), FitOptions(steps=60, rate=0.1, batch=3))
    assert fit.after < 0.5 * fit.before
    assert np.linalg.norm(fit.code - hidden.numpy()) < min(np.linalg.norm(known.numpy() - hidden.numpy(), axis=1))


def test_recordings_become_an_anchor_of_the_model(run: Run, tmp_path: Path) -> None:
    export_voice(run.voice, run.feed, ExportOptions(tmp_path / "model"))
    folder = tmp_path / "waves" / "glass"
    folder.mkdir(parents=True)
    for pitch in (50, 55, 60):
        wavfile.write(folder / f"{pitch:03d}.wav", RATE, (tone(pitch, (1.0, 0.1, 0.4)) * 32_767).astype(np.int16))
    fits = add_recordings(tmp_path / "model", tmp_path / "waves", FitOptions(steps=6, notes=3))
    assert fits["glass"].after <= fits["glass"].before
    anchor = next(one for one in read_manifest(tmp_path / "model").anchors if one.name == "glass")
    assert "fitted" in anchor.tags and anchor.layers[0].code == pytest.approx(fits["glass"].code.tolist(), abs=1e-3)
    verify_model(str(tmp_path / "model"))
    with pytest.raises(SettingsError, match="already"):
        add_recordings(tmp_path / "model", tmp_path / "waves")
