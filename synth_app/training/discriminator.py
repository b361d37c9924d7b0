"""GANSynth's discriminator, for an adversarial stage: is a picture real or painted, and what are its labels?"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_app.training.growth import Growth
from synth_app.training.layers import COLOURS, LEAK, EqualisedConv, EqualisedLinear

STDDEV_EPSILON = 1e-6


class Discriminator(nn.Module):
    """Mirror image of the generator, growing with it.

    Takes pictures [B, 2, T, F] in the normalised range, at a moment of the growth; returns (logits [B, 1], label
    logits [B, labels], instrument logits [B, instruments] or ``None``).

    Args:
        channels: as the generator's, coarse to fine.
        labels: pitches to tell apart. instruments: likewise, 0 for no such head.
        start: rows and columns that the generator begins with.
        levels: coarser sizes that it will be asked about, beside full size.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        labels: int,
        *,
        instruments: int = 0,
        start: tuple[int, int] = (2, 16),
        levels: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.from_rgb = EqualisedConv(COLOURS, channels[-1], 1)
        self.coarse = nn.ModuleDict({str(level): EqualisedConv(COLOURS, channels[-1 - level], 1) for level in levels})
        self.convs = nn.ModuleList()
        for index in range(len(channels) - 1, 0, -1):
            self.convs.append(EqualisedConv(channels[index], channels[index]))
            self.convs.append(EqualisedConv(channels[index], channels[index - 1]))
        self.last0 = EqualisedConv(channels[0] + 1, channels[0])
        self.last1 = EqualisedLinear(channels[0] * start[0] * start[1], channels[0])
        self.logit = EqualisedLinear(channels[0], 1, gain=1.0)
        self.label = EqualisedLinear(channels[0], labels, gain=1.0)
        self.instrument = EqualisedLinear(channels[0], instruments, gain=1.0) if instruments else None

    def forward(self, picture: Tensor, growth: Growth | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        growth = growth or Growth()
        x = self._colours(picture, growth.level)
        for level in range(growth.level, len(self.convs) // 2):
            for conv in self.convs[2 * level : 2 * level + 2]:
                x = functional.leaky_relu(conv(x), LEAK)
            x = functional.avg_pool2d(x, 2)
            if growth.fading and level == growth.level:
                x = torch.lerp(self._colours(functional.avg_pool2d(picture, 2), level + 1), x, growth.share)
        x = functional.leaky_relu(self.last0(with_batch_deviation(x)), LEAK)
        x = functional.leaky_relu(self.last1(x.flatten(1).float()), LEAK)
        return self.logit(x), self.label(x), None if self.instrument is None else self.instrument(x)

    def _colours(self, picture: Tensor, level: int) -> Tensor:
        layer = self.coarse[str(level)] if level else self.from_rgb
        return functional.leaky_relu(layer(picture), LEAK)


def with_batch_deviation(x: Tensor) -> Tensor:
    """One channel more: the standard deviation over the batch, averaged over everything (Karras et al. 2018)."""
    deviation = torch.sqrt(x.float().var(dim=0, correction=0) + STDDEV_EPSILON).mean()
    return torch.cat([x, deviation.to(x.dtype).expand(len(x), 1, *x.shape[2:])], dim=1)
