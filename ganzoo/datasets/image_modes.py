"""What the header of an image file says of its pixels: grey or colours, bits a channel, transparency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

GREY = frozenset(("1", "L", "LA", "I;16"))
"""Modes of images without colours."""

ALPHA = frozenset(("LA", "PA", "RGBA"))
"""Modes of images with an alpha channel."""

UNBOUNDED = frozenset(("I", "F"))
"""Modes of integers of 32 bits, or signed ones, and of floating point: no value of theirs is known to be white."""

DEEP, TRANSPARENT = " 16", " transparent"


def pixel_mode(image: ImageFile) -> str:
    """The mode of an image that was opened and not yet read, in Pillow's words, with what these leave open.

    "I;16" is grey of 16 bits in either byte order. " 16" is added to colours of 16 bits a channel, of which Pillow
    reads the upper 8, and " transparent" where there is no alpha channel and one colour stands for it.
    """
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PPM"):
        mode = "I;16"
    elif has_deep_channels(image):
        mode = f"{'LA' if raw_mode(image).startswith('LA') else mode}{DEEP}"
    return f"{mode}{TRANSPARENT}" if "transparency" in image.info else mode


def bits_of(mode: str) -> int:
    """Bits a channel that are read: 8 or 16; 0 where no value is known to be white."""
    colours = mode.split(" ")[0]
    return 16 if colours == "I;16" else 0 if colours in UNBOUNDED else 8


def is_grey(mode: str) -> bool:
    """Whether there are no colours in it."""
    return mode.split(" ")[0] in GREY


def is_transparent(mode: str) -> bool:
    """Whether there is an alpha channel, or a colour that stands for it."""
    return mode.split(" ")[0] in ALPHA or mode.endswith(TRANSPARENT)


def loses_bits(mode: str) -> bool:
    """Whether the file has 16 bits a channel, of which 8 are read."""
    return DEEP in mode


def has_deep_channels(image: ImageFile) -> bool:
    """Whether the file has 16 bits a channel, where Pillow's mode has 8."""
    if image.format == "PPM":
        largest = image.tile[0][3] if image.tile else None
        return isinstance(largest, tuple) and isinstance(largest[-1], int) and largest[-1] > 255
    return image.format in ("PNG", "TIFF") and ";16" in raw_mode(image)


def raw_mode(image: ImageFile) -> str:
    """How the file itself stores a pixel, in the words of Pillow's decoders: "RGB;16B"."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0]) if isinstance(arguments, tuple) else str(arguments)
