"""Reads the idx format of MNIST and similar data sets; a truncated or foreign file is an error that names it."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.errors import DatasetError

IMAGES, LABELS = 0x00000803, 0x00000801
"""Magic numbers, the first four bytes: unsigned bytes in three dimensions, and in one."""


def find_idx(name: str, folders: list[Path]) -> Path | None:
    """The path of `name` or `name`.gz in the first of the folders that has it, or None."""
    candidates = (folder / file for folder in folders for file in (name, f"{name}.gz"))
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path, magic: int) -> Tensor:
    """The whole file as a uint8 tensor of the shape in its header. Raises: DatasetError, naming the file."""
    content = _content(path)
    shape = _shape(path, content, magic)
    header = 4 + 4 * len(shape)
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise DatasetError(
            f"{path}: {len(content):,} bytes, where its header ({' x '.join(map(str, shape))}) makes {expected:,}.",
            remedy="The file is cut off or damaged: delete it and get it again.",
        )
    return torch.from_numpy(content[header:].reshape(shape))


def count_idx(path: Path, magic: int) -> int:
    """The number of items in the header; nothing else is read. Raises: DatasetError."""
    return _shape(path, _content(path, 16), magic)[0]


def _shape(path: Path, content: NDArray[np.uint8], magic: int) -> tuple[int, ...]:
    dimensions = magic & 0xFF
    header = content[: 4 + 4 * dimensions].tobytes()
    if len(header) < 4 + 4 * dimensions or int.from_bytes(header[:4], "big") != magic:
        kind = "images" if magic == IMAGES else "labels"
        raise DatasetError(
            f"{path}: not an idx file of {kind}: it begins with {header[:4].hex() or 'nothing'}, not {magic:08x}.",
            remedy="Delete it and get it again, or point --data-root at another folder.",
        )
    return tuple(int.from_bytes(header[4 + 4 * d : 8 + 4 * d], "big") for d in range(dimensions))


def _content(path: Path, limit: int = -1) -> NDArray[np.uint8]:
    """A file's bytes, or the first `limit`, in an array whose memory a tensor can share without a copy."""
    try:
        if path.suffix != ".gz":
            return np.fromfile(path, np.uint8, limit)
        with gzip.open(path, "rb") as file:
            return np.frombuffer(bytearray(file.read(limit)), np.uint8)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path}: cannot be read: {error}.", remedy="The file is cut off or damaged: delete it and get it again."
        ) from error
