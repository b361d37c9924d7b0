"""The adversarial stage: a discriminator that learns to tell painted pictures from real ones, and what it teaches.

Supervised losses ask for the median of what may be heard, so breath, bow and beating come out smooth. A discriminator
asks only for what could be real. The losses are the non-saturating pair (Goodfellow et al. 2014) with a gradient
penalty on real pictures, R1, taken lazily every sixteenth step (Mescheder et al. 2018; Karras et al. 2020); the label
head (pitch) is GANSynth's auxiliary classifier.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synth_app.training.discriminator import Discriminator
from synth_app.training.harmonics import PITCH_COUNT

BETAS = (0.0, 0.99)
RATE = 2e-3
PENALTY = 10.0
PENALTY_EVERY = 16
LABEL_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Adversary:
    """A discriminator with its optimiser."""

    net: Discriminator
    optimiser: torch.optim.Adam

    @classmethod
    def fresh(cls, channels: tuple[int, ...], device: torch.device) -> "Adversary":
        """A discriminator that mirrors a generator of these channels."""
        net = Discriminator(channels, PITCH_COUNT).to(device)
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(net, torch.optim.Adam(net.parameters(), lr=RATE, betas=BETAS))

    def lesson(self, made: Tensor, pitch: Tensor) -> Tensor:
        """What the generator should make smaller: being found out, and being taken for another pitch."""
        logit, labels = self.net(made)
        return functional.softplus(-logit).mean() + LABEL_WEIGHT * functional.cross_entropy(labels, pitch)

    def learn(self, real: Tensor, made: Tensor, pitch: Tensor, step: int) -> float:
        """One step on real and painted pictures [B, 2, T, F] of the same notes; returns the loss without the penalty.

        ``step`` counts steps of the run and says when the penalty is due.
        """
        penalise = step % PENALTY_EVERY == 0
        real = real.detach().requires_grad_(penalise)
        logit, labels = self.net(real)
        fake, _ = self.net(made.detach())
        loss = functional.softplus(-logit).mean() + functional.softplus(fake).mean()
        total = loss + LABEL_WEIGHT * functional.cross_entropy(labels, pitch)
        if penalise:
            (slope,) = torch.autograd.grad(logit.sum(), real, create_graph=True)
            total = total + 0.5 * PENALTY * PENALTY_EVERY * slope.square().sum(dim=(1, 2, 3)).mean()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.item())
