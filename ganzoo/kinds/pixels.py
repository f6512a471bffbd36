"""Conversion between pixels of 8 or 16 bits and floating point in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.errors import DatasetError


def max_pixel_value(dtype: torch.dtype) -> int:
    """The largest value of a pixel: 255 or 65,535; 0 for floating point. Raises: DatasetError for other dtypes."""
    if dtype.is_floating_point:
        return 0
    if dtype not in (torch.uint8, torch.uint16):
        name = str(dtype).removeprefix("torch.")
        raise DatasetError(f"images are stored as uint8, uint16 or float32, not as {name}.")
    return torch.iinfo(dtype).max


def to_unit_range(pixels: Tensor) -> Tensor:
    """Pixels of 8 or 16 bits -> float32 in [-1, 1]; floating point is unchanged."""
    largest = max_pixel_value(pixels.dtype)
    return pixels.to(torch.float32).div_(largest / 2).sub_(1.0) if largest else pixels


def to_pixels(images: Tensor, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Images in [-1, 1] -> pixels, rounded and clipped: the inverse of `to_unit_range`; floating point is unchanged."""
    largest, images = max_pixel_value(dtype), images.detach().float()
    return images.clamp(-1, 1).add(1).mul(largest / 2).round().to(dtype) if largest else images
