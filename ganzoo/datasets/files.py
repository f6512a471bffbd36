"""Many files under one folder: their names and sizes, in little memory and in an order that names alone decide."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DatasetError

ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))

NAMED = 5
"""How many broken files a message names."""

AT_ONCE = 65_536
"""Files whose names are put together at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Many files under one folder; `files[k]` is the path of the k-th.

    folders: relative to `top`, which is "" itself; folder: (n,) in which of them each file lies; names: of all files,
    one after the other, where the k-th has lengths[k] bytes from starts[k] on; sizes: (n,) in bytes.
    """

    top: Path
    folders: Sequence[str]
    folder: NDArray[np.int32]
    names: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, number: int) -> Path:
        return self.top / self.relative(number)

    def relative(self, number: int) -> str:
        """The way to a file from `top`, with slashes: "cats/1.png"."""
        start = self.starts[number]
        name = os.fsdecode(self.names[start : start + self.lengths[number]].tobytes())
        folder = self.folders[self.folder[number]]
        return f"{folder}/{name}" if folder else name

    def take(self, rows: Any) -> Files:
        """Some of them: rows as numpy takes them (numbers, booleans, a slice)."""
        chosen = {name: getattr(self, name)[rows] for name in ("folder", "starts", "lengths", "sizes")}
        return replace(self, **chosen)

    def listing(self) -> Iterator[bytes]:
        """The names and sizes, folders and files, whose digest is the same wherever `top` lies."""
        used, folder = np.unique(self.folder, return_inverse=True)
        yield "\0".join(self.folders[number] for number in used).encode(errors="surrogateescape")
        yield from (part.astype("<i8").tobytes() for part in (folder, self.lengths, self.sizes))
        for first in range(0, len(self), AT_ONCE):
            starts, lengths = self.starts[first : first + AT_ONCE], self.lengths[first : first + AT_ONCE]
            before = np.cumsum(lengths) - lengths
            yield self.names[np.repeat(starts - before, lengths) + np.arange(lengths.sum())].tobytes()


def listing_digest(shapes: object, parts: Iterable[Files]) -> str:
    """ "listing:..." over the files' names and sizes, and what is made of them; what is in them is not looked at."""
    digest = hashlib.sha256(repr(shapes).encode())
    for files in parts:
        for part in files.listing():
            digest.update(part)
    return f"listing:{digest.hexdigest()}"


def list_files(top: Path) -> tuple[Files, int, array[int]]:
    """Every file with an image's ending, how many files have another one, and when each folder changed (ns).

    Hidden files are left out; folders that are links are not followed. Raises: DatasetError where one can't be read.
    """
    folders: list[str] = []
    changed, folder, starts, lengths, sizes = array("q"), array("i"), array("q"), array("i"), array("q")
    names = bytearray()
    others = 0

    def walk(relative: str) -> None:
        nonlocal others
        number = len(folders)
        folders.append(relative)
        place = top / relative
        try:
            changed.append(place.stat().st_mtime_ns)  # before it is read: what comes later makes it another one
            found: dict[str, int | None] = {}  # an image's size, or None for a folder
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        found[entry.name] = None
                    elif not entry.is_file():
                        continue
                    elif ending_of(entry.name) not in ENDINGS:
                        others += 1
                    elif not entry.name.startswith("."):
                        found[entry.name] = entry.stat().st_size
        except OSError as error:
            raise DatasetError(f"{place}: {error.strerror}.", remedy="Let it be read, or move it elsewhere.") from error
        for name in sorted(found):
            size = found[name]
            if size is None:
                walk(f"{relative}/{name}" if relative else name)
                continue
            encoded = os.fsencode(name)
            folder.append(number)
            starts.append(len(names))
            lengths.append(len(encoded))
            sizes.append(size)
            names.extend(encoded)

    walk("")
    files = Files(
        top,
        folders,
        folder=np.frombuffer(folder, np.int32),
        names=np.frombuffer(names, np.uint8),
        starts=np.frombuffer(starts, np.int64),
        lengths=np.frombuffer(lengths, np.int32),
        sizes=np.frombuffer(sizes, np.int64),
    )
    return files, others, changed


def ending_of(name: str) -> str:
    """With its point and in small letters, or nothing: ".png"."""
    stem, point, ending = name.rpartition(".")
    return f"{point}{ending}".lower() if stem else ""


def broken_files(what: str, broken: Sequence[str]) -> DatasetError:
    """The mistake of files that are no images, the first of them named."""
    return DatasetError(named(what, broken), remedy="Delete or replace them.")


def named(what: str, lines: Sequence[str]) -> str:
    """A message with a line for each of the first files that it is about."""
    more = f"\n  ... and {len(lines) - NAMED:,} more" if len(lines) > NAMED else ""
    return f"{what}:\n  " + "\n  ".join(sorted(lines)[:NAMED]) + more
