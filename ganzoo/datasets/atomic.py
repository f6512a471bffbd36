"""Atomic writes of files and folders: they appear whole or not at all, even if the process is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganzoo.datasets.temporaries import temporary_beside


def write_durably(path: Path, content: bytes) -> None:
    """Writes the file and waits until it is on the disk. Not atomic by itself: use it inside `atomic_folder`."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Writes `content` to `path` atomically: a reader sees the old file or the new one, even if the process is killed.

    synced: whether to wait until the file is on the disk, so that it survives a power failure.
    """
    with temporary_beside(path) as temporary:
        if synced:
            write_durably(temporary, content)
        else:
            temporary.write_bytes(content)
        temporary.replace(path)
    if synced:
        _sync_folder(path.parent)


def replace_json(path: Path, value: Mapping[str, Any]) -> None:
    """`replace_file` with an object as indented JSON; paths that are not UTF-8 are escaped, and read as they were."""
    try:
        content = json.dumps(value, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        content = json.dumps(value, indent=2).encode()
    replace_file(path, content + b"\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder next to `path` to fill, and renames it to `path` at the end; on an error it is removed.

    Raises: FileNotFoundError where the folder that is to hold it does not exist; OSError where `path` is there already
    and is not an empty folder.
    """
    with temporary_beside(path, folder=True) as temporary:
        yield temporary
        _sync_folder(temporary)
        if path.is_dir():
            path.rmdir()  # an empty folder may be replaced; one that is not empty raises
        temporary.rename(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Makes renames in the folder durable, on systems where a folder can be synced (not on Windows)."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
