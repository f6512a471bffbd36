"""Gradient clipping by norm (Pascanu et al., 2013, arXiv:1211.5063, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class GradientClipping:
    """Scales a player's whole gradient down to a largest norm, right before each step of its optimizer.

    What was registered on the optimizer before it, such as the average over ranks, is done first. Nothing waits for the
    device.
    parameters: the player's; clip_norm: the largest Euclidean norm of all their gradients together.
    norm: that of the last gradient before it was clipped, a scalar on the device.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], *, clip_norm: float
    ) -> None:
        self.parameters = parameters
        self.clip_norm = clip_norm
        self.norm = torch.zeros((), device=parameters[0].device)
        optimizer.register_step_pre_hook(self)

    def __call__(self, *_: object) -> None:
        """Clips the gradients that are there."""
        norm: Tensor = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.norm.copy_(norm)  # into its own memory, which a captured round writes to again
