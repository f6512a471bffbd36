"""Files of images: found in folders, and decoded into one tensor."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.files import ENDINGS, Files, broken_files
from ganzoo.datasets.image_decoding import Half, decode_image
from ganzoo.errors import DatasetError, DatasetUnavailable

Split = Literal["train", "test"]

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


def fits(files: Files, field: Field, whose: str) -> None:
    """Raises: DatasetError where the images, decoded, would not fit into memory. whose: the folder, for messages."""
    channels, height, width = field.shape
    needed = len(files) * channels * height * width * field.torch_dtype.itemsize
    if needed > 0.8 * psutil.virtual_memory().available:
        raise DatasetError(
            f"{whose}: {len(files):,} images of {width} x {height} take {needed / 2**30:.1f} GiB, and "
            f"{psutil.virtual_memory().available / 2**30:.1f} GiB of memory are free.",
            remedy='Read them piece by piece with train.data = "stream", or give dataset.size a smaller side.',
        )


def decode_all(files: Files, field: Field, whose: str, half: Half | None = None) -> Tensor:
    """Every image as one tensor (n, *shape) of the field's dtype; many are decoded on several threads.

    whose: as in `fits`; half: as in `decode_image`.

    Raises: DatasetError, naming the files that are damaged.
    """
    images = torch.empty(len(files), *field.shape, dtype=field.torch_dtype)
    broken: list[str] = []

    def decode(number: int) -> None:
        try:
            images[number] = decode_image(files[number], field, half)
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
