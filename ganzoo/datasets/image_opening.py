"""Opens image files of unknown origin: plain files only, of a limited size, with a limited number of pixels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.datasets.image_formats import FORMATS, unreadable
from ganzoo.recipe.plain_file import MIB, open_plain_file

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_FILE = 1024 * MIB
"""The largest image file in bytes; a TIFF of 16 bits in colour that large has 170 million pixels."""

MAX_PIXELS = 100_000_000
"""The default of the option `max_pixels`: decoded in colour, so many pixels take 300 MB."""


@contextmanager
def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[ImageFile]:
    """An image whose header is read and whose pixels are not.

    Raises: ValueError where it has more pixels than `max_pixels`; OSError, SyntaxError, ValueError where it cannot be
    read.
    """
    from PIL import Image, UnidentifiedImageError

    # An open file, not its name: given a name, Pillow maps uncompressed TIFFs into memory, and mixes up the rows of
    # those with a rotated orientation.
    with open_plain_file(path, limit=MAX_FILE) as file, PILLOW_LIMIT.lifted():
        try:
            opened = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ValueError(unreadable(file)) from error
        with opened as image:
            check_pixels(*image.size, max_pixels)
            yield image


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raises: ValueError where an image of that size has more pixels than `max_pixels`."""
    if width * height > max_pixels:
        raise ValueError(f"{width:,} x {height:,}, which is more than {max_pixels:,} pixels")


def damage(error: Exception) -> str:
    """Why an image cannot be read, from whatever its decoder raised."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    return text if text and isinstance(error, OSError | ValueError | SyntaxError) else f"{type(error).__name__}: {text}"


class PillowLimit:
    """Pillow's own limit, one number for the whole process, which is lifted while `open_image` applies its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before: int | None = None

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Inside, Pillow has no limit; afterwards it has the one that it had before, once no thread is inside."""
        from PIL import Image

        with self.lock:
            if self.users == 0:
                self.before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self.users += 1
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if self.users == 0:
                    Image.MAX_IMAGE_PIXELS = self.before


PILLOW_LIMIT = PillowLimit()
