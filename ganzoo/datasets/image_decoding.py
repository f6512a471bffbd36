"""Decodes an image file to a tensor with the channels and depth of a field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.image_modes import ALPHA, bits_of, grey_levels, pixel_mode, transparent_colour
from ganzoo.datasets.image_opening import MAX_PIXELS, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

Half = Literal["left", "right"]

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Number of channels -> Pillow's mode with 8 bits. The last of two and of four channels is alpha: 0 is transparent."""

WHITE_16_BIT = 65535
"""White in 16 bits: 257 times white in 8 bits."""

UNKNOWN_WHITE_LEVEL = "its pixels are floating point, signed, or of 32 bits, and no value is known to be white"


def decode_image(
    path: Path, field: Field, half: Half | None = None, *, fit: bool = True, max_pixels: int = MAX_PIXELS
) -> Tensor:
    """One image as (channels, height, width) of the field's dtype, uint8 or uint16, rotated according to its EXIF data.

    Grey images of 16 bits keep them in a uint16 field; for a uint8 field they are divided by 257 and rounded. All other
    images are read with 8 bits, which are multiplied by 257 for a uint16 field. Where the field has no alpha channel,
    the image is composited on white. half: the half to take of an image that shows two side by side. fit: whether it is
    scaled and centre-cropped to the field's size; else it keeps its own. max_pixels: as in `open_image`.
    Raises: ValueError where the white level of its pixels is unknown, or it has too many; OSError, SyntaxError where it
    is damaged.
    """
    from PIL import ImageOps

    channels, height, width = field.shape
    size = (width, height) if fit else None
    with open_image(path, max_pixels) as opened:
        bits = bits_of(pixel_mode(opened))
        if not bits:
            raise ValueError(UNKNOWN_WHITE_LEVEL)
        black, white = grey_levels(opened) if bits == 16 else (0, 255)
        if (colour := transparent_colour(opened)) is not None:
            opened.info["transparency"] = colour
        ImageOps.exif_transpose(opened, in_place=True)
        image: Image = opened
        image.load()
    if image.mode == "La":  # Pillow converts it to LA only
        image = image.convert("LA")
    pixels = (
        decode_grey_16_bit(image, channels, half, size, black, white)
        if bits == 16
        else decode_8_bit(image, channels, half, size)
    )
    return torch.from_numpy(convert_depth(pixels, field.dtype)).permute(2, 0, 1)


def decode_8_bit(image: Image, channels: int, half: Half | None, size: tuple[int, int] | None) -> NDArray[Any]:
    """An image as (height, width, channels) uint8."""
    if channels in (2, 4):
        converted = image.convert("RGBA").convert(MODES[channels])
    else:
        converted = composite_on_white(image).convert(MODES[channels])
    fitted = fit_to_size(crop_half(converted, half), size)
    return np.array(fitted).reshape(fitted.height, fitted.width, channels)


def decode_grey_16_bit(
    image: Image, channels: int, half: Half | None, size: tuple[int, int] | None, black: int, white: int
) -> NDArray[Any]:
    """A grey image as (height, width, channels) uint16; resized as floating point: Pillow clips 16 bits to 8.

    black, white: their values in the file.
    """
    from PIL import Image as Images

    values = np.array(image, dtype=np.float32)
    alpha = np.full_like(values, WHITE_16_BIT)
    if (transparent := image.info.get("transparency")) is not None:
        alpha[values == transparent] = 0
        if channels in (1, 3):
            values[values == transparent] = white
    if (black, white) != (0, WHITE_16_BIT):
        values = (values - black) * np.float32(WHITE_16_BIT / (white - black))

    def plane(numbers: NDArray[np.float32]) -> NDArray[Any]:
        fitted = np.asarray(fit_to_size(crop_half(Images.fromarray(numbers), half), size))
        return fitted.round().clip(0, WHITE_16_BIT).astype(np.uint16)

    grey = [plane(values)] * (1 if channels < 3 else 3)
    return np.stack([*grey, plane(alpha)] if channels in (2, 4) else grey, axis=2)


def convert_depth(pixels: NDArray[Any], dtype: str) -> NDArray[Any]:
    """uint8 or uint16 pixels in `dtype`, uint8 or uint16; 8 bits to 16 and back is lossless, and white stays white."""
    if pixels.dtype == dtype:
        return pixels
    return (
        pixels.astype(np.uint16) * 257 if dtype == "uint16" else ((pixels.astype(np.uint32) + 128) // 257).astype(dtype)
    )


def composite_on_white(image: Image) -> Image:
    """The image composited on white, where it has transparency."""
    from PIL import Image as Images

    if image.mode in ALPHA or "transparency" in image.info:
        canvas = Images.new("RGBA", image.size, "white")
        canvas.alpha_composite(image.convert("RGBA"))
        return canvas
    return image


def crop_half(image: Image, half: Half | None) -> Image:
    """The left or right half of the image, or the whole image where `half` is None."""
    if half is None:
        return image
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height) if half == "left" else (middle, 0, 2 * middle, image.height))


def fit_to_size(image: Image, size: tuple[int, int] | None) -> Image:
    """The image scaled and centre-cropped to (width, height); unchanged where `size` is None or its own."""
    from PIL import Image as Images
    from PIL import ImageOps

    if size is None or image.size == size:
        return image
    return ImageOps.fit(image, size, method=Images.Resampling.LANCZOS)
