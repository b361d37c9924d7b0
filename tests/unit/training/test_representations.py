"""Every representation makes pictures that can be undone, and a generator that can be trained on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from synth_app.core.errors import SettingsError
from synth_app.training.codec import codec_for
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.export import ExportOptions, export_voice
from synth_app.training.features import denormalise, picture_of
from synth_app.training.feed import NoteFeed
from synth_app.training.harmonics import LOWEST_PITCH, fundamentals_hz
from synth_app.training.loop import TrainOptions, train
from synth_app.training.metrics import spectral_convergence
from synth_app.training.pitch import read_pitch
from synth_app.training.representation import KINDS, Representation
from synth_app.training.run import Run

from .conftest import tone
from .test_training import TINY

ALL = tuple(Representation(kind, high) for kind in KINDS for high in (True, False))


@pytest.mark.parametrize("representation", ALL, ids=lambda one: one.name)
def test_a_note_survives_its_picture(representation: Representation) -> None:
    spectral = representation.spectral(7)
    codec = codec_for(representation, spectral)
    wave = torch.from_numpy(np.stack([tone(pitch, (1.0, 0.5, 0.3)) for pitch in (45, 69)]))
    picture = picture_of(wave, codec.encode).float()
    assert picture.shape == (2, 2, spectral.frames, spectral.bins)
    assert picture.abs().max() <= 1.0
    heard = codec.decode(*denormalise(picture))
    assert heard.shape == wave.shape
    assert [read_pitch(note).pitch for note in heard.numpy()] == pytest.approx([45, 69], abs=0.1)
    worst = {"mel-centred": 0.15, "mel-magenta": 0.6, "if": 0.1, "phase": 0.05}[representation.kind]
    assert spectral_convergence(heard, wave).max() < worst


@pytest.mark.parametrize("representation", ALL, ids=lambda one: one.name)
def test_the_heads_know_where_partials_lie(representation: Representation) -> None:
    spectral = representation.spectral(7)
    centres = representation.centres_hz(spectral)
    assert centres.shape == (spectral.bins,) and np.all(np.diff(centres) > 0)
    picture = picture_of(torch.from_numpy(tone(69, (1.0,)))[None], codec_for(representation, spectral).encode)
    loudest = int(picture[0, 0, spectral.frames // 3].float().argmax())
    bins = 2 if representation.mel else 1  # the mel table's grid lies a bin under the bins it is used on
    assert abs(centres[loudest] - fundamentals_hz()[69 - LOWEST_PITCH]) < bins * 16_000 / spectral.fft_size


@pytest.mark.parametrize("kind", ["if", "phase"])
def test_a_generator_of_another_representation_trains_and_is_not_exported(
    kind: str, dataset: Dataset, tmp_path: Path
) -> None:
    model = replace(TINY, representation=Representation(kind, high_resolution=False))  # type: ignore[arg-type]
    stages = (Stage("heads", 8, batch=4, frames=20), Stage("net", 4, batch=2, wave_weight=0.1, coarse=0))
    config = TrainConfig(model=model, stages=stages)
    train(config, TrainOptions(dataset.root, tmp_path / "run", niceness=0, compile=False, threads=1, pictures=False))
    run = Run(config, dataset)
    assert run.voice.generator.pitch_bias.shape == (61, 2, 512)
    with pytest.raises(SettingsError, match="no decoder"):
        export_voice(run.voice, run.feed, ExportOptions(tmp_path / "model"))


def test_a_generator_in_magentas_convention_is_exported_as_such(dataset: Dataset, tmp_path: Path) -> None:
    model = replace(TINY, representation=Representation("mel-magenta"))
    feed = NoteFeed(dataset, waves=True, representation=model.representation, spectral=model.spectral)
    run = Run(TrainConfig(model=model, stages=(Stage("heads", 8),)), dataset, feed)
    manifest = export_voice(run.voice, feed, ExportOptions(tmp_path / "model"))
    assert manifest.phase_convention == "magenta"
