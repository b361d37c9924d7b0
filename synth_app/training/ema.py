"""A running average of the weights: what is exported, since it is smoother than any single step."""

import torch
from torch import Tensor, nn


class Average:
    """Exponential average of a module's parameters, with a half-life in samples and a ramp-up.

    Early in a stage the half-life is a tenth of its samples so far, so that the average does not remember weights from
    before they were trained (Karras et al. 2020, StyleGAN2-ADA, ramp up likewise).
    """

    def __init__(self, module: nn.Module, half_life: float) -> None:
        self.half_life = half_life
        self.values: dict[str, Tensor] = {name: value.detach().clone() for name, value in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, samples_seen: float, batch: int) -> None:
        """Take in the weights after a step of ``batch`` samples, ``samples_seen`` counted since the stage began.

        Weights without a gradient have not moved, and are left alone.
        """
        half_life = max(min(self.half_life, 0.1 * samples_seen), 1.0)
        keep = 0.5 ** (batch / half_life)
        pairs = [(self.values[name], value) for name, value in module.named_parameters() if value.grad is not None]
        torch._foreach_lerp_([old for old, _ in pairs], [new.detach() for _, new in pairs], 1.0 - keep)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Put the average into a module of the same shape."""
        for name, value in module.named_parameters():
            value.copy_(self.values[name])
