"""How far a growing generator has grown: at which resolution a picture is painted, judged and compared.

Progressive growing (Karras et al. 2018) trains coarse pictures first and fades each finer resolution in: for a while
the picture is a mixture of the coarser one, made larger, and the finer one; real pictures are mixed alike.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Growth:
    """``level`` says how many times the picture is halved (0 is full size); ``share`` how much of it is its own, the
    rest being the next coarser picture made larger."""

    level: int = 0
    share: float = 1.0

    @property
    def fading(self) -> bool:
        """Whether the next coarser picture still counts."""
        return self.share < 1.0

    def of(self, picture: Tensor) -> Tensor:
        """A full-size picture [B, 2, T, F] as it looks at this moment: box-filtered, and mixed while it fades."""
        fine = functional.avg_pool2d(picture, 1 << self.level) if self.level else picture
        if not self.fading:
            return fine
        return torch.lerp(enlarged(functional.avg_pool2d(fine, 2)), fine, self.share)


def enlarged(picture: Tensor) -> Tensor:
    """Twice the size, by repetition."""
    return functional.interpolate(picture, scale_factor=2, mode="nearest")
