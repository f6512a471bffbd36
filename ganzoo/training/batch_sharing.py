"""How a batch gets from the worker that read it to the run: by shared memory, else by a file, else it is read again.

Shared memory is allocated here, in the worker's own thread. DataLoader would do so in a thread of a queue, where a full
/dev/shm (64 MB in a default container) loses the batch, and the run waits for it for ever.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

import psutil
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # only its free space is read

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

    name: of the folder for the run's batches, in the system's folder for temporary files.
    """
    try:
        return {key: tensor.share_memory_() for key, tensor in samples.items()}
    except (RuntimeError, OSError) as error:
        why = first_line(error)
    try:
        folder = Path(tempfile.gettempdir()) / name
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{uuid4().hex}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in samples.items()}, path)
    except (RuntimeError, OSError, SafetensorError) as error:
        return Unshared(f"{why}; {first_line(error)}")
    return InFile(path, why)


def remove_folder(name: str) -> None:
    """Removes a run's batches that are in files, if there are any. name: as in `share`."""
    with suppress(OSError):
        rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)


def sharing_warning(by: str, why: str) -> str:
    """What is said once where shared memory does not do. by: what takes its place."""
    free = f", {psutil.disk_usage(str(SHARED_MEMORY)).free / 1e6:,.0f} MB free" if SHARED_MEMORY.is_dir() else ""
    return (
        f"warning: batches do not fit into shared memory ({SHARED_MEMORY}{free}): {why}. They are {by}, which may be "
        "slower. A container gets more by docker run --shm-size=1g; fewer train.workers take less."
    )


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
