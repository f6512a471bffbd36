"""The pixel format in the header of an image file: grey or colours, bits a channel, transparency, frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

GREY = frozenset(("1", "L", "LA", "La", "I;16"))
"""Modes of images without colours."""

ALPHA = frozenset(("LA", "La", "PA", "RGBA"))
"""Modes of images with an alpha channel; in La, grey is multiplied by it."""

UNSUPPORTED = frozenset(("I", "F"))
"""Modes of 32-bit or signed integers and of floating point, whose white level is unknown."""

DEEP_SUFFIX, TRANSPARENT_SUFFIX, EXTRA_SUFFIX, FRAMES_SUFFIX = " 16", " transparent", " extra", " frames"

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
"""Tags of TIFF 6.0."""

WHITE_IS_ZERO, SIGNED = 0, 2
"""Values of PHOTOMETRIC and SAMPLE_FORMAT."""


def pixel_mode(image: ImageFile) -> str:
    """The mode of an image that is open but not decoded: Pillow's name, with suffixes for what it does not distinguish.

    "I;16" is grey of 16 bits in either byte order, "I" includes signed integers of 8 bits. " 16" is added for colours
    of 16 bits a channel, of which Pillow reads the upper 8; " extra" for further channels, which it does not read;
    " transparent" where one colour is marked as transparent instead of an alpha channel.
    """
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PPM"):
        mode = "I;16"
    elif image.format == "TIFF" and SIGNED in tiff_values(image, SAMPLE_FORMAT):
        mode = "I"
    elif has_deep_channels(image):
        mode = f"{'LA' if raw_mode(image).startswith('LA') else mode}{DEEP_SUFFIX}"
    if image.format == "TIFF" and "X" in raw_mode(image):
        mode += EXTRA_SUFFIX
    return f"{mode}{TRANSPARENT_SUFFIX}" if "transparency" in image.info else mode


def header_mode(image: ImageFile) -> str:
    """`pixel_mode`, with " frames" added where there are several frames or pages; the image cannot be decoded after."""
    return f"{pixel_mode(image)}{FRAMES_SUFFIX}" if has_frames(image) else pixel_mode(image)


def bits_of(mode: str) -> int:
    """Bits a channel that are read: 8 or 16; 0 where the white level is unknown."""
    colours = mode.split(" ")[0]
    return 16 if colours == "I;16" else 0 if colours in UNSUPPORTED else 8


def is_grey(mode: str) -> bool:
    """Whether the mode is grey."""
    return mode.split(" ")[0] in GREY


def is_transparent(mode: str) -> bool:
    """Whether the mode has an alpha channel or a transparent colour."""
    return mode.split(" ")[0] in ALPHA or TRANSPARENT_SUFFIX in mode


def loses_bits(mode: str) -> bool:
    """Whether only 8 of the file's 16 bits a channel are read."""
    return DEEP_SUFFIX in mode


def loses_channels(mode: str) -> bool:
    """Whether the file has further channels, which are not read."""
    return EXTRA_SUFFIX in mode


def loses_frames(mode: str) -> bool:
    """Whether the file has several frames or pages, of which the first is read."""
    return FRAMES_SUFFIX in mode


def has_deep_channels(image: ImageFile) -> bool:
    """Whether the file has 16 bits a channel, but Pillow's mode only 8."""
    if image.format == "PPM":
        largest = image.tile[0][3] if image.tile else None
        return isinstance(largest, tuple) and isinstance(largest[-1], int) and largest[-1] > 255
    return image.format in ("PNG", "TIFF") and ";16" in raw_mode(image)


def has_frames(image: ImageFile) -> bool:
    """Whether the file has several frames or pages."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a decoder raises anything at damaged bytes; here they are those of a second frame
        return True


def grey_levels(image: ImageFile) -> tuple[int, int]:
    """The values of black and white in grey of up to 16 bits, where Pillow reads the file's own values.

    In TIFF files, white is the largest value of their depth (12 or 16 bits), or zero.
    """
    if image.format != "TIFF":
        return 0, 65535
    white = 2 ** max(tiff_values(image, BITS_PER_SAMPLE), default=16) - 1
    return (white, 0) if WHITE_IS_ZERO in tiff_values(image, PHOTOMETRIC) else (0, white)


def transparent_colour(image: ImageFile) -> object:
    """The colour that is marked as transparent, in the depth in which Pillow decodes the image; None without one.

    Pillow gives that of a PNG file in the file's own depth: 0 to 3 for a grey of 2 bits, which it decodes to 0 to 255.
    """
    if (colour := image.info.get("transparency")) is None:
        return None
    raw = raw_mode(image)
    if image.format == "PNG" and isinstance(colour, int) and raw in ("L;2", "L;4"):
        return colour * (85 if raw == "L;2" else 17)
    if image.format == "PNG" and isinstance(colour, tuple) and ";16" in raw:
        return tuple(value >> 8 for value in colour)
    return colour


def tiff_values(image: ImageFile, tag: int) -> tuple[int, ...]:
    """The values of a TIFF file's tag; none where it is missing."""
    value = image.tag_v2.get(tag, ())  # type: ignore[attr-defined]
    return value if isinstance(value, tuple) else (value,)


def raw_mode(image: ImageFile) -> str:
    """The file's own pixel format, as Pillow's decoders name it: "RGB;16B"."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0]) if isinstance(arguments, tuple) else str(arguments)
