"""Ways through a latent space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor


def walk_latents(
    latents: Callable[[int], Tensor], n: int, *, stops: int, frames: int, closed: bool
) -> Iterator[Tensor]:
    """Latents (n, d) for each point of a way through `stops` random ones, as `Game.walk` describes it.

    Between two stops it moves on the sphere that connects them (spherical interpolation, White, 2016,
    arXiv:1609.04468): a straight line would cross where a normal prior has no mass.
    """
    corners = [latents(n) for _ in range(stops)]
    for start, end in pairwise([*corners, corners[0]] if closed else corners):
        for frame in range(frames):
            yield slerp(start, end, frame / frames)
    if not closed:
        yield corners[-1]


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation between latents (n, d), for share in [0, 1] (Shoemake, 1985)."""
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=-1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = torch.acos(cosine).unsqueeze(-1)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)
