"""Finds image files in folders and decodes them into one tensor."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.files import IMAGE_ENDINGS, Files, damaged_files_error
from ganzoo.datasets.folder_scan import list_files
from ganzoo.datasets.image_decoding import Half, decode_image
from ganzoo.datasets.image_opening import damage
from ganzoo.datasets.left_out import displayed
from ganzoo.datasets.root import with_home
from ganzoo.errors import DatasetError, DatasetUnavailable

Split = Literal["train", "test"]

HELD_OUT_EVERY = 10
"""Every tenth image is held out for testing where a folder has no test images."""

SEQUENTIAL_LIMIT = 256
"""The most images that are decoded without threads, which would not pay off."""


def find_folder(path: str, root: Path, name: str) -> Path:
    """The folder `path`, from the current directory or from the data root. name: of the data set, for messages.

    Raises: DatasetUnavailable.
    """
    given = with_home(path)
    for candidate in (given, root / given):
        if candidate.is_dir():
            return candidate
    raise DatasetUnavailable(
        f"{name}: there is no folder {path}, neither here nor under {root}.",
        remedy="Set dataset.path to a folder of images, or --data-root to the folder that holds it.",
    )


def list_images(top: Path) -> list[Path]:
    """Every image under a folder, sorted by path, as data sets read folders. Raises: DatasetError."""
    files = list_files(top)[0]
    return [files[number] for number in range(len(files))]


def no_images_error(folder: Path) -> DatasetError:
    """The error for a folder without images."""
    return DatasetError(
        f"{displayed(folder)}: there is no image in it.", remedy=f"Endings: {', '.join(sorted(IMAGE_ENDINGS))}."
    )


def check_memory(files: Files, field: Field, name: str) -> None:
    """Raises: DatasetError where the decoded images would not fit into memory. name: of the folder, for messages."""
    channels, height, width = field.shape
    needed = len(files) * channels * height * width * field.torch_dtype.itemsize
    if needed > 0.8 * psutil.virtual_memory().available:
        raise DatasetError(
            f"{name}: {len(files):,} images of {width} x {height} take {needed / 2**30:.1f} GiB, and "
            f"{psutil.virtual_memory().available / 2**30:.1f} GiB of memory are free.",
            remedy='Read them piece by piece with train.data = "stream", or give dataset.size a smaller side.',
        )


def decode_all(files: Files, field: Field, name: str, half: Half | None = None) -> Tensor:
    """Every image as one tensor (n, *shape) of the field's dtype; many are decoded on several threads.

    name: of the folder, for messages; half: as in `decode_image`.

    Raises: DatasetError, naming the damaged files.
    """
    images = torch.empty(len(files), *field.shape, dtype=field.torch_dtype)
    damaged: list[str] = []

    def decode(number: int) -> None:
        try:
            images[number] = decode_image(files[number], field, half, max_pixels=files.max_pixels)
        except Exception as error:  # a decoder raises anything at damaged bytes
            damaged.append(displayed(f"{files[number]}: {damage(error)}"))

    if len(files) <= SEQUENTIAL_LIMIT:
        for number in range(len(files)):
            decode(number)
    else:
        with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
            for _ in pool.map(decode, range(len(files))):
                pass
    if damaged:
        raise damaged_files_error(f"{name}: {len(damaged):,} of {len(files):,} images cannot be read", damaged)
    return images
