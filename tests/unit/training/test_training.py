"""The trainer on a tiny data set: it learns, it stops and goes on, and its additions start at nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from synth_app.core.errors import CheckpointError, SettingsError
from synth_app.training.adversary import Adversary, Labels
from synth_app.training.arrays import load_arrays, to_arrays
from synth_app.training.between import paint_between
from synth_app.training.checkpoint import load_checkpoint, newest_checkpoint, restore_module
from synth_app.training.codec import TorchCodec
from synth_app.training.config import Recipe, Stage, TrainConfig
from synth_app.training.data import Dataset
from synth_app.training.ema import Average
from synth_app.training.epilogue import convolution_dtype
from synth_app.training.features import LOG_MEL_FLOOR, make_pictures
from synth_app.training.feed import NoteFeed
from synth_app.training.growth import Growth
from synth_app.training.loop import TrainOptions, resume, train
from synth_app.training.losses import ear_loss, loudness_loss, picture_loss, spectral_loss
from synth_app.training.model import Generator, GeneratorConfig
from synth_app.training.onset import OnsetSizes
from synth_app.training.run import Run
from synth_app.training.runs import load_voice
from synth_app.training.voice import Voice

TINY = GeneratorConfig(channels=(6, 6, 6, 6, 4, 4, 2), code_size=2, hidden=16, film=8, ranks=2, partials=4, cosines=3)
WITH_ONSET = replace(TINY, onset=OnsetSizes(frames=9, channels=4, hidden=8))
STAGES = (
    Stage("heads", 8, batch=4, frames=20),
    Stage("net", 4, batch=2, coarse=1),
    Stage("net", 4, batch=2, wave_weight=0.3, ear_weight=0.3, loudness_weight=0.3, wave_notes=1),
    Stage("net", 4, batch=2, adversarial=0.1, prior=True, instrument_weight=1.0, momentum=0.0),
    Stage("onset", 4, batch=2, wave_weight=0.3, ear_weight=0.3, loudness_weight=0.3, wave_notes=1, prior=True),
)


@pytest.fixture(scope="module")
def noisy() -> Generator:
    """A generator whose every parameter, zero ones too, has some value."""
    torch.manual_seed(3)
    net = Generator(WITH_ONSET)
    with torch.no_grad():
        for value in net.parameters():
            value += 0.3 * torch.randn_like(value)
    return net


def options(dataset: Dataset, folder: Path, samples: int | None = None) -> TrainOptions:
    return TrainOptions(dataset.root, folder, niceness=0, checkpoint_s=1e9, samples=samples, compile=False)


def test_the_additions_start_at_exactly_nothing() -> None:
    torch.manual_seed(1)
    plain = Generator(GeneratorConfig(channels=TINY.channels, heads=False, blur=False))
    full = Generator(replace(TINY, blur=False))  # the blur is in the weights: undoing it there rounds
    load_arrays(full, to_arrays(plain))  # sets what the plain one lacks to zero: put the starting values back
    fresh = Generator(TINY)
    with torch.no_grad():
        for part in ("side", "head"):
            getattr(full, part).load_state_dict(getattr(fresh, part).state_dict())
        z, pitch = torch.randn(2, 256), torch.tensor([0, 60])
        assert torch.equal(full(z, pitch), plain(z, pitch))
    zeros = [name for name, value in fresh.named_parameters() if not value.any()]
    assert (
        any("film" in name for name in zeros) and any("harm" in name for name in zeros) and "head.env.weight" in zeros
    )


def test_arrays_carry_a_generator_there_and_back(noisy: Generator) -> None:
    torch.manual_seed(9)
    other = Generator(WITH_ONSET)
    load_arrays(other, to_arrays(noisy))
    for name, array in to_arrays(noisy).items():
        assert np.allclose(to_arrays(other)[name], array, atol=1e-5), name


def test_exported_weights_read_a_one_hot_pitch(noisy: Generator) -> None:
    told = Generator(replace(WITH_ONSET, blur=False))
    load_arrays(told, to_arrays(noisy))
    z, pitch = torch.randn(2, 256), torch.tensor([3, 33])
    assert not torch.equal(noisy.pitch_codes, told.pitch_codes)
    with torch.no_grad():
        assert torch.allclose(told.heads_only(z, pitch), noisy.heads_only(z, pitch), atol=1e-4)
        assert torch.allclose(told.onset_only(z, pitch), noisy.onset_only(z, pitch), atol=1e-4)


def test_arrays_of_another_size_are_refused(noisy: Generator) -> None:
    arrays = to_arrays(noisy)
    with pytest.raises(CheckpointError, match="other sizes"):
        load_arrays(noisy, arrays | {"rgb.bias": np.zeros(3, np.float32)})
    del arrays["block3.conv1.weight"]
    with pytest.raises(CheckpointError, match="lacks block3"):
        load_arrays(noisy, arrays)


def test_a_run_goes_through_its_stages_and_learns(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(model=TINY, stages=(Stage("heads", 320, batch=8, lr_heads=1e-2, decay=0.0), *STAGES[1:]))
    lines: list[dict[str, float]] = []
    path = train(config, options(dataset, tmp_path), lines.append)
    checkpoint = load_checkpoint(path)
    assert checkpoint.samples_seen == config.samples
    assert checkpoint.config == config
    assert all(np.isfinite(array).all() for array in checkpoint.arrays.values())
    feed = NoteFeed(dataset, waves=True)
    before, after = Run(config, dataset, feed), Run(config, dataset, feed)
    batch = feed.load(np.arange(8))
    restore_module(checkpoint, after.voice)

    def loss(run: Run) -> float:
        with torch.no_grad():
            latent = run.voice.latents(batch.anchor, torch.zeros(8, 256), 0.0)
            return picture_loss(run.voice.generator.heads_only(latent, batch.pitch), batch.picture).magnitude.item()

    assert loss(after) < 0.95 * loss(before)


def test_an_onset_learns_its_frames_and_nothing_else(dataset: Dataset, tmp_path: Path) -> None:
    stage = Stage("onset", 400, batch=8, lr_onset=1e-2, decay=0.0)
    config = TrainConfig(model=WITH_ONSET, stages=(stage,))
    train(config, options(dataset, tmp_path))
    feed = NoteFeed(dataset, waves=True)
    before = Run(config, dataset, feed).voice
    voice, _ = load_voice(tmp_path, feed)
    batch = feed.load(np.arange(8))
    with torch.no_grad():
        latent = voice.latents(batch.anchor, torch.zeros(8, 256), 0.0)
        target = batch.picture[:, :, :9]
        first = [picture_loss(one.generator.onset_only(latent, batch.pitch), target) for one in (before, voice)]
        assert first[1].magnitude < 0.8 * first[0].magnitude
        whole, h = voice.generator.base(latent, batch.pitch)
        net = torch.tanh(whole + voice.generator.paint(latent, batch.pitch, h))
        note, onset = voice.generator(latent, batch.pitch), voice.generator.onset_only(latent, batch.pitch)
    assert torch.equal(note[:, :, :6], onset[:, :, :6]) and torch.equal(note[:, :, 9:], net[:, :, 9:])
    assert torch.allclose(note[:, :, 7], 0.5 * (onset[:, :, 7] + net[:, :, 7]), atol=1e-6)
    moved = {name for name, value in voice.named_parameters() if not torch.equal(value, before.get_parameter(name))}
    assert moved and all(name.startswith("generator.onset.") for name in moved)


def test_an_onset_learns_from_the_net_between_the_anchors(dataset: Dataset) -> None:
    stage = Stage("onset", 400, batch=8, lr_onset=1e-2, decay=0.0, recon=0.0, prior=True)
    feed = NoteFeed(dataset)
    run = Run(TrainConfig(model=WITH_ONSET, stages=(stage,)), dataset, feed)
    with torch.no_grad():
        run.voice.generator.rgb.weight.normal_()
    run.average = Average(run.voice, 8.0)
    between = paint_between(run.voice, 9, 16, 5, torch.float32)
    apart = (between.latent[::2, :2] - between.latent[1::2, :2]).norm(dim=1)
    assert (apart > 0.0).all() and between.picture.shape == (16, 2, 9, 1024)

    def loss() -> float:
        with torch.no_grad():
            onset = run.voice.generator.onset_only(between.latent, between.pitch)
            return picture_loss(onset, between.picture.float()).magnitude.item()

    before = loss()
    for _ in range(40):
        run.step(feed.load(np.arange(8)))
    assert loss() < 0.7 * before


def test_an_onset_that_is_still_to_be_trained_is_not_heard(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(model=TINY, stages=(*STAGES[:3], STAGES[-1]))
    assert config.model.onset == OnsetSizes()
    train(config, options(dataset, tmp_path, 14))
    assert load_voice(tmp_path, NoteFeed(dataset))[0].generator.onset is None


def test_stopping_and_going_on_changes_nothing(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(model=WITH_ONSET, stages=STAGES)
    whole = load_checkpoint(train(config, options(dataset, tmp_path / "whole")))
    for samples in (4, 10, 14, 18, 22, None):
        last = train(config, options(dataset, tmp_path / "parts", samples))
    parts = load_checkpoint(last)
    assert parts.samples_seen == whole.samples_seen == config.samples
    assert len(list((tmp_path / "parts").glob("checkpoint-*.npz"))) == 2
    assert whole.arrays.keys() == parts.arrays.keys()
    for name, array in whole.arrays.items():
        assert np.array_equal(array, parts.arrays[name]), name


@pytest.mark.parametrize("recipe", ["ns-r1", "wgan-gp"])
def test_the_adversary_learns_to_tell_noise_from_notes_and_teaches(dataset: Dataset, recipe: Recipe) -> None:
    torch.manual_seed(4)
    stage = Stage("net", 4, adversarial=1.0, recipe=recipe, instrument_weight=1.0)
    adversary = Adversary.fresh(TrainConfig(model=TINY, stages=(stage,)), 2, torch.device("cpu"))
    real = NoteFeed(dataset).load(np.arange(4))
    labels, mixer = Labels(real.pitch, real.anchor), torch.Generator().manual_seed(1)
    noise = (0.1 * torch.randn_like(real.picture)).requires_grad_()
    terms = [
        adversary.learn(real.picture, noise, labels, stage, Growth(), mixer, step)["adversary"] for step in range(12)
    ]
    assert terms[-1] < terms[0]
    (slope,) = torch.autograd.grad(adversary.lesson(noise, labels, stage, Growth()), noise)
    assert slope.abs().max() > 0.0


def test_a_run_of_other_instruments_is_not_continued(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(model=TINY, stages=STAGES)
    train(config, options(dataset, tmp_path, 4))
    run = Run(config, dataset.named(["dull"]))
    with pytest.raises(SettingsError, match="other instruments"):
        resume(run, tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-000000004.npz"
    path.write_bytes(b"PK\x03\x04 cut off")
    assert newest_checkpoint(tmp_path) == path
    with pytest.raises(CheckpointError, match="earlier one"):
        load_checkpoint(path)


def test_every_note_comes_once_in_an_epoch_and_epochs_differ(dataset: Dataset) -> None:
    make_pictures(dataset, TorchCodec(TINY.spectral, "centred").encode)
    feed, held = NoteFeed(dataset), NoteFeed(dataset, held_out=True)
    assert len(feed) == 44 and len(held) == 8
    first, second = feed.order(1, 0, 44), feed.order(1, 44, 44)
    assert sorted(first) == sorted(second) == list(range(44))
    assert not np.array_equal(first, second)
    assert np.array_equal(feed.order(1, 40, 10), np.concatenate([first[40:], second[:6]]))
    assert {tuple(row) for row in feed.table.tolist()}.isdisjoint({tuple(row) for row in held.table.tolist()})


def test_codes_are_white_whatever_they_were(dataset: Dataset) -> None:
    voice = Voice(
        GeneratorConfig(channels=(4, 4, 4), code_size=5, hidden=8, film=4, ranks=1, partials=2, cosines=2), 40
    )
    with torch.no_grad():
        voice.codes.copy_(voice.codes * torch.tensor([1.0, 5.0, 0.2, 3.0, 1.0]) + 2.0)
        white = voice.white_codes()
    assert torch.allclose(white.mean(dim=0), torch.zeros(5), atol=1e-5)
    assert torch.allclose(white.T @ white / 40, torch.eye(5), atol=0.03)


def test_losses_are_least_for_the_note_itself(dataset: Dataset) -> None:
    batch = NoteFeed(dataset, waves=True).load(np.array([0, 30]))
    same = picture_loss(batch.picture, batch.picture)
    other = picture_loss(batch.picture.flip(0), batch.picture)
    assert same.magnitude.item() == 0.0 and abs(same.inst_freq.item()) < 1e-6
    assert other.magnitude.item() > 0.01 and other.inst_freq.item() > 0.01
    assert spectral_loss(batch.wave, batch.wave).item() == 0.0 < spectral_loss(batch.wave * 0.5, batch.wave).item()
    level = TorchCodec(TINY.spectral, "centred").level(batch.wave)
    softer, later = TorchCodec(TINY.spectral, "centred").level(batch.wave * 0.3), batch.wave.roll(4_000, 1)
    assert ear_loss(level, level).item() < 0.1 * ear_loss(softer, level).item()
    assert loudness_loss(batch.wave, batch.wave).item() == 0.0 < loudness_loss(later, batch.wave).item()


def test_what_sank_under_the_floor_can_rise_again() -> None:
    heard = torch.full((1, 4, 8), LOG_MEL_FLOOR - 2.0, requires_grad=True)
    ear_loss(heard, torch.full((1, 4, 8), LOG_MEL_FLOOR + 4.0)).backward()  # type: ignore[no-untyped-call]
    assert heard.grad is not None
    assert (heard.grad < 0.0).all()


@pytest.mark.parametrize(("instructions", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_convolutions_are_computed_in_what_the_processor_is_quick_in(
    instructions: bool, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth_app.training.epilogue.multiplies_in_bfloat16", lambda: instructions)
    assert convolution_dtype(torch.device("cpu")) == precision
    assert convolution_dtype(torch.device("cuda")) == torch.bfloat16


def test_the_average_follows_and_forgets_by_half_lives() -> None:
    layer = torch.nn.Linear(1, 1)
    average = Average(layer, half_life=100.0)
    with torch.no_grad():
        start = layer.weight.clone()
        layer.weight += 1.0
    layer.weight.grad = torch.ones_like(layer.weight)
    average.update(layer, samples_seen=10_000, batch=100)
    assert average.values["weight"].item() == pytest.approx(start.item() + 0.5, abs=1e-5)


def test_the_configuration_survives_its_text() -> None:
    config = TrainConfig(model=TINY, stages=STAGES, seed=9)
    assert TrainConfig.from_json(config.to_json()) == config
    with pytest.raises(CheckpointError, match="does not fit"):
        TrainConfig.from_json('{"model": {}}')
    assert config.stage_at(0) == (0, 0.0)
    assert [stage.kind for stage in config.from_trained_heads().stages] == ["net", "onset"]
    assert config.stage_at(8)[0] == 1
    assert config.stage_at(24) == (4, 1.0)
