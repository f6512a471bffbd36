"""The pixel format in the header of an image file: grey or colours, bits a channel, transparency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

GREY = frozenset(("1", "L", "LA", "I;16"))
"""Modes of images without colours."""

ALPHA = frozenset(("LA", "PA", "RGBA"))
"""Modes of images with an alpha channel."""

UNSUPPORTED = frozenset(("I", "F"))
"""Modes of 32-bit or signed integers and of floating point, whose white level is unknown."""

DEEP_SUFFIX, TRANSPARENT_SUFFIX = " 16", " transparent"


def pixel_mode(image: ImageFile) -> str:
    """The mode of an image that is open but not decoded: Pillow's name, with suffixes for what it does not distinguish.

    "I;16" is grey of 16 bits in either byte order. " 16" is added for colours of 16 bits a channel, of which Pillow
    reads the upper 8, and " transparent" where one colour is marked as transparent instead of an alpha channel.
    """
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PPM"):
        mode = "I;16"
    elif has_deep_channels(image):
        mode = f"{'LA' if raw_mode(image).startswith('LA') else mode}{DEEP_SUFFIX}"
    return f"{mode}{TRANSPARENT_SUFFIX}" if "transparency" in image.info else mode


def bits_of(mode: str) -> int:
    """Bits a channel that are read: 8 or 16; 0 where the white level is unknown."""
    colours = mode.split(" ")[0]
    return 16 if colours == "I;16" else 0 if colours in UNSUPPORTED else 8


def is_grey(mode: str) -> bool:
    """Whether the mode is grey."""
    return mode.split(" ")[0] in GREY


def is_transparent(mode: str) -> bool:
    """Whether the mode has an alpha channel or a transparent colour."""
    return mode.split(" ")[0] in ALPHA or mode.endswith(TRANSPARENT_SUFFIX)


def loses_bits(mode: str) -> bool:
    """Whether only 8 of the file's 16 bits a channel are read."""
    return DEEP_SUFFIX in mode


def has_deep_channels(image: ImageFile) -> bool:
    """Whether the file has 16 bits a channel, but Pillow's mode only 8."""
    if image.format == "PPM":
        largest = image.tile[0][3] if image.tile else None
        return isinstance(largest, tuple) and isinstance(largest[-1], int) and largest[-1] > 255
    return image.format in ("PNG", "TIFF") and ";16" in raw_mode(image)


def raw_mode(image: ImageFile) -> str:
    """The file's own pixel format, as Pillow's decoders name it: "RGB;16B"."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0]) if isinstance(arguments, tuple) else str(arguments)
