"""The adversarial stage: a discriminator that learns to tell painted pictures from real ones, and what it teaches.

Supervised losses ask for the median of what may be heard, so breath, bow and beating come out smooth. A discriminator
asks only for what could be real. There are two recipes.

"ns-r1": the non-saturating pair of losses (Goodfellow et al. 2014) with a gradient penalty on real pictures, R1, taken
lazily every sixteenth step (Mescheder et al. 2018; Karras et al. 2020).

"wgan-gp": GANSynth's own (Engel et al. 2019, after Karras et al. 2018): the difference of the mean outputs, a penalty
of weight 10 on gradients that are not of length one between real and painted pictures, and a slight pull of the outputs
on real pictures to zero. GANSynth measures that gradient in physical units at full size, hence the scales here.

In both the label heads (pitch, and if wanted instrument) are GANSynth's auxiliary classifier: the discriminator learns
them on real pictures, the generator is asked to be recognised.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synth_app.training.config import Stage, TrainConfig
from synth_app.training.discriminator import Discriminator
from synth_app.training.epilogue import convolution_dtype
from synth_app.training.features import IF_A, MAG_A
from synth_app.training.growth import Growth
from synth_app.training.harmonics import PITCH_COUNT

BETAS = (0.0, 0.99)
R1_WEIGHT = 10.0
R1_EVERY = 16
GP_WEIGHT = 10.0
DRIFT_WEIGHT = 1e-3
NOBODY = -100
"""The instrument of a picture that was painted from a random latent."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What pictures are asked to be: pitch index [B], and anchor [B] or ``NOBODY``."""

    pitch: Tensor
    anchor: Tensor


@dataclass(frozen=True, slots=True)
class Adversary:
    """A discriminator with its optimiser."""

    net: Discriminator
    optimiser: torch.optim.Adam

    @classmethod
    def fresh(cls, config: TrainConfig, anchors: int, device: torch.device) -> "Adversary":
        """A discriminator that mirrors the generator of a plan and grows with it."""
        wanted = any(stage.instrument_weight > 0 for stage in config.stages)
        net = Discriminator(
            config.model.channels, PITCH_COUNT, instruments=anchors if wanted else 0,
            start=config.model.representation.start, levels=config.levels,
        ).to(device)  # fmt: skip
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(net, torch.optim.Adam(net.parameters(), betas=BETAS))

    def lesson(self, made: Tensor, labels: Labels, stage: Stage, growth: Growth) -> Tensor:
        """What the generator should make smaller: being found out, and being taken for another note."""
        logit, pitch, instrument = self.net(_light(made, stage), growth)
        found_out = functional.softplus(-logit).mean() if stage.recipe == "ns-r1" else -logit.mean()
        return found_out + _misread(pitch, instrument, labels, stage)

    def learn(
        self, real: Tensor, made: Tensor, labels: Labels, stage: Stage, growth: Growth, rng: torch.Generator, step: int
    ) -> dict[str, float]:
        """One step on real pictures with their labels and on painted ones, [B, 2, T, F] at a moment of the growth.

        ``step`` counts steps of the run and says when a lazy penalty is due; ``rng`` mixes real and painted pictures.
        Returns terms for the log: the loss without penalties, and the mean output on real and on painted pictures.
        """
        real, made = real.detach(), made.detach()
        penalise = stage.recipe == "ns-r1" and step % R1_EVERY == 0
        real.requires_grad_(penalise)
        logit, pitch, instrument = self.net(real if penalise else _light(real, stage), growth)
        fake, _, _ = self.net(_light(made, stage), growth)
        if stage.recipe == "ns-r1":
            loss = functional.softplus(-logit).mean() + functional.softplus(fake).mean()
            penalty = 0.5 * R1_WEIGHT * R1_EVERY * _squared_slope(logit, real).mean() if penalise else 0.0
        else:
            loss = fake.mean() - logit.mean()
            penalty = self._wasserstein_penalty(real, made, growth, rng) + DRIFT_WEIGHT * logit.square().mean()
        total = loss + penalty + _misread(pitch, instrument, labels, stage)
        for group in self.optimiser.param_groups:
            group["lr"] = stage.lr_adversary
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return {"adversary": loss.item(), "real": logit.mean().item(), "painted": fake.mean().item()}

    def _wasserstein_penalty(self, real: Tensor, made: Tensor, growth: Growth, rng: torch.Generator) -> Tensor:
        count = min(len(real), len(made))
        share = torch.rand(count, 1, 1, 1, generator=rng).to(real.device)
        between = torch.lerp(real[:count], made[:count], share).requires_grad_()
        logit, _, _ = self.net(between, growth)
        (slope,) = torch.autograd.grad(logit.sum(), between, create_graph=True)
        units = torch.tensor([MAG_A, IF_A], device=slope.device)[:, None, None] / (1 << growth.level)
        length = torch.sqrt((slope * units).square().sum(dim=(1, 2, 3)) + 1e-12)
        return GP_WEIGHT * (length - 1.0).square().mean()


def _light(picture: Tensor, stage: Stage) -> Tensor:
    """In what convolutions are quickest in, where no penalty asks for a second derivative."""
    return picture.to(convolution_dtype(picture.device)) if stage.recipe == "ns-r1" else picture


def _squared_slope(logit: Tensor, picture: Tensor) -> Tensor:
    """|d logit / d picture|^2, [B]."""
    (slope,) = torch.autograd.grad(logit.sum(), picture, create_graph=True)
    squared: Tensor = slope.square().sum(dim=(1, 2, 3))
    return squared


def _misread(pitch: Tensor, instrument: Tensor | None, labels: Labels, stage: Stage) -> Tensor:
    """How far the label heads are from what pictures are asked to be."""
    loss = stage.label_weight * functional.cross_entropy(pitch, labels.pitch)
    if instrument is not None and stage.instrument_weight > 0 and bool((labels.anchor != NOBODY).any()):
        loss = loss + stage.instrument_weight * functional.cross_entropy(instrument, labels.anchor, ignore_index=NOBODY)
    return loss
