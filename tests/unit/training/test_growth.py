"""Growing: coarse pictures with heads, fading in, the paper's recipe at a small size, and notes kept on the device."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from synth_app.training.adversary import Adversary
from synth_app.training.checkpoint import load_checkpoint
from synth_app.training.config import Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.discriminator import Discriminator
from synth_app.training.feed import NoteFeed, ResidentFeed
from synth_app.training.growth import Growth, enlarged
from synth_app.training.loop import TrainOptions, train
from synth_app.training.model import GeneratorConfig
from synth_app.training.plans import adversarial_stage, paper_plan
from synth_app.training.run import Run
from synth_app.training.voice import Voice

from .test_training import TINY, options

SMALL = GeneratorConfig(channels=(4, 4, 4, 4), code_size=2, hidden=8, film=4, ranks=2, partials=3, cosines=2)


def voice(config: GeneratorConfig = SMALL, *, from_scratch: bool = False) -> Voice:
    torch.manual_seed(2)
    made = Voice(config, 3, (1, 2, 3), from_scratch=from_scratch)
    with torch.no_grad():
        for value in made.generator.parameters():
            value += 0.1 * torch.randn_like(value)
    return made


def test_late_coarse_convolutions_begin_with_the_heads_own_picture() -> None:
    heads = Voice(SMALL, 3, (1, 2, 3))
    with torch.no_grad():
        heads.generator.pitch_bias += torch.randn_like(heads.generator.pitch_bias)
        z, pitch = torch.randn(2, 256), torch.tensor([5, 50])
        base, _ = heads.generator.base(z, pitch)
        for level in (1, 2, 3):
            pooled = functional.avg_pool2d(base.expand(-1, -1, SMALL.spectral.frames, -1), 1 << level)
            assert torch.equal(heads.picture(z, pitch, Growth(level), torch.float32), torch.tanh(pooled))


@pytest.mark.parametrize("heads", [True, False])
def test_a_size_fades_in_from_the_coarser_one(heads: bool) -> None:
    made = voice(replace(SMALL, heads=heads), from_scratch=True)
    z, pitch = torch.randn(2, 256), torch.tensor([5, 50])
    with torch.no_grad():
        start, middle, end, fine = (
            made.picture(z, pitch, Growth(1, share), torch.float32) for share in (0.0, 0.25, 1.0 - 1e-7, 1.0)
        )
    assert torch.allclose(end, fine, atol=1e-5)
    assert torch.allclose(middle, torch.lerp(start, fine, 0.25), atol=1e-5)
    assert not torch.allclose(start, fine, atol=1e-2)


def test_without_heads_a_size_begins_as_the_coarser_picture_made_larger() -> None:
    made = voice(replace(SMALL, heads=False), from_scratch=True)
    with torch.no_grad():
        made.generator.pitch_bias.zero_()
        z, pitch = torch.randn(2, 256), torch.tensor([5, 50])
        coarse = made.picture(z, pitch, Growth(2), torch.float32)
        assert torch.allclose(made.picture(z, pitch, Growth(1, 0.0), torch.float32), enlarged(coarse), atol=1e-6)


def test_real_pictures_shrink_and_mix_alike() -> None:
    picture = torch.randn(1, 2, 8, 8)
    assert torch.equal(Growth().of(picture), picture)
    coarse, fine = functional.avg_pool2d(picture, 4), functional.avg_pool2d(picture, 2)
    assert torch.allclose(Growth(1, 0.5).of(picture), 0.5 * (fine + enlarged(coarse)))


def test_the_discriminator_fades_from_its_coarser_self() -> None:
    torch.manual_seed(3)
    net = Discriminator((4, 4, 4, 4), 61, levels=(1, 2, 3))
    picture = torch.randn(3, 2, 8, 64)
    with torch.no_grad():
        pooled = functional.avg_pool2d(picture, 2)
        assert torch.allclose(net(picture, Growth(1, 0.0))[0], net(pooled, Growth(2))[0], atol=1e-5)
        assert torch.allclose(net(picture, Growth(1, 1.0 - 1e-7))[0], net(picture, Growth(1))[0], atol=1e-4)


def small_paper() -> TrainConfig:
    """The paper's plan with two notes a stage, for a tiny generator."""
    plan = paper_plan()
    stages = tuple(replace(stage, samples=4, batch=2) for stage in plan.stages)
    return replace(plan, model=replace(TINY, heads=False, blur=False), stages=stages)


def test_the_papers_training_grows_and_can_be_interrupted_anywhere(dataset: Dataset, tmp_path: Path) -> None:
    config = small_paper()
    whole = load_checkpoint(train(config, options(dataset, tmp_path / "whole")))
    for samples in (6, 8, 26, None):
        last = train(config, options(dataset, tmp_path / "parts", samples))
    parts = load_checkpoint(last)
    assert parts.samples_seen == config.samples == 52
    assert whole.arrays.keys() == parts.arrays.keys()
    assert "weight/coarse.6.weight" in whole.arrays and "weight/adversary.coarse.6.weight" in whole.arrays
    for name, array in whole.arrays.items():
        assert np.isfinite(array).all(), name
        assert np.array_equal(array, parts.arrays[name]), name
    assert not whole.arrays["weight/generator.pitch_bias"].any(), "the paper has no pitch map"


def test_stage_b_keeps_the_likeness_and_teaches_instruments(dataset: Dataset) -> None:
    stage = replace(adversarial_stage(), samples=16, batch=4)
    run = Run(TrainConfig(model=TINY, stages=(stage,)), dataset, NoteFeed(dataset, waves=True))
    terms = [run.step(run.feed.load(np.arange(4) + 11 * index)) for index in range(4)]
    wanted = {"magnitude", "inst_freq", "wave", "ear", "loudness", "lesson", "adversary", "real", "painted", "gradient"}
    assert all(set(one) == wanted and np.isfinite(list(one.values())).all() for one in terms)
    assert isinstance(run.adversary, Adversary) and run.adversary.net.instrument is not None
    assert run.adversary.net.instrument.weight.shape[1] == len(run.feed.anchors)


def test_notes_on_the_device_are_the_notes_on_disk(dataset: Dataset) -> None:
    resident = ResidentFeed(dataset, torch.device("cpu"), TINY.representation, TINY.spectral)
    rows = np.array([3, 30, 7])
    near, far = resident.load(rows), NoteFeed(dataset, waves=True).load(rows)
    assert torch.equal(near.anchor, far.anchor) and torch.equal(near.pitch, far.pitch)
    assert torch.equal(near.wave, far.wave)
    assert torch.allclose(near.picture, far.picture, atol=2e-3)


def test_training_with_notes_on_the_device_learns_the_same(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(model=TINY, stages=(Stage("heads", 8, batch=4), Stage("net", 4, batch=2, wave_weight=0.1)))
    there = TrainOptions(
        dataset.root, tmp_path / "there", niceness=0, checkpoint_s=1e9, compile=False, resident=True, threads=1
    )
    here = replace(there, run=tmp_path / "here", resident=False, pictures=False)
    ends = [load_checkpoint(train(config, way)) for way in (there, here)]
    for name, array in ends[0].arrays.items():
        assert np.allclose(array, ends[1].arrays[name], atol=2e-3), name
