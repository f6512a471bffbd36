"""Temporary files and folders beside what they will be renamed to, and the removal of those whose writer was killed.

A temporary is called `.ganzoo-MACHINE-PID-RANDOM.tmp`. Its writer holds a lock on it (flock), which the system releases
when the process ends, however it ends: process numbers, which are given out again, decide nothing. Locks are not
trusted across machines that share a disk, nor where the file system has none: there a temporary has to be MAX_AGE old.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from shutil import rmtree

TEMPORARY = re.compile(r"\.ganzoo-([0-9a-f]{8})-[0-9]+-[0-9a-f]{8}\.tmp")
"""The names of temporaries; the group is the machine."""

MAX_AGE = 24 * 3600.0
"""Seconds since the last write after which a temporary counts as abandoned where no lock can tell."""

_swept: set[Path] = set()


@contextmanager
def temporary_beside(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Inside, a new empty file or folder beside `path`, to be filled and renamed; on an error it is removed.

    The first one in a folder also sweeps that folder. Raises: FileNotFoundError where there is no such folder.
    """
    if path.parent not in _swept:
        _swept.add(path.parent)
        sweep(path.parent)
    while True:
        made = path.with_name(temporary_name())
        made.mkdir() if folder else made.touch(exist_ok=False)
        lock = _lock(made)
        if made.exists():  # else a sweep found it before it was locked
            break
        _release(lock)
    try:
        yield made
    except BaseException:
        _remove(made)
        raise
    finally:
        _release(lock)


def remove_folder(path: Path) -> None:
    """Deletes a folder: it disappears at once, and what a kill leaves of it is swept. Raises: OSError."""
    doomed = path.with_name(temporary_name())
    path.rename(doomed)
    _remove(doomed)


def join_temporary_folder(path: Path) -> int | None:
    """Makes a folder with a `temporary_name`, where there is none, that several processes write into.

    It is not swept before the handle that is returned (None where there are no locks) is closed in each of them, or
    they have ended. Raises: OSError.
    """
    while True:
        path.mkdir(mode=0o700, exist_ok=True)
        lock = _lock(path, shared=True)
        if path.exists():  # else a sweep found it before it was locked
            return lock
        _release(lock)


def sweep(folder: Path, also: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """Removes the temporaries of a folder whose writers are gone, and returns what they were.

    also: whether a path is one of another kind that is to be removed, too.
    """
    removed = []
    try:
        paths = [Path(entry.path) for entry in os.scandir(folder)]
    except OSError:
        return []
    for path in paths:
        if matched := TEMPORARY.fullmatch(path.name):
            if _remove_abandoned(path, matched[1]):
                removed.append(path)
        elif also(path):
            _remove(path)
            removed.append(path)
    return removed


def temporary_name() -> str:
    """A new name for a temporary of this process."""
    return f".ganzoo-{machine()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


@cache
def machine() -> str:
    """Eight hexadecimal digits for this machine since it was started: its processes see each other's locks."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        booted = platform.node()
    return hashlib.sha256(booted.encode()).hexdigest()[:8]


def seconds_since_write(path: Path) -> float:
    """The time since a file, or anything in a folder, was written last."""
    newest = path.lstat().st_mtime
    for top, _, files in os.walk(path):
        for name in (".", *files):
            with suppress(OSError):
                newest = max(newest, (Path(top) / name).lstat().st_mtime)
    return time.time() - newest


def _remove_abandoned(path: Path, by: str) -> bool:
    """Removes a temporary of the machine `by` if its writer is gone. Returns: whether it was."""
    try:
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return False
        if sys.platform == "win32" or by != machine():
            gone, lock = seconds_since_write(path) > MAX_AGE, None
        else:
            import fcntl

            lock = os.open(path, _access(path) | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                gone = True
            except BlockingIOError:
                gone = False
            except OSError:
                gone = seconds_since_write(path) > MAX_AGE
    except OSError:
        return False
    try:
        if gone:
            _remove(path)
    finally:
        _release(lock)  # only now, or a writer that has just made it would believe that it is there
    return gone


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _lock(path: Path, *, shared: bool = False) -> int | None:
    """Locks a file or folder until the handle that is returned is closed; None where there are no such locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        handle = os.open(path, _access(path))
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    return handle


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _access(path: Path) -> int:
    """How it is opened to be locked: over NFS, which knows no locks on folders, files have to be open for writing."""
    return os.O_RDONLY if path.is_dir() else os.O_RDWR
