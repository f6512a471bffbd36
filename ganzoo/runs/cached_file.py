"""Values read from a run's files, read again once a file was written since: another process may train the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

FileVersion = tuple[int, int, int]
"""Time of modification, inode and size: files that are replaced in one instant differ in at least one of them."""


def version_of(path: Path) -> FileVersion | None:
    """The version of the file that lies there now; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


class CachedFile(Generic[T]):
    """What a file holds, parsed once for each of its versions.

    value: what it holds now, where that is known already. Where the file is missing, as it is on the disks of ranks
    other than the first, the last value stays.
    """

    def __init__(self, path: Path, read: Callable[[], T], value: T | None = None) -> None:
        self.path = path
        self.read = read
        self.version = version_of(path)
        self.held = value

    def value(self) -> T:
        """What the file holds. Raises: what `read` raises."""
        version = version_of(self.path)
        if self.held is None or version not in (self.version, None):
            self.held, self.version = self.read(), version
        return self.held
