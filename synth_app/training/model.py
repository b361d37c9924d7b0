"""The networks: GANSynth's generator and discriminator, and the heads that know where partials lie.

The plain generator is Magenta's ``mel_prog_hires`` at any width: seven resolutions from 2 x 16 to 128 x 1024, nearest
upsampling, equalised learning rates, pixel norm. Three additions start at exactly zero, so a generator with them is a
strict superset of one without: a map of biases for each pitch, a log-domain additive synthesizer whose parameters a
small side network reads from (latent, pitch), and modulation (FiLM and harmonic features) of every block.

Shapes follow torch: images are [batch, channels, time, frequency]; pitch is an index, MIDI note minus 24.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_app.spectral.config import SpectralConfig
from synth_app.training import harmonics
from synth_app.training.epilogue import compiled_shaped, pixel_norm, shaped
from synth_app.training.layers import COLOURS, LEAK, EqualisedConv, EqualisedLinear
from synth_app.training.onset import OnsetNet, OnsetSizes
from synth_app.training.representation import Representation

INPUT_CODE_GAIN, INPUT_NOISE_GAIN, INPUT_PITCH_GAIN = 4.0, 0.05, 8.0
SIDE_CODE_GAIN, SIDE_NOISE_GAIN, SIDE_PITCH_GAIN = 2.0, 0.1, 4.0


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """The shape of a generator.

    Attributes:
        channels: of the seven blocks, coarse to fine; GANSynth has (256, 256, 256, 256, 128, 64, 32).
        latent_size: 256 in GANSynth.
        code_size: leading latent dimensions that carry the timbre; the others are noise.
        heads: whether the additions are there at all.
        hidden: width of the side network. film: how much of it the modulation reads.
        ranks: time envelopes for each channel of the additive head.
        partials, cosines: size of its basis, see ``harmonics.raw_basis``.
        representation: what the picture is; its geometry and the places of the partials follow from it.
        blur: whether a pitch is told together with its neighbours (``harmonics.pitch_codes``); not in GANSynth.
        onset: the small net that paints the first frames, if there is one.
    """

    channels: tuple[int, ...] = (128, 128, 128, 128, 64, 32, 16)
    latent_size: int = 256
    code_size: int = 24
    heads: bool = True
    hidden: int = 384
    film: int = 64
    ranks: int = 24
    partials: int = 48
    cosines: int = 24
    representation: Representation = field(default_factory=Representation)
    blur: bool = True
    onset: OnsetSizes | None = None

    @property
    def inputs(self) -> int:
        """Length of latent and one-hot pitch together: 317 in GANSynth."""
        return self.latent_size + harmonics.PITCH_COUNT

    @property
    def blocks(self) -> int:
        """How many resolutions there are."""
        return len(self.channels)

    @property
    def spectral(self) -> SpectralConfig:
        """The picture that the last block paints: 128 x 1024 for seven blocks."""
        return self.representation.spectral(self.blocks)


def _side_gains(config: GeneratorConfig) -> Tensor:
    """What small networks multiply latent and pitch by, [inputs]: the code is heard above the noise."""
    noise = config.latent_size - config.code_size
    gains = [SIDE_CODE_GAIN] * config.code_size + [SIDE_NOISE_GAIN] * noise
    return torch.tensor(gains + [SIDE_PITCH_GAIN] * harmonics.PITCH_COUNT)


class SideNetwork(nn.Module):
    """(latent, one-hot) -> h [batch, hidden]: what the heads and the modulation know about the note."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.m1 = EqualisedLinear(config.inputs, config.hidden)
        self.m2 = EqualisedLinear(config.hidden, config.hidden)
        self.register_buffer("gains", _side_gains(config), persistent=False)
        self.gains: Tensor

    def forward(self, x: Tensor) -> Tensor:
        h = functional.leaky_relu(self.m1(x * self.gains), LEAK)
        return pixel_norm(functional.leaky_relu(self.m2(h), LEAK))


class HarmonicHead(nn.Module):
    """The additive synthesizer in the log domain: sum over ranks of a time curve times an envelope over partials."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        raw = harmonics.raw_basis(config.spectral, config.representation, config.partials, config.cosines)
        scale = harmonics.basis_scale(raw)
        self.ranks, self.size = config.ranks, raw.shape[1]
        self.frames = config.spectral.frames
        self.register_buffer("basis", torch.tensor(raw * scale[:, None], dtype=torch.float32), persistent=False)
        self.register_buffer("basis_scale", torch.tensor(scale, dtype=torch.float32), persistent=False)
        self.basis: Tensor
        self.basis_scale: Tensor
        self.time = EqualisedLinear(config.hidden, COLOURS * self.ranks * self.frames)
        self.env = EqualisedLinear(config.hidden, COLOURS * self.ranks * self.size, zero=True)
        nn.init.normal_(self.time.bias)

    def forward(self, h: Tensor, pitch: Tensor, frames: Tensor | None = None) -> Tensor:
        """[batch, 2, frames, bins], to be added before tanh; all frames, or those named."""
        time: Tensor = self.time(h).view(-1, COLOURS, self.ranks, self.frames)
        if frames is not None:
            time = time[..., frames]
        env: Tensor = self.env(h).view(-1, COLOURS * self.ranks, self.size) @ self.basis[pitch]
        env = env.view(-1, COLOURS, self.ranks, env.shape[-1])
        picture: Tensor = time.transpose(2, 3) @ env * float(self.ranks) ** -0.5
        return picture


class Film(nn.Module):
    """Scale and shift of a convolution's output, read from the side network; zero at first."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.scale = EqualisedLinear(inputs, channels, zero=True)
        self.shift = EqualisedLinear(inputs, channels, zero=True)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.scale(h), self.shift(h)


class Block(nn.Module):
    """Two convolutions of one resolution. The first block's first is dense, from the input vector."""

    def __init__(self, config: GeneratorConfig, index: int) -> None:
        super().__init__()
        channels = config.channels[index]
        self.start = config.representation.start
        self.conv0: EqualisedLinear | EqualisedConv
        if index == 0:
            area = self.start[0] * self.start[1]
            self.conv0 = EqualisedLinear(config.inputs, channels * area, fan_in=config.inputs * area)
            self.conv0.bias = nn.Parameter(torch.zeros(channels))
        else:
            self.conv0 = EqualisedConv(config.channels[index - 1], channels)
        self.conv1 = EqualisedConv(channels, channels)
        self.shaped: Callable[[Tensor, Tensor | None, Tensor | None], Tensor] = shaped
        self.film = nn.ModuleList([Film(config.film, channels) for _ in range(2 if config.heads else 0)])
        self.harm = nn.Parameter(torch.zeros(channels, harmonics.FEATURES)) if config.heads else None
        if config.heads:
            features = harmonics.pooled_features(config.spectral, config.representation, self.start[1] << index)
            self.register_buffer("features", torch.tensor(features, dtype=torch.float32), persistent=False)
            self.features: Tensor

    def first(self, x: Tensor) -> Tensor:
        """The first convolution: [batch, inputs] or [batch, channels, time, frequency] at half the size."""
        if isinstance(self.conv0, EqualisedConv):
            upsampled: Tensor = self.conv0(functional.interpolate(x, scale_factor=2, mode="nearest"))
            return upsampled
        dense = x @ (self.conv0.weight * self.conv0.scale).to(x.dtype)
        image: Tensor = dense.view(len(x), -1, *self.start) + self.conv0.bias.to(x.dtype)[:, None, None]
        return image.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, h: Tensor | None, pitch: Tensor) -> Tensor:
        if h is None or self.harm is None:
            return self.shaped(self.conv1(self.shaped(self.first(x), None, None)), None, None)
        scale, shift = self.film[0](h)
        harmonic = self.harm @ self.features[pitch]
        x = self.shaped(self.first(x), scale, shift[:, :, None] + harmonic)
        scale, shift = self.film[1](h)
        return self.shaped(self.conv1(x), scale, shift[:, :, None])


class Generator(nn.Module):
    """(latent [B, 256], pitch index [B]) -> picture [B, 2, 128, 1024] in -1..1: log-mel power, inst. freq."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        spectral = config.spectral
        self.blocks = nn.ModuleList([Block(config, index) for index in range(config.blocks)])
        self.rgb = EqualisedConv(config.channels[-1], COLOURS, 1, gain=1.0)
        self.pitch_bias = nn.Parameter(torch.zeros(harmonics.PITCH_COUNT, COLOURS, spectral.bins))
        codes = harmonics.pitch_codes(config.blur)
        self.register_buffer("pitch_codes", torch.from_numpy(codes), persistent=False)
        self.pitch_codes: Tensor
        self.side = SideNetwork(config) if config.heads else None
        self.head = HarmonicHead(config) if config.heads else None
        self.onset = self._make_onset(config.onset) if config.onset is not None else None

    def _make_onset(self, sizes: OnsetSizes) -> OnsetNet:
        assert self.head is not None, "the onset net draws with the harmonic head's basis"
        features = harmonics.harmonic_features(self.config.spectral, self.config.representation)
        gains, features32 = _side_gains(self.config), torch.tensor(features, dtype=torch.float32)
        return OnsetNet(sizes, gains, self.head.size, features32)

    @property
    def stack(self) -> list[Block]:
        """The blocks, coarse to fine."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def emphasise_code(self) -> None:
        """Start the first layer so that the code and the pitch are heard above the noise."""
        first = self.stack[0].conv0.weight
        code, latent = self.config.code_size, self.config.latent_size
        with torch.no_grad():
            first[:code] *= INPUT_CODE_GAIN
            first[code:latent] *= INPUT_NOISE_GAIN
            first[latent:] *= INPUT_PITCH_GAIN

    def compile_epilogue(self) -> None:
        """Fuse the work between convolutions into compiled loops; the first step at each resolution takes longer."""
        for block in self.stack:
            block.shaped = compiled_shaped()

    def inputs(self, latent: Tensor, pitch: Tensor) -> Tensor:
        """Latent and pitch code side by side, [B, 317]; at export the first layers take one-hots instead."""
        return torch.cat([latent, self.pitch_codes[pitch].to(latent.dtype)], dim=1)

    def base(self, latent: Tensor, pitch: Tensor, frames: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What needs no convolution: (bias map plus additive head before tanh [B, 2, T, F], side network's h)."""
        picture = self.pitch_bias[pitch][:, :, None, :]
        if self.side is None or self.head is None:
            return picture, None
        h = self.side(self.inputs(latent, pitch))
        return picture + self.head(h, pitch, frames), h

    def features(
        self, latent: Tensor, pitch: Tensor, h: Tensor | None, dtype: torch.dtype = torch.float32, skip: int = 0
    ) -> Tensor:
        """What the last block (or the one ``skip`` before it) hands to the colour layer, [B, C, T, F]."""
        x = pixel_norm(self.inputs(latent, pitch)).to(dtype)
        for block in self.stack[: self.config.blocks - skip]:
            x = block(x, self._film(h), pitch)
        return x

    def refined(self, features: Tensor, h: Tensor | None, pitch: Tensor, level: int) -> Tensor:
        """Features of one block fewer, after the block that is ``level`` before the last."""
        finer: Tensor = self.stack[self.config.blocks - 1 - level](features, self._film(h), pitch)
        return finer

    def _film(self, h: Tensor | None) -> Tensor | None:
        return None if h is None else h[:, : self.config.film]

    def paint(self, latent: Tensor, pitch: Tensor, h: Tensor | None, dtype: torch.dtype = torch.float32) -> Tensor:
        """What the convolutions add before tanh, [B, 2, T, F]."""
        picture: Tensor = self.rgb(self.features(latent, pitch, h, dtype))
        return picture

    def forward(self, latent: Tensor, pitch: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        picture, h = self.base(latent, pitch)
        return self.with_onset(torch.tanh(picture + self.paint(latent, pitch, h, dtype).float()), latent, pitch)

    def with_onset(self, picture: Tensor, latent: Tensor, pitch: Tensor) -> Tensor:
        """A picture of the net [B, 2, T, F] with its first frames as the onset net paints them, if there is one."""
        return picture if self.onset is None else self.onset.over(picture, self.onset_only(latent, pitch))

    def onset_only(self, latent: Tensor, pitch: Tensor) -> Tensor:
        """The frames that the onset net paints, [B, 2, T, F]."""
        assert self.onset is not None and self.head is not None
        bias, basis = self.pitch_bias[pitch][:, :, None], self.head.basis[pitch]
        return torch.tanh(self.onset(self.inputs(latent, pitch), pitch, bias, basis))

    def heads_only(self, latent: Tensor, pitch: Tensor, frames: Tensor | None = None) -> Tensor:
        """The note without its convolutions; all frames, or those named."""
        picture, _ = self.base(latent, pitch, frames)
        count = self.config.spectral.frames if frames is None else len(frames)
        return torch.tanh(picture.expand(-1, -1, count, -1))
