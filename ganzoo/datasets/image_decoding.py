"""One image file as a tensor, in the channels and the depth that a field asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.image_modes import ALPHA, bits_of, pixel_mode

if TYPE_CHECKING:
    from PIL.Image import Image

Half = Literal["left", "right"]

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Channels -> Pillow's mode of 8 bits. The last of two and of four is alpha: 0 is transparent."""

WHITE = 65535
"""The largest value of 16 bits: 257 times that of 8."""

NO_WHITE = "its pixels are floating point, signed, or of 32 bits, and no value is known to be white"


def decode_image(path: Path, field: Field, half: Half | None = None, *, fit: bool = True) -> Tensor:
    """One image as (channels, height, width) of the field's dtype, uint8 or uint16, turned as its EXIF data say.

    Grey images of 16 bits keep them in a uint16 field; in a uint8 field they are divided by 257 and rounded. Of all
    others 8 bits are read, which a uint16 field has times 257. Transparency is laid on white where the field has no
    alpha channel. half: of a picture that is two pictures side by side. fit: whether it is scaled and centre-cropped
    to the field's size; else it keeps its own.
    Raises: ValueError where no value of its pixels is known to be white; OSError, SyntaxError where it is damaged.
    """
    from PIL import Image, ImageOps

    channels, height, width = field.shape
    size = (width, height) if fit else None
    # An open file: of a name, Pillow maps uncompressed TIFFs into memory, and mixes up the rows of those that lie on
    # their side.
    with path.open("rb") as file, Image.open(file) as opened:
        bits = bits_of(pixel_mode(opened))
        if not bits:
            raise ValueError(NO_WHITE)
        image: Image.Image = ImageOps.exif_transpose(opened)
    pixels = grey_16(image, channels, half, size) if bits == 16 else colours_8(image, channels, half, size)
    return torch.from_numpy(in_depth(pixels, field.dtype)).permute(2, 0, 1)


def colours_8(image: Image, channels: int, half: Half | None, size: tuple[int, int] | None) -> NDArray[Any]:
    """(height, width, channels) uint8."""
    if channels in (2, 4):
        converted = image.convert("RGBA").convert(MODES[channels])
    else:
        converted = on_white(image).convert(MODES[channels])
    fitted = resized(one_half(converted, half), size)
    return np.array(fitted).reshape(fitted.height, fitted.width, channels)


def grey_16(image: Image, channels: int, half: Half | None, size: tuple[int, int] | None) -> NDArray[Any]:
    """(height, width, channels) uint16 of a grey image; scaled in floating point, for Pillow clips 16 bits to 8."""
    from PIL import Image as Images

    values = np.array(image, dtype=np.float32)
    alpha = np.full_like(values, WHITE)
    if (transparent := image.info.get("transparency")) is not None:
        alpha[values == transparent] = 0
        if channels in (1, 3):
            values[values == transparent] = WHITE

    def plane(numbers: NDArray[np.float32]) -> NDArray[Any]:
        fitted = np.asarray(resized(one_half(Images.fromarray(numbers), half), size))
        return fitted.round().clip(0, WHITE).astype(np.uint16)

    grey = [plane(values)] * (1 if channels < 3 else 3)
    return np.stack([*grey, plane(alpha)] if channels in (2, 4) else grey, axis=2)


def in_depth(pixels: NDArray[Any], dtype: str) -> NDArray[Any]:
    """uint8 or uint16 pixels as the other: white stays white, and every value of 8 bits survives the way and back."""
    if pixels.dtype == dtype:
        return pixels
    return (
        pixels.astype(np.uint16) * 257 if dtype == "uint16" else ((pixels.astype(np.uint32) + 128) // 257).astype(dtype)
    )


def on_white(image: Image) -> Image:
    """Transparency laid on white."""
    from PIL import Image as Images

    if image.mode in ALPHA or "transparency" in image.info:
        page = Images.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page
    return image


def one_half(image: Image, half: Half | None) -> Image:
    """The left or the right half of it, or all."""
    if half is None:
        return image
    middle = image.width // 2
    return image.crop((0, 0, middle, image.height) if half == "left" else (middle, 0, 2 * middle, image.height))


def resized(image: Image, size: tuple[int, int] | None) -> Image:
    """Scaled and centre-cropped to (width, height), where it has another size."""
    from PIL import Image as Images
    from PIL import ImageOps

    if size is None or image.size == size:
        return image
    return ImageOps.fit(image, size, method=Images.Resampling.LANCZOS)
