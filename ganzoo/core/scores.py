"""A discriminator's scores: one tensor, or a list of them, one a scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def scales(scores: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """The scores of each scale; a single tensor is one scale."""
    return [scores] if isinstance(scores, Tensor) else scores


def over_scales(loss: Callable[[Tensor, Any], Tensor], first: Any, second: Any) -> Tensor:
    """A loss of scores, summed over the scales (Wang et al., 2018, arXiv:1711.11585, Eq. 3).

    first, second: scores, each a tensor or a list; second may be None, where a loss does not read it.
    """
    if isinstance(first, Tensor):
        return loss(first, second)
    seconds = [None] * len(first) if second is None else second
    return torch.stack([loss(one, other) for one, other in zip(first, seconds, strict=True)]).sum()


def chance(scores: Sequence[Tensor]) -> Tensor:
    """The mean chance of being real that scores stand for, over all scales: a scalar."""
    if len(scores) == 1:
        return scores[0].sigmoid().mean()
    return torch.stack([each.sigmoid().mean() for each in scores]).mean()
