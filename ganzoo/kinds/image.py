"""Images of any number of channels, 8 or 16 bits deep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.core.data import Field
from ganzoo.errors import GanzooError, OptionError
from ganzoo.kinds.kind import ARRAY_ENDINGS, Kind
from ganzoo.kinds.pictures import grid, write_png
from ganzoo.kinds.pixels import max_pixel_value, to_pixels, to_unit_range

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


COARSE_SIDE = 16
"""Pixels a side to which images are reduced in the search for near copies."""


class Image(Kind):
    """Images (channels, height, width), stored as uint8 or uint16 pixels or as float32; networks see [-1, 1].

    Pictures have 8 bits a channel: 16-bit values are rounded to the nearest of 256 levels.

    shown: the channels that a picture shows as red, green and blue, or one that it shows in grey; by default the first
        three, or the first where there are fewer.
    alpha: whether the last channel is opacity, from -1 (transparent) to 1; pictures are composited on middle grey.
    Raises: OptionError unless `shown` names one channel or three.
    """

    plural = "images"
    bounds = (-1.0, 1.0)
    clips = True
    extractor = "inception"
    endings = (".png", ".npy", ".npz")

    def __init__(self, *, shown: tuple[int, ...] = (), alpha: bool = False) -> None:
        self.shown = tuple(shown)
        self.alpha = alpha
        if len(self.shown) not in (0, 1, 3) or min(self.shown, default=0) < 0:
            raise OptionError(f"a picture shows one channel or three, not {self.shown}.", remedy="Set shown = [0].")

    def to_unit(self, stored: Tensor) -> Tensor:
        """Pixels (n, channels, height, width) -> float32 in [-1, 1]."""
        return to_unit_range(stored)

    def from_unit(self, samples: Tensor, field: Field) -> Tensor:
        """Images (n, channels, height, width) in [-1, 1] -> pixels of the field's depth, rounded and clipped."""
        return to_pixels(samples, field.torch_dtype)

    def coarse(self, samples: Tensor) -> Tensor:
        """The images' pixels in [0, 1], reduced to at most 16 x 16: enough to tell two images apart."""
        height, width = (min(COARSE_SIDE, side) for side in samples.shape[2:])
        parts = [
            adaptive_avg_pool2d((part.float() + 1) / 2, (height, width)).flatten(1) for part in samples.split(1000)
        ]
        return torch.cat(parts)

    def picture(self, samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Picture:
        """Images (n, channels, height, width) in [-1, 1] as a grid, pixel for pixel."""
        return grid(self.displayed_channels(samples), columns)

    def displayed_channels(self, samples: Tensor) -> Tensor:
        """The channels that a picture shows: (n, 1 or 3, height, width)."""
        channels = samples.shape[1] - self.alpha
        chosen = self.shown or ((0, 1, 2) if channels >= 3 else (0,))
        if max(chosen) >= channels:
            raise GanzooError(f"images of {channels} channels have no channel {max(chosen)} to show.")
        colours = samples if samples.shape[1] == len(chosen) else samples[:, list(chosen)]
        return colours * ((samples[:, -1:].clamp(-1, 1) + 1) / 2) if self.alpha else colours  # middle grey is 0

    def write(self, samples: Tensor, path: Path, field: Field, extra: Mapping[str, Tensor] | None = None) -> None:
        """As in `Kind.write`. A .png of one image stores it without loss where PNG files can: 8 bits in 1 or 3 channels
        or with alpha, 16 bits in 1 channel. Every other .png is a picture: a grid of the channels shown.
        """
        if path.suffix.lower() != ".png":
            super().write(samples, path, field, extra)
        else:
            write_png(self.lossless(samples, field) or self.picture(samples), path)

    def lossless(self, samples: Tensor, field: Field) -> Picture | None:
        """One image (1, channels, height, width) as a picture without loss; None for several, or where impossible."""
        from PIL import Image as Images

        supported = {torch.uint8: (2, 4) if self.alpha else (1, 3), torch.uint16: (1,)}.get(field.torch_dtype, ())
        if len(samples) != 1 or samples.shape[1] not in supported or self.shown:
            return None
        pixels = self.from_unit(samples, field)[0].permute(1, 2, 0).cpu().numpy()
        return Images.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels.copy())

    def read(self, path: Path, field: Field, *, fit: bool = False) -> Tensor:
        """Images (n, channels, height, width) in [-1, 1]; an image file gives one, in the field's channels and depth.

        fit: whether an image file is scaled and cropped to the field's size; else it keeps its own.
        Raises: GanzooError where it cannot be read, or where the field has channels that image files do not have.
        """
        if path.suffix.lower() in ARRAY_ENDINGS:
            return super().read(path, field)
        from ganzoo.datasets.image_decoding import decode_image
        from ganzoo.datasets.image_opening import damage

        channels = field.shape[0]
        if channels not in ((2, 4) if self.alpha else (1, 3)):
            raise GanzooError(
                f"{path}: an image file does not have the {channels} channels that are asked for.",
                remedy=f"Use {', '.join(ARRAY_ENDINGS)}: (n, {', '.join(map(str, field.shape))}), from -1 to 1.",
            )
        stored = field if max_pixel_value(field.torch_dtype) else replace(field, dtype="uint16")
        try:
            pixels = decode_image(path, stored, fit=fit)
        except Exception as error:  # a decoder raises anything at damaged bytes
            raise GanzooError(f"{path}: this image cannot be read: {damage(error)}.") from error
        return torch.unsqueeze(self.to_unit(pixels), 0)
