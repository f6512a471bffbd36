"""A compact list of many files under one folder: names and sizes, in an order that depends on the names only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.datasets.image_opening import MAX_PIXELS
from ganzoo.errors import DatasetError

IMAGE_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))

MAX_LISTED = 5
"""The most files that one message lists."""

CHUNK = 65_536
"""How many file names are concatenated at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Many files under one folder; `files[k]` is the path of the k-th.

    folders: relative to `top`, which is "" itself; folder: (n,) each file's index in `folders`; names: the concatenated
    bytes of all names, where the k-th has lengths[k] bytes from starts[k] on; sizes: (n,) in bytes;
    max_pixels: the most pixels of an image that is decoded.
    """

    top: Path
    folders: Sequence[str]
    folder: NDArray[np.int32]
    names: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    sizes: NDArray[np.int64]
    max_pixels: int = MAX_PIXELS

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, number: int) -> Path:
        return self.top / self.relative(number)

    def relative(self, number: int) -> str:
        """A file's path relative to `top`, with slashes: "cats/1.png"."""
        start = self.starts[number]
        name = os.fsdecode(self.names[start : start + self.lengths[number]].tobytes())
        folder = self.folders[self.folder[number]]
        return f"{folder}/{name}" if folder else name

    def take(self, rows: Any) -> Files:
        """A selection of the files. rows: an index as numpy takes it (integers, booleans, a slice)."""
        chosen = {name: getattr(self, name)[rows] for name in ("folder", "starts", "lengths", "sizes")}
        return replace(self, **chosen)

    def below(self, folder: str) -> NDArray[np.bool_]:
        """Whether each file (n,) lies in that folder, relative to `top`, or below it."""
        inside = [f"{path}/".startswith(f"{folder}/") for path in self.folders]
        return np.array(inside, dtype=bool)[self.folder]

    def listing(self) -> Iterator[bytes]:
        """The names and sizes of folders and files as bytes, to be hashed; they do not depend on where `top` is."""
        used, folder = np.unique(self.folder, return_inverse=True)
        yield "\0".join(self.folders[number] for number in used).encode(errors="surrogateescape")
        yield from (part.astype("<i8").tobytes() for part in (folder, self.lengths, self.sizes))
        for first in range(0, len(self), CHUNK):
            starts, lengths = self.starts[first : first + CHUNK], self.lengths[first : first + CHUNK]
            before = np.cumsum(lengths) - lengths
            yield self.names[np.repeat(starts - before, lengths) + np.arange(lengths.sum())].tobytes()


def listing_digest(shapes: object, parts: Iterable[Files]) -> str:
    """ "listing:..." of the files' names and sizes and of `shapes`, their storage format; contents are not read."""
    digest = hashlib.sha256(repr(shapes).encode())
    for files in parts:
        for part in files.listing():
            digest.update(part)
    return f"listing:{digest.hexdigest()}"


def suffix_of(name: str) -> str:
    """The suffix in lower case with its dot, ".png", or an empty string."""
    stem, point, ending = name.rpartition(".")
    return f"{point}{ending}".lower() if stem else ""


def damaged_files_error(what: str, damaged: Sequence[str]) -> DatasetError:
    """The error for files that are not readable images; it lists the first ones."""
    return DatasetError(list_message(what, damaged), remedy="Delete or replace them.")


def list_message(what: str, lines: Sequence[str]) -> str:
    """A message with one line for each of the first MAX_LISTED files."""
    more = f"\n  ... and {len(lines) - MAX_LISTED:,} more" if len(lines) > MAX_LISTED else ""
    return f"{what}:\n  " + "\n  ".join(sorted(lines)[:MAX_LISTED]) + more
