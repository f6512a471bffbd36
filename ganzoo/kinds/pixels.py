"""Pixels of 8 and 16 bits to what networks see, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.errors import DatasetError


def depth_of(dtype: torch.dtype) -> int:
    """The largest value of a pixel: 255 or 65,535; 0 for floating point. Raises: DatasetError for other dtypes."""
    if dtype.is_floating_point:
        return 0
    if dtype not in (torch.uint8, torch.uint16):
        name = str(dtype).removeprefix("torch.")
        raise DatasetError(f"images are stored as uint8, uint16 or float32, not as {name}.")
    return torch.iinfo(dtype).max


def to_unit_range(pixels: Tensor) -> Tensor:
    """Pixels of 8 or 16 bits -> float32 in [-1, 1]; floating point as it is."""
    depth = depth_of(pixels.dtype)
    return pixels.to(torch.float32).div_(depth / 2).sub_(1.0) if depth else pixels


def to_pixels(images: Tensor, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Images in [-1, 1] -> pixels, rounded and clipped, as a PNG holds them: the inverse of `to_unit_range`."""
    depth, images = depth_of(dtype), images.detach().float()
    return images.clamp(-1, 1).add(1).mul(depth / 2).round().to(dtype) if depth else images
