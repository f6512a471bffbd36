"""Reads the idx format of MNIST and similar data sets; a truncated or foreign file is an error that names it."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from ganzoo.errors import DatasetError
from ganzoo.recipe.plain_file import MIB, open_plain_file, size_text

MAX_BYTES = 1024 * MIB
"""The most bytes of a file, packed or not; the largest file of the MNIST family has 640 MB."""

IMAGES, LABELS = 0x00000803, 0x00000801
"""Magic numbers, the first four bytes: unsigned bytes in three dimensions, and in one."""


def find_idx(name: str, folders: list[Path]) -> Path | None:
    """The path of `name` or `name`.gz in the first of the folders that has it, or None."""
    candidates = (folder / file for folder in folders for file in (name, f"{name}.gz"))
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path, magic: int) -> Tensor:
    """The whole file as a uint8 tensor of the shape in its header. Raises: DatasetError, naming the file.

    No more is read, or unpacked, than the header announces, and that is at most MAX_BYTES.
    """
    with _opened(path) as file:
        shape = _shape(path, file.read(4 + 4 * (magic & 0xFF)), magic)
        size = math.prod(shape)
        if size > MAX_BYTES:
            raise DatasetError(
                f"{path}: its header ({' x '.join(map(str, shape))}) makes more than {size_text(MAX_BYTES)}.",
                remedy="The file is damaged, or another one: delete it and get it again.",
            )
        content = bytearray(file.read(size))
        rest = file.read(1)
    if len(content) != size or rest:
        found = "more" if rest else f"{len(content):,} bytes"
        raise DatasetError(
            f"{path}: {found} after a header ({' x '.join(map(str, shape))}) that makes {size:,}.",
            remedy="The file is cut off or damaged: delete it and get it again.",
        )
    return torch.frombuffer(content, dtype=torch.uint8).view(shape) if size else torch.empty(shape, dtype=torch.uint8)


def count_idx(path: Path, magic: int) -> int:
    """The number of items in the header; nothing else is read. Raises: DatasetError."""
    with _opened(path) as file:
        return _shape(path, file.read(16), magic)[0]


def _shape(path: Path, content: bytes, magic: int) -> tuple[int, ...]:
    dimensions = magic & 0xFF
    header = content[: 4 + 4 * dimensions]
    if len(header) < 4 + 4 * dimensions or int.from_bytes(header[:4], "big") != magic:
        kind = "images" if magic == IMAGES else "labels"
        raise DatasetError(
            f"{path}: not an idx file of {kind}: it begins with {header[:4].hex() or 'nothing'}, not {magic:08x}.",
            remedy="Delete it and get it again, or point --data-root at another folder.",
        )
    return tuple(int.from_bytes(header[4 + 4 * d : 8 + 4 * d], "big") for d in range(dimensions))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """The file, unpacked if it is a .gz. Raises: DatasetError, inside too, where it cannot be read."""
    try:
        with open_plain_file(path, limit=MAX_BYTES) as file:
            if path.suffix != ".gz":
                yield file
                return
            with gzip.open(file, "rb") as unpacked:
                yield unpacked
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatasetError(
            f"{path}: cannot be read: {reason}.", remedy="The file is cut off or damaged: delete it and get it again."
        ) from error
