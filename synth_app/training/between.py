"""What the net paints where no note was recorded: between the anchors, and anywhere else in the latent space.

An onset that knew the anchors alone would go its own way in a morph, and the net would take over another sound. So it
also learns the net's own first frames at random latents and at places on the way from one anchor to another.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth_app.timbre.latent import slerp
from synth_app.training.harmonics import PITCH_COUNT
from synth_app.training.voice import Voice

NOTES = 2048
"""Enough to learn from: three minutes of painting on two processor cores."""
PAINTED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Between:
    """Notes of the net: latent [N, latent], pitch index [N], picture [N, 2, T, F] of the first frames, float16."""

    latent: Tensor
    pitch: Tensor
    picture: Tensor

    def rows(self, rows: Tensor) -> "Between":
        """Some of them, in float32."""
        return Between(self.latent[rows], self.pitch[rows], self.picture[rows].float())


@torch.no_grad()
def paint_between(voice: Voice, frames: int, notes: int, seed: int, dtype: torch.dtype) -> Between:
    """The net's first frames of so many notes; every second latent is random, the others lie between two anchors."""
    rng = np.random.default_rng([seed, 3])
    generator = voice.generator
    device = generator.pitch_bias.device
    codes = voice.white_codes().cpu().numpy()
    latents = rng.standard_normal((notes, generator.config.latent_size))
    for row in range(0, notes, 2):
        start, end = rng.choice(len(codes), 2, replace=len(codes) < 2)
        latents[row, : codes.shape[1]] = slerp(codes[start], codes[end], float(rng.uniform()))
    latent = torch.from_numpy(latents.astype(np.float32)).to(device)
    pitch = torch.from_numpy(rng.integers(0, PITCH_COUNT, notes)).to(device)
    pictures = []
    for start in range(0, notes, PAINTED_AT_ONCE):
        z, p = (part[start : start + PAINTED_AT_ONCE] for part in (latent, pitch))
        base, h = generator.base(z, p)
        picture = torch.tanh(base + generator.paint(z, p, h, dtype).float())
        pictures.append(picture[:, :, :frames].half())
    return Between(latent, pitch, torch.cat(pictures))
