"""What is trained together: a generator and the codes of the timbres it knows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synth_app.training.config import COARSE_LEVELS
from synth_app.training.features import IF_A
from synth_app.training.feed import NoteFeed
from synth_app.training.growth import Growth, enlarged
from synth_app.training.layers import COLOURS, EqualisedConv
from synth_app.training.losses import IF_COMPRESSION
from synth_app.training.model import Generator, GeneratorConfig

SUMMARY_NOTES = 12


class Voice(nn.Module):
    """Generator, one code for each anchor, and the colour layers of unfinished (coarser) generators.

    The colour layers start at zero, so convolutions that come late to trained heads begin by adding nothing; and the
    first layer starts so that the code and the pitch are heard above the noise. ``from_scratch`` does neither.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        anchors: int,
        levels: tuple[int, ...] = COARSE_LEVELS,
        *,
        from_scratch: bool = False,
    ) -> None:
        super().__init__()
        self.generator = Generator(config)
        self.codes = nn.Parameter(torch.randn(anchors, config.code_size))
        levels = levels if config.blocks > max(COARSE_LEVELS) else ()
        self.coarse = nn.ModuleDict(
            {str(level): EqualisedConv(config.channels[-1 - level], COLOURS, 1, gain=1.0) for level in levels}
        )
        if from_scratch:
            return
        self.generator.emphasise_code()
        with torch.no_grad():
            for value in (*self.generator.rgb.parameters(), *self.coarse.parameters()):
                value.zero_()

    def white_codes(self) -> Tensor:
        """The codes with mean zero and unit covariance, [anchors, code_size]: a draw from N(0, I) lies among them."""
        centred = self.codes - self.codes.mean(dim=0)
        ridge = 1e-4 * torch.eye(centred.shape[1], device=centred.device)
        covariance = centred.T @ centred / len(centred) + ridge
        white: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), centred.T, upper=False).T
        return white

    def latents(self, anchor: Tensor, noise: Tensor, code_noise: float) -> Tensor:
        """[B, latent]: the anchors' codes, a little blurred by ``noise`` [B, latent], which also fills the rest."""
        codes = self.white_codes()[anchor]
        size = codes.shape[1]
        return torch.cat([codes + code_noise * noise[:, :size], noise[:, size:]], dim=1)

    def picture(self, latent: Tensor, pitch: Tensor, growth: Growth, dtype: torch.dtype) -> Tensor:
        """The picture as heads and net paint it at a moment of the growth, [B, 2, T >> level, F >> level].

        A generator without its last blocks adds to the heads' picture, made as small; while a size fades in, the
        picture is a mixture of what the coarser convolutions and the finer ones make of it.
        """
        generator, level = self.generator, growth.level
        base, h = generator.base(latent, pitch)
        if level:
            base = functional.avg_pool2d(base.expand(-1, -1, generator.config.spectral.frames, -1), 1 << level)
        if not growth.fading:
            features = generator.features(latent, pitch, h, dtype, skip=level)
            return torch.tanh(base + self._colours(features, level))
        coarse = generator.features(latent, pitch, h, dtype, skip=level + 1)
        before = torch.tanh(base + enlarged(self._colours(coarse, level + 1)))
        after = torch.tanh(base + self._colours(generator.refined(coarse, h, pitch, level), level))
        return torch.lerp(before, after, growth.share)

    def _colours(self, features: Tensor, level: int) -> Tensor:
        layer = self.coarse[str(level)] if level else self.generator.rgb
        added: Tensor = layer(features)
        return added.float()

    def net_parameters(self) -> list[nn.Parameter]:
        """Everything that belongs to the convolutions."""
        return [*self.generator.blocks.parameters(), *self.generator.rgb.parameters(), *self.coarse.parameters()]

    def onset_parameters(self) -> list[nn.Parameter]:
        """Everything that belongs to the onset net."""
        return [] if self.generator.onset is None else list(self.generator.onset.parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        """Everything that can be trained without them, except the codes."""
        parts = [part for part in (self.generator.side, self.generator.head) if part is not None]
        return [self.generator.pitch_bias, *(value for part in parts for value in part.parameters())]


@torch.no_grad()
def start_from_data(voice: Voice, feed: NoteFeed, seed: int) -> None:
    """Set the pitch map to the average note and the codes to the main differences between timbres.

    The map is the mean log-mel level and the amplitude-weighted circular mean of instantaneous frequency of each pitch;
    the codes are the leading principal components of each timbre's coarse average picture, seen relative to the map.
    """
    rng = np.random.default_rng([seed, 77])
    count = len(feed.anchors)
    shape = voice.generator.pitch_bias.shape
    level, weight = torch.zeros(shape[0], shape[2]), torch.zeros(shape[0], 1)
    phasor = torch.zeros(shape[0], shape[2], dtype=torch.complex64)
    summaries: list[list[tuple[int, Tensor]]] = [[] for _ in range(count)]
    for anchor in range(count):
        rows = np.flatnonzero(feed.table[:, 0] == anchor)
        batch = feed.load(rng.choice(rows, min(SUMMARY_NOTES * 2, len(rows)), replace=False))
        batch = batch.to(level.device)
        for pitch, picture in zip(batch.pitch.tolist(), batch.picture, strict=True):
            level[pitch] += picture[0].mean(dim=0)
            weight[pitch] += 1.0
            amplitude = torch.exp((picture[0] - picture[0].amax()) * IF_COMPRESSION)
            phasor[pitch] += (torch.polar(amplitude, picture[1] * (torch.pi / IF_A))).sum(dim=0)
            summaries[anchor].append((pitch, functional.adaptive_avg_pool2d(picture[:1], (16, 64)).flatten()))
    level = level / weight.clamp_min(1.0)
    angle = torch.angle(phasor) * (IF_A / torch.pi)
    mean = torch.stack([level, angle], dim=1).clamp(-0.97, 0.97)
    voice.generator.pitch_bias.copy_(torch.atanh(mean))
    pooled = functional.adaptive_avg_pool1d(level[:, None], 64)[:, 0]
    profile = torch.stack([
        torch.stack([picture.view(16, 64) - pooled[pitch] for pitch, picture in notes]).mean(dim=0).flatten()
        for notes in summaries
    ])  # fmt: skip
    voice.codes.copy_(torch.from_numpy(_principal(profile.numpy(), voice.codes.shape[1], rng)))


def _principal(profile: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Leading principal components of [anchors, features], each scaled to unit variance; noise where there are none."""
    left, strength, _ = np.linalg.svd(profile - profile.mean(axis=0), full_matrices=False)
    codes = rng.standard_normal((len(profile), size))
    known = min(size, int((strength > 1e-3 * strength.max()).sum()))
    codes[:, :known] = left[:, :known] * np.sqrt(len(profile))
    return codes.astype(np.float32)
