"""Files of images: found in folders, looked at by their headers, decoded into one tensor."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil
import torch
from torch import Tensor

from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.interfaces import Shape

if TYPE_CHECKING:
    from PIL.Image import Image

Split = Literal["train", "test"]
Half = Literal["left", "right"]

ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))
TEST_SHARE = 10
"""Where a folder has no test images of its own, every so-manieth image is held out for them."""

NAMED = 5
"""How many broken files a message names."""

GREY = frozenset(("1", "L", "I;16", "I", "F"))
"""Modes of pictures without colours."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What the headers of many images say: how often each size (height, width), upright, and each mode occurs."""

    sizes: Counter[tuple[int, int]]
    modes: Counter[str]

    @property
    def size(self) -> tuple[int, int]:
        """The most common size; of several, the largest."""
        return max(self.sizes, key=lambda size: (self.sizes[size], size))

    @property
    def channels(self) -> int:
        """3, or 1 where every image is grey."""
        return 1 if set(self.modes) <= GREY else 3

    def resized(self, height: int, width: int) -> list[str]:
        """A note on how many images have another size than that, if any."""
        total = sum(self.sizes.values())
        odd = total - self.sizes[(height, width)]
        return [f"{odd:,} of {total:,} images are resized to {width} x {height}"] if odd else []


def find_folder(path: str, root: Path, name: str) -> Path:
    """The folder `path`, from the current directory or from the data root. name: the data set's, for messages.

    Raises: DatasetUnavailable.
    """
    given = Path(path).expanduser()
    for candidate in (given, root / given):
        if candidate.is_dir():
            return candidate
    raise DatasetUnavailable(
        f"{name}: there is no folder {path}, neither here nor under {root}.",
        remedy="Set dataset.path to a folder of images, or --data-root to the folder that holds it.",
    )


def images_in(top: Path) -> list[Path]:
    """Every image under a folder, in an order that depends on the names alone."""
    return sorted(
        path
        for path in top.rglob("*")
        if path.suffix.lower() in ENDINGS and path.is_file() and not path.name.startswith(".")
    )


def no_image(folder: Path) -> DatasetError:
    """The mistake of a folder without images."""
    return DatasetError(f"{folder}: there is no image in it.", remedy=f"Endings: {', '.join(sorted(ENDINGS))}.")


def look_at(paths: Iterable[Path], folder: Path) -> Headers:
    """Reads headers only. folder: for messages. Raises: DatasetError, naming the files that are no images."""
    from PIL import Image, UnidentifiedImageError

    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    broken = []
    for path in paths:
        try:
            with warnings.catch_warnings(), Image.open(path) as image:
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                sizes[(image.width, image.height) if turned else (image.height, image.width)] += 1
                modes[image.mode] += 1
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
            broken.append(f"{path}: {error}")
    if broken:
        raise broken_files(f"{folder}: {len(broken):,} files are not the images that their names say", broken)
    return Headers(sizes, modes)


def broken_files(what: str, broken: Sequence[str]) -> DatasetError:
    """The mistake of files that are no images, the first of them named."""
    more = f"\n  ... and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    return DatasetError(f"{what}:\n  " + "\n  ".join(sorted(broken)[:NAMED]) + more, remedy="Delete or replace them.")


def decode_all(paths: Sequence[Path], shape: Shape, whose: str, half: Half | None = None) -> Tensor:
    """Every image as one tensor (n, *shape) uint8, decoded on several threads. whose: the folder, for messages.

    Raises: DatasetError, naming the files that are damaged, or where memory would not do.
    """
    channels, height, width = shape
    needed = len(paths) * channels * height * width
    if needed > 0.8 * psutil.virtual_memory().available:
        raise DatasetError(
            f"{whose}: {len(paths):,} images of {width} x {height} take {needed / 2**30:.1f} GiB, and "
            f"{psutil.virtual_memory().available / 2**30:.1f} GiB of memory are free.",
            remedy="Give dataset.size a smaller side.",
        )
    images = torch.empty(len(paths), channels, height, width, dtype=torch.uint8)
    broken: list[str] = []

    def decode(number: int) -> None:
        try:
            images[number] = decode_image(paths[number], channels, height, width, half)
        except (OSError, ValueError, SyntaxError, MemoryError) as error:
            broken.append(f"{paths[number]}: {error}")

    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
        for _ in pool.map(decode, range(len(paths))):
            pass
    if broken:
        raise broken_files(f"{whose}: {len(broken):,} of {len(paths):,} images cannot be read", broken)
    return images


def decode_image(path: Path, channels: int, height: int, width: int, half: Half | None = None) -> Tensor:
    """One image as (channels, height, width) uint8, scaled and centre-cropped where its size is another.

    half: of a picture that is two pictures side by side.
    """
    from PIL import Image, ImageOps

    image = open_image(path, channels)
    if half:
        middle = image.width // 2
        image = image.crop((0, 0, middle, image.height) if half == "left" else (middle, 0, 2 * middle, image.height))
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)
    return to_tensor(image)


def open_image(path: Path, channels: int) -> Image:
    """One image, grey or in colours, turned as its EXIF says, on white where it is transparent."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        image: Image.Image = ImageOps.exif_transpose(opened)
        return flatten(image).convert("L" if channels == 1 else "RGB")


def to_tensor(image: Image) -> Tensor:
    """A grey picture, or one in colours, as (1 or 3, height, width) uint8."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def flatten(image: Image) -> Image:
    """8 bits a channel, and transparency laid on white."""
    from PIL import Image as Images

    if image.mode in ("I;16", "I", "F"):
        values = np.asarray(image, dtype=np.float64)
        return Images.fromarray((values / max(values.max(), 255.0) * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        page = Images.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page
    return image
