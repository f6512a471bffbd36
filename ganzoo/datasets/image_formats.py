"""The file formats that are read as images, and why another file is none of them."""

from __future__ import annotations

from typing import IO

from ganzoo.plugins import error_text

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""Pillow's names of the formats whose depth and number of frames are known from the header.

The others are refused: of AVIF and JPEG 2000, Pillow reads 8 of up to 16 bits and does not say so; an EPS file would be
executed by Ghostscript.
"""

NAMES = "PNG, JPEG, GIF, BMP, PNM, TIFF and WebP"
"""The same in words."""

RECOGNIZED = ("AVIF", "JPEG2000", "EPS", "PSD", "ICO", "ICNS", "DDS", "QOI")
"""Other formats whose first bytes tell what they are."""

START = 64
"""The bytes by which formats are told apart."""


def unreadable(file: IO[bytes]) -> str:
    """Why a file that is open is not an image of one of the FORMATS."""
    from PIL import Image

    Image.init()
    file.seek(0)
    start = file.read(START)
    if not start:
        return "the file is empty"
    for name in (*FORMATS, *RECOGNIZED):
        factory, accepts = Image.OPEN.get(name, (None, None))
        if factory is None or accepts is None or accepts(start.ljust(START, b"\0")) is not True:
            continue
        if name not in FORMATS:
            return f"its format is {name}, none of {NAMES}"
        file.seek(0)
        try:
            factory(file, "")
        except Exception as error:  # a decoder raises anything at damaged bytes
            return f"this {name} file is damaged, or of a kind that cannot be read ({error_text(error)})"
    return f"its format is none of {NAMES}"
