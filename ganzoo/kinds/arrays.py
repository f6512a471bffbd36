"""Samples as NumPy files."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np
import torch
from torch import Tensor

from ganzoo.datasets.atomic import replace_file
from ganzoo.errors import GanzooError
from ganzoo.plugins import error_text
from ganzoo.recipe.plain_file import MIB, open_plain_file, size_text

MAX_BYTES = 1024 * MIB
"""The most bytes that are read of a file of samples; 60,000 colour images of 64 x 64 pixels in 8 bits have 0.7 GiB."""


def write_array(path: Path, samples: Tensor, extra: Mapping[str, Tensor]) -> None:
    """Writes a .npy of samples (n, ...), or a .npz that holds them as "samples", and the arrays in `extra` by name."""
    content = io.BytesIO()
    values: Any = samples.detach().float().cpu().numpy()
    if path.suffix.lower() == ".npy":
        np.save(content, values, allow_pickle=False)
    else:
        others: dict[str, Any] = {name: tensor.detach().cpu().numpy() for name, tensor in extra.items()}
        np.savez_compressed(content, allow_pickle=False, samples=values, **others)
    replace_file(path, content.getvalue(), synced=False)


def read_array(path: Path) -> Tensor:
    """Reads samples (n, ...) from a .npy or .npz of at most MAX_BYTES, packed or not.

    Raises: GanzooError where it cannot be read, is larger, or holds no samples.
    """
    try:
        with open_plain_file(path, limit=MAX_BYTES) as file:
            loaded: Any = np.load(file, allow_pickle=False) if is_zip(file) else load_npy(file)
            if not isinstance(loaded, np.ndarray):
                with loaded as archive, archive.zip.open(member_of(archive.zip)) as unpacked:
                    loaded = load_npy(io.BytesIO(unpacked.read(MAX_BYTES)))
        return torch.from_numpy(np.ascontiguousarray(loaded))
    except Exception as error:  # NumPy and zipfile raise anything at damaged bytes
        reason = getattr(error, "strerror", None) or error_text(error) or type(error).__name__
        raise GanzooError(f"{path}: this file cannot be read as samples: {reason}.") from error


def is_zip(file: BinaryIO) -> bool:
    """Whether an open file is a .npz, which is a zip archive."""
    begin = file.read(4)
    file.seek(0)
    return begin == b"PK\x03\x04"


def member_of(archive: ZipFile) -> ZipInfo:
    """The samples in a .npz. Raises: KeyError, ValueError where there are none, or too many."""
    member = archive.getinfo("samples.npy")
    if member.file_size > MAX_BYTES:
        raise ValueError(f"its samples are larger than {size_text(MAX_BYTES)}")
    return member


def load_npy(file: BinaryIO) -> np.ndarray[Any, Any]:
    """The array of a .npy, whose header is checked before there is memory for it. Raises: ValueError."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if math.prod(shape) * dtype.itemsize > MAX_BYTES:
        raise ValueError(f"an array of shape {shape} is larger than {size_text(MAX_BYTES)}")
    file.seek(0)
    array: np.ndarray[Any, Any] = np.load(file, allow_pickle=False)
    return array
