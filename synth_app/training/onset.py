"""The onset: a note's first frames, painted by a small net of their own, all of them at once.

A struck key waits for its first frames, and GANSynth's net needs nearly as long for them as for a good part of the
note: its low resolutions, where most of the sums are, look at everything. The onset net sees no time. Its frames are
channels, and its convolutions run along frequency alone, over what a small additive synthesizer (the one of the
harmonic head, without ranks: every frame has its own envelopes) has drawn there. It costs a tenth, knows attacks better
than the net does (docs/training.md), and hands over to it within a few frames.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_app.adapters.onnx_writer_arrays import ONSET_DILATIONS, onset_weights
from synth_app.training import harmonics
from synth_app.training.epilogue import pixel_norm
from synth_app.training.layers import COLOURS, LEAK, EqualisedConv, EqualisedLinear


@dataclass(frozen=True, slots=True)
class OnsetSizes:
    """The shape of an onset net.

    Attributes:
        frames: how many it paints, from the note's first; over the last of them the net takes over.
        channels: of its convolutions. hidden: width of the dense layers that read latent and pitch.
    """

    frames: int = 19
    channels: int = 48
    hidden: int = 256


class OnsetBlock(nn.Module):
    """Adds to its input what two convolutions along frequency find, the first one modulated by the note."""

    def __init__(self, sizes: OnsetSizes, dilations: tuple[int, int]) -> None:
        super().__init__()
        channels = sizes.channels
        self.conv0 = EqualisedConv(channels, channels, flat=True, dilation=dilations[0])
        self.conv1 = EqualisedConv(channels, channels, gain=0.5, flat=True, dilation=dilations[1])
        self.scale = EqualisedLinear(sizes.hidden, channels, zero=True)
        self.shift = EqualisedLinear(sizes.hidden, channels, zero=True)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        found = functional.leaky_relu(self.conv0(x), LEAK)
        found = found * (1.0 + self.scale(h)[:, :, None, None]) + self.shift(h)[:, :, None, None]
        added: Tensor = x + self.conv1(found)
        return added


class OnsetNet(nn.Module):
    """(inputs [B, latent + pitches], pitch index [B], bias map, basis) -> the first frames before tanh, [B, 2, T, F].

    Args:
        sizes: its shape.
        gains: of the inputs, as for the side network, [latent + pitches].
        basis_size: functions in the harmonic basis.
        features: harmonic features of every pitch, [pitches, 16, F].
    """

    def __init__(self, sizes: OnsetSizes, gains: Tensor, basis_size: int, features: Tensor) -> None:
        super().__init__()
        self.frames = sizes.frames
        self.m1 = EqualisedLinear(len(gains), sizes.hidden)
        self.m2 = EqualisedLinear(sizes.hidden, sizes.hidden)
        self.env = EqualisedLinear(sizes.hidden, COLOURS * sizes.frames * basis_size, zero=True)
        self.enter = EqualisedConv(harmonics.FEATURES + COLOURS * sizes.frames, sizes.channels, 1)
        self.blocks = nn.ModuleList([OnsetBlock(sizes, dilations) for dilations in ONSET_DILATIONS])
        self.colour = EqualisedConv(sizes.channels, COLOURS * sizes.frames, 1, gain=1.0)
        nn.init.zeros_(self.colour.weight)
        self.register_buffer("gains", gains, persistent=False)
        self.register_buffer("features", features, persistent=False)
        self.register_buffer("weights", torch.from_numpy(onset_weights(sizes.frames))[:, None], persistent=False)
        self.gains: Tensor
        self.features: Tensor
        self.weights: Tensor

    def forward(self, inputs: Tensor, pitch: Tensor, bias: Tensor, basis: Tensor) -> Tensor:
        h = functional.leaky_relu(self.m1(inputs * self.gains), LEAK)
        h = pixel_norm(functional.leaky_relu(self.m2(h), LEAK))
        drawn = self.env(h).view(len(h), COLOURS, self.frames, -1) @ basis[:, None]
        drawn = (drawn + bias).flatten(1, 2)
        x = torch.cat([self.features[pitch], drawn], dim=1)[:, :, None]
        x = self.enter(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x, h)
        picture: Tensor = (drawn + self.colour(x)[:, :, 0]).unflatten(1, (COLOURS, self.frames))
        return picture

    def over(self, picture: Tensor, onset: Tensor) -> Tensor:
        """A picture [B, 2, T, F] of the net whose first frames the onset takes over."""
        first = torch.lerp(picture[:, :, : self.frames], onset, self.weights)
        return torch.cat([first, picture[:, :, self.frames :]], dim=2)
