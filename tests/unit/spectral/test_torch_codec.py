"""The trainer's codec is the instrument's codec, and gradients come back through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from synth_app.spectral.codec import decode, encode
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.locking import accumulate
from synth_app.spectral.locking import plan_locking as numpy_plan
from synth_app.spectral.mel import MelTable
from synth_app.spectral.normaliser import Normaliser
from synth_app.training.codec import TorchCodec, locked_sum, plan_locking

Make = Callable[..., Any]


@pytest.fixture(params=["centred", "magenta"])
def convention(request: pytest.FixtureRequest) -> PhaseConvention:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def waves(harmonic_tone: Make, config: SpectralConfig) -> np.ndarray[Any, np.dtype[np.float32]]:
    rng = np.random.default_rng(21)
    breath = 0.02 * rng.standard_normal(config.samples)
    return np.stack([harmonic_tone(45, rng, 2.0) + breath, harmonic_tone(66, rng)]).astype(np.float32)


def test_encode_and_decode_are_numpys(
    waves: Any, convention: PhaseConvention, config: SpectralConfig, table: MelTable
) -> None:
    codec = TorchCodec(config, convention)
    log_mel, inst_freq = codec.encode(torch.from_numpy(waves))
    decoded = codec.decode(log_mel, inst_freq).numpy()
    assert decoded.shape == (2, config.samples)
    for note, wave in enumerate(waves):
        wanted_mel, wanted_freq = encode(wave, convention, config, table)
        audible = wanted_mel > wanted_mel.max() - 14.0
        np.testing.assert_allclose(log_mel[note].numpy()[audible], wanted_mel[audible], atol=1e-3)
        from_same = decode(log_mel[note].numpy(), inst_freq[note].numpy(), convention, config, table)
        np.testing.assert_allclose(decoded[note], from_same, atol=1e-5)
        np.testing.assert_allclose(decoded[note], decode(wanted_mel, wanted_freq, convention, config, table), atol=5e-4)


def test_plans_are_numpys() -> None:
    magnitude = np.random.default_rng(22).uniform(0.01, 1.0, (2, 7, 40))
    leader, share = plan_locking(torch.from_numpy(magnitude))
    for note in range(2):
        plan = numpy_plan(magnitude[note])
        np.testing.assert_array_equal(leader[note].numpy(), plan.leader)
        np.testing.assert_allclose(share[note].numpy(), plan.share, atol=1e-15)


def test_the_locked_sum_is_numpys_and_its_gradient_is_right() -> None:
    rng = np.random.default_rng(23)
    magnitude, step = rng.uniform(0.01, 1.0, (1, 9, 24)), rng.uniform(0.0, 0.02, (1, 9, 24))
    leader, share = plan_locking(torch.from_numpy(magnitude))
    turns = torch.from_numpy(step).requires_grad_()
    wanted = accumulate(2 * np.pi * step[0], numpy_plan(magnitude[0])) / (2 * np.pi)
    np.testing.assert_allclose(locked_sum(turns, leader, share)[0].detach().numpy(), wanted, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x: locked_sum(x, leader, share), (turns,))


def test_gradients_reach_both_channels_and_are_finite(
    waves: Any, convention: PhaseConvention, config: SpectralConfig
) -> None:
    codec = TorchCodec(config, convention)
    picture = [part.requires_grad_() for part in codec.encode(torch.from_numpy(waves[:1]))]
    codec.decode(*picture).square().sum().backward()
    for part in picture:
        assert part.grad is not None
        assert part.grad.isfinite().all()
        assert part.grad.abs().max() > 0


def test_silence_has_a_gradient(convention: PhaseConvention, config: SpectralConfig) -> None:
    wave = torch.zeros(1, config.samples, requires_grad=True)
    log_mel, inst_freq = TorchCodec(config, convention).encode(wave)
    (log_mel.sum() + inst_freq.sum()).backward()  # type: ignore[no-untyped-call]
    assert wave.grad is not None
    assert wave.grad.isfinite().all()


def test_the_gradient_of_frequency_points_downhill(waves: Any, config: SpectralConfig) -> None:
    codec = TorchCodec(config, "centred")
    target = torch.from_numpy(waves[1:])
    log_mel, inst_freq = codec.encode(target)
    wanted = codec.decode(log_mel, inst_freq)
    bent = (inst_freq + 1e-3 * torch.sin(torch.arange(1024) / 3.0)).requires_grad_()
    loss = (codec.decode(log_mel, bent) - wanted).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert bent.grad is not None
    step = 0.1 * loss.detach() / bent.grad.square().sum()
    assert (codec.decode(log_mel, bent.detach() - step * bent.grad) - wanted).square().sum() < 0.95 * loss.detach()


def test_mixed_precision_is_kept_out(waves: Any, convention: PhaseConvention, config: SpectralConfig) -> None:
    codec = TorchCodec(config, convention)
    picture = codec.encode(torch.from_numpy(waves))
    wanted = codec.decode(*picture)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = codec.encode(torch.from_numpy(waves))
        torch.testing.assert_close(codec.decode(*picture), wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(inside[0], picture[0])


def test_the_normaliser_is_numpys(config: SpectralConfig) -> None:
    rng = np.random.default_rng(24)
    log_mel, inst_freq = rng.uniform(-16, 14, (1, 4, 1024)), rng.uniform(-1.5, 1.5, (1, 4, 1024))
    codec = TorchCodec(config, "centred")
    for mine, theirs in zip(
        codec.normalise(torch.from_numpy(log_mel), torch.from_numpy(inst_freq)),
        Normaliser().normalise(log_mel, inst_freq),
        strict=True,
    ):
        np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-12)
    back = codec.denormalise(*codec.normalise(torch.from_numpy(log_mel), torch.from_numpy(inst_freq / 2)))
    np.testing.assert_allclose(back[0].numpy(), np.clip(log_mel, None, 13.4007), atol=1e-4)
    np.testing.assert_allclose(back[1].numpy(), inst_freq / 2, atol=1e-12)


def test_it_has_no_weights_and_leaves_checkpoints_alone(config: SpectralConfig) -> None:
    codec = TorchCodec(config, "centred")
    assert not list(codec.parameters())
    assert not codec.state_dict()
