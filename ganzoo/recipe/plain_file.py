"""Reading a file that somebody else may have written: only plain files, and no more than a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

KIB = 1024
MIB = 1024 * KIB


def read_plain_file(path: Path, *, limit: int) -> bytes:
    """The content of a plain file of at most `limit` bytes.

    Neither a pipe, which would be waited for, nor a device, which would fill the memory, is read; nor is a file that is
    larger than the limit, be it sparse or growing.
    Raises: OSError, whose `strerror` says why the file was not read.
    """
    with open_plain_file(path, limit=limit) as file:
        content = bytearray()
        while part := file.read(
            MIB
        ):  # and not so much at once as the limit allows: its memory would be asked for first
            content += part
            if len(content) > limit:
                raise too_large(path, limit)
    return bytes(content)


def open_plain_file(path: Path, *, limit: int) -> BinaryIO:
    """Opens a plain file of at most `limit` bytes, to be read piece by piece. Raises: OSError, as `read_plain_file`."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "Not a plain file", str(path))
        if found.st_size > limit:
            raise too_large(path, limit)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def too_large(path: Path, limit: int) -> OSError:
    """The error of a file that is larger than the limit."""
    return OSError(errno.EFBIG, f"Larger than {size_text(limit)}, the most that is read of such a file", str(path))


def size_text(size: int) -> str:
    """A number of bytes for people: "64 MiB"."""
    for unit, name in ((1024 * MIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"
