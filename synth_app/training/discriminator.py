"""GANSynth's discriminator, for an adversarial stage: is a picture real or painted, and what are its labels?"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_app.training.model import COLOURS, LEAK, START_HEIGHT, START_WIDTH, EqualisedConv, EqualisedLinear

STDDEV_EPSILON = 1e-6


class Discriminator(nn.Module):
    """Mirror image of the generator: ``channels`` as the generator's, coarse to fine.

    Takes pictures [B, 2, T, F] in the normalised range; returns (logits [B, 1], label logits [B, labels]).
    """

    def __init__(self, channels: tuple[int, ...], labels: int) -> None:
        super().__init__()
        self.from_rgb = EqualisedConv(COLOURS, channels[-1], 1)
        self.convs = nn.ModuleList()
        for index in range(len(channels) - 1, 0, -1):
            self.convs.append(EqualisedConv(channels[index], channels[index]))
            self.convs.append(EqualisedConv(channels[index], channels[index - 1]))
        self.last0 = EqualisedConv(channels[0] + 1, channels[0])
        self.last1 = EqualisedLinear(channels[0] * START_HEIGHT * START_WIDTH, channels[0])
        self.logit = EqualisedLinear(channels[0], 1, gain=1.0)
        self.label = EqualisedLinear(channels[0], labels, gain=1.0)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.leaky_relu(self.from_rgb(picture), LEAK)
        for index, conv in enumerate(self.convs):
            x = functional.leaky_relu(conv(x), LEAK)
            if index % 2 == 1:
                x = functional.avg_pool2d(x, 2)
        x = functional.leaky_relu(self.last0(with_batch_deviation(x)), LEAK)
        x = functional.leaky_relu(self.last1(x.flatten(1).float()), LEAK)
        return self.logit(x), self.label(x)


def with_batch_deviation(x: Tensor) -> Tensor:
    """One channel more: the standard deviation over the batch, averaged over everything (Karras et al. 2018)."""
    deviation = torch.sqrt(x.float().var(dim=0, correction=0) + STDDEV_EPSILON).mean()
    return torch.cat([x, deviation.to(x.dtype).expand(len(x), 1, *x.shape[2:])], dim=1)
