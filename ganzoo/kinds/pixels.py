"""Pixels of 8 bits to what networks see, and back."""

from __future__ import annotations

import torch
from torch import Tensor


def to_unit_range(samples: Tensor) -> Tensor:
    """uint8 images 0..255 -> float32 in [-1, 1]; everything else (labels, points) as it is."""
    return samples.to(torch.float32).div_(127.5).sub_(1.0) if samples.dtype == torch.uint8 else samples


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] -> uint8 0..255, rounded and clipped, as a PNG holds them: the inverse of `to_unit_range`."""
    return images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
