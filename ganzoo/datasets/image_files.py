"""Files of images: found in folders, and decoded into one tensor."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil
import torch
from torch import Tensor

from ganzoo.core.data import Shape
from ganzoo.datasets.files import ENDINGS, Files, broken_files
from ganzoo.errors import DatasetError, DatasetUnavailable

if TYPE_CHECKING:
    from PIL.Image import Image

Split = Literal["train", "test"]
Half = Literal["left", "right"]

TEST_SHARE = 10
"""Where a folder has no test images of its own, every so-manieth image is held out for them."""

FEW = 256
"""Images up to which it is not worth while to begin threads."""


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


def fits(files: Files, shape: Shape, whose: str) -> None:
    """Raises: DatasetError where the images, decoded, would not fit into memory. whose: the folder, for messages."""
    channels, height, width = shape
    needed = len(files) * channels * height * width
    if needed > 0.8 * psutil.virtual_memory().available:
        raise DatasetError(
            f"{whose}: {len(files):,} images of {width} x {height} take {needed / 2**30:.1f} GiB, and "
            f"{psutil.virtual_memory().available / 2**30:.1f} GiB of memory are free.",
            remedy='Read them piece by piece with train.data = "stream", or give dataset.size a smaller side.',
        )


def decode_all(files: Files, shape: Shape, whose: str, half: Half | None = None) -> Tensor:
    """Every image as one tensor (n, *shape) uint8; many are decoded on several threads. whose: as in `fits`.

    Raises: DatasetError, naming the files that are damaged.
    """
    channels, height, width = shape
    images = torch.empty(len(files), channels, height, width, dtype=torch.uint8)
    broken: list[str] = []

    def decode(number: int) -> None:
        try:
            images[number] = decode_image(files[number], channels, height, width, half)
        except (OSError, ValueError, SyntaxError, MemoryError) as error:
            broken.append(f"{files[number]}: {error}")

    if len(files) <= FEW:
        for number in range(len(files)):
            decode(number)
    else:
        with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
            for _ in pool.map(decode, range(len(files))):
                pass
    if broken:
        raise broken_files(f"{whose}: {len(broken):,} of {len(files):,} images cannot be read", broken)
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
