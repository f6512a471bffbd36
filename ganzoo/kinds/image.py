"""Images of any number of channels, 8 or 16 bits deep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.core.data import Field
from ganzoo.errors import GanzooError, OptionError
from ganzoo.kinds.kind import Kind
from ganzoo.kinds.pictures import grid, write_png
from ganzoo.kinds.pixels import depth_of, to_pixels, to_unit_range

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


SIDE = 16
"""Pixels a side in which near copies of images are searched for."""


class Image(Kind):
    """Images (channels, height, width), stored as uint8 or uint16 pixels or as float32; networks see [-1, 1].

    shown: the channels that a picture shows as red, green and blue, or one that it shows in grey; by default the first
        three, or the first where there are fewer.
    Raises: OptionError unless `shown` names one channel or three.
    """

    plural = "images"
    bounds = (-1.0, 1.0)
    extractor = "inception"
    endings = (".png", ".npy", ".npz")

    def __init__(self, *, shown: tuple[int, ...] = ()) -> None:
        self.shown = tuple(shown)
        if len(self.shown) not in (0, 1, 3) or min(self.shown, default=0) < 0:
            raise OptionError(f"a picture shows one channel or three, not {self.shown}.", remedy="Set shown = [0].")

    def to_unit(self, stored: Tensor) -> Tensor:
        """Pixels (n, channels, height, width) -> float32 in [-1, 1]."""
        return to_unit_range(stored)

    def from_unit(self, samples: Tensor, field: Field) -> Tensor:
        """Images (n, channels, height, width) in [-1, 1] -> pixels of the field's depth, rounded and clipped."""
        return to_pixels(samples, field.torch_dtype)

    def coarse(self, samples: Tensor) -> Tensor:
        """Their pixels in [0, 1], of at most 16 x 16: enough to tell two pictures apart."""
        height, width = (min(SIDE, side) for side in samples.shape[2:])
        parts = [
            adaptive_avg_pool2d((part.float() + 1) / 2, (height, width)).flatten(1) for part in samples.split(1000)
        ]
        return torch.cat(parts)

    def picture(self, samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Picture:
        """Images (n, channels, height, width) in [-1, 1] as a grid, pixel for pixel."""
        return grid(self.visible(samples), columns)

    def visible(self, samples: Tensor) -> Tensor:
        """The channels that a picture shows: (n, 1 or 3, height, width)."""
        channels = samples.shape[1]
        chosen = self.shown or ((0, 1, 2) if channels >= 3 else (0,))
        if max(chosen) >= channels:
            raise GanzooError(f"images of {channels} channels have no channel {max(chosen)} to show.")
        return samples if channels == len(chosen) else samples[:, list(chosen)]

    def write(self, samples: Tensor, path: Path, field: Field, named: Mapping[str, Tensor] | None = None) -> None:
        """As every kind does; a .png is a grid of all images (one grey image of 16 bits keeps them)."""
        if path.suffix.lower() != ".png":
            super().write(samples, path, field, named)
        elif depth_of(field.torch_dtype) > 255 and samples.shape[:2] == (1, 1):
            from PIL import Image as Images

            pixels = self.from_unit(samples, field)[0, 0].cpu().numpy()
            write_png(Images.fromarray(pixels), path)
        else:
            write_png(self.picture(samples), path)

    def read(self, path: Path, field: Field, *, fit: bool = False) -> Tensor:
        """Images (n, channels, height, width) in [-1, 1]; a picture is one, grey or in colours as the field is.

        fit: whether a picture is scaled and cropped to the field's size; else it keeps its own.
        """
        if path.suffix.lower() in (".npy", ".npz"):
            return super().read(path, field)
        from ganzoo.datasets.image_files import decode_image, open_image, to_tensor

        channels, height, width = field.shape
        try:
            pixels = decode_image(path, channels, height, width) if fit else to_tensor(open_image(path, channels))
        except (OSError, ValueError, SyntaxError, MemoryError) as error:
            raise GanzooError(f"{path}: this image cannot be read: {error}.") from error
        return torch.unsqueeze(self.to_unit(pixels), 0)
