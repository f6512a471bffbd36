"""How a batch gets from the worker that read it to the run: by shared memory, else by a file, else it is read again.

Shared memory is allocated here, in the worker's own thread. DataLoader would do so in a thread of a queue, where a full
/dev/shm (64 MB in a default container) loses the batch, and the run waits for it for ever.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Listener
from multiprocessing.util import get_temp_dir
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

import psutil
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganzoo.datasets.temporaries import MAX_AGE, join_temporary_folder, seconds_since_write, sweep
from ganzoo.recipe.shape_errors import error_summary

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # only its free space is read

NO_SOCKET = "no socket can be made for it in the folder for temporary files"
"""Why shared memory does not do where its handles cannot be passed on."""

OLD_FOLDER = re.compile(r"ganzoo-batches-[0-9a-f]{32}")
"""What folders of batches were called before they had locks."""

_joined: dict[str, int | None] = {}
"""The folders that this worker writes into, with their locks."""

Samples = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class InFile:
    """A batch in a temporary file. why: the reason that it is not in shared memory."""

    path: Path
    why: str

    def take(self) -> Samples:
        """The batch, whose file is removed. Raises: OSError, SafetensorError."""
        samples = load_file(self.path)
        self.path.unlink()
        return samples


@dataclass(frozen=True, slots=True)
class Unshared:
    """In the place of a batch that could not be passed on. why: the reason."""

    why: str


def share(samples: Samples, name: str) -> Samples | InFile | Unshared:
    """The batch in shared memory, or in a file, or neither. Called in a worker.

    name: of the folder for the run's batches (a `temporary_name`), in the system's folder for temporary files.
    """
    if not (why := socket_failure()):
        try:
            return {key: tensor.share_memory_() for key, tensor in samples.items()}
        except (RuntimeError, OSError) as error:
            why = first_line(error)
    try:
        folder = Path(tempfile.gettempdir()) / name
        if name not in _joined:
            _joined[name] = join_temporary_folder(folder)
        path = folder / f"{uuid4().hex}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in samples.items()}, path)
    except (RuntimeError, OSError, SafetensorError) as error:
        return Unshared(f"{why}; {first_line(error)}")
    return InFile(path, why)


@cache
def socket_failure() -> str:
    """Why shared memory cannot be passed on to another process; "" where it can.

    Its handles go through a socket in the folder for temporary files, whose path may be too long for one. It is made
    in a thread of the queue, where a failure loses the batch, and the run waits for it for ever.
    """
    try:
        Listener().close()
    except OSError as error:
        return f"{NO_SOCKET}: {first_line(error)}"
    return ""


def share_socket_folder() -> None:
    """Makes the folder for the workers' sockets here, before they begin: ended by signals, they would leave theirs."""
    with suppress(OSError):
        get_temp_dir()


def sweep_batches() -> None:
    """Removes the batches that runs which were killed left in the folder for temporary files."""

    def is_abandoned(path: Path) -> bool:
        return bool(OLD_FOLDER.fullmatch(path.name)) and seconds_since_write(path) > MAX_AGE

    with suppress(OSError):
        sweep(Path(tempfile.gettempdir()), also=is_abandoned)


def remove_folder(name: str) -> None:
    """Removes a run's batches that are in files, if there are any. name: as in `share`."""
    if (lock := _joined.pop(name, None)) is not None:
        os.close(lock)
    with suppress(OSError):
        rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)


def sharing_warning(by: str, why: str) -> str:
    """What is said once where shared memory does not do. by: what takes its place."""
    if why.startswith(NO_SOCKET):
        return (
            f"warning: batches are {by}, which may be slower, and not passed on in shared memory: {why}. Set TMPDIR to "
            "a folder that can be written and whose path has fewer than 60 characters."
        )
    free = f", {psutil.disk_usage(str(SHARED_MEMORY)).free / 1e6:,.0f} MB free" if SHARED_MEMORY.is_dir() else ""
    return (
        f"warning: batches do not fit into shared memory ({SHARED_MEMORY}{free}): {why}. They are {by}, which may be "
        "slower. A container gets more by docker run --shm-size=1g; fewer train.workers take less."
    )


def first_line(error: Exception) -> str:
    """The first line of an error's message, to go on in a sentence."""
    return error_summary(error).rstrip(".")
