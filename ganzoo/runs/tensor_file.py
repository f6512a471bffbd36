"""Safetensors files of unknown origin: plain files, no larger than needed, read once their headers are checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic_core import from_json
from safetensors.torch import load
from torch import Tensor, nn

from ganzoo.errors import CheckpointError
from ganzoo.recipe.plain_file import MIB, open_plain_file, read_plain_file

MAX_BYTES = 16 * 1024 * MIB
"""The largest file that is read where nothing says how much the networks need: four billion weights."""

MOST_STATES = 32
"""The most numbers that a checkpoint's file holds for each of its networks' numbers. Adam keeps two."""

SLACK = 64 * MIB

MAX_HEADER = 100_000_000
"""The largest header that safetensors itself reads, in bytes."""


def most_bytes(game: nn.Module) -> int:
    """The largest size of a tensor file in a checkpoint of this game: of its weights, or of an optimizer's states."""
    needed = SLACK + MOST_STATES * sum(
        tensor.nbytes for tensor in game.state_dict().values() if isinstance(tensor, Tensor)
    )
    return min(needed, MAX_BYTES)


def read_tensors(file: Path, digest: str | None = None, *, limit: int = MAX_BYTES) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. digest: the file's SHA-256, where it is known; limit: in bytes.

    Raises: CheckpointError where the file cannot be read, is no plain file or larger than its header or the limit
    says, has another digest, or is of another format.
    """
    try:
        check_header(file, damaged="its digest does not fit" if digest else "", limit=limit)
        content = read_plain_file(file, limit=limit)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror or error}.") from error
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{file}: its digest does not fit: the file was changed or damaged.")
    try:
        return load(content)
    except Exception as error:  # whatever safetensors and torch raise for headers, shapes and dtypes that are none
        raise CheckpointError(f"{file}: not a safetensors file: {error or type(error).__name__}.") from error


def check_header(file: Path, *, damaged: str = "", limit: int = MAX_BYTES) -> None:
    """Reads the header alone. damaged: what a wrong header shows, where that is known; limit: of the file, in bytes.

    Raises: CheckpointError where it is none, or says another size than the file has; OSError where it cannot be read.
    """
    with open_plain_file(file, limit=limit) as opened:  # by ourselves: safetensors takes only paths in UTF-8
        size = os.fstat(opened.fileno()).st_size
        length = int.from_bytes(opened.read(8), "little")
        begins = 8 + length
        content = opened.read(length) if begins <= size and length <= MAX_HEADER else b""
    try:
        tensors = from_json(content)
        ends = begins + max(
            (each["data_offsets"][1] for key, each in tensors.items() if key != "__metadata__"), default=0
        )
        if ends != size:
            raise ValueError(f"its header says {ends} bytes, and it has {size}")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        why = error if type(error) is ValueError and content else "it has no header"
        what = f"{damaged}: the file was changed or damaged" if damaged else f"not a safetensors file: {why}"
        raise CheckpointError(f"{file}: {what}.") from error


def check_inside(file: Path) -> None:
    """Raises: CheckpointError where the file is a link that leads out of its folder."""
    place = Path(os.path.realpath(file))
    if place.parent != Path(os.path.realpath(file.parent)):
        raise CheckpointError(
            f"{file}: this is a link to {place}, out of its folder, and is not followed.",
            remedy="Put a copy of the file itself there.",
        )


def differences(have: Mapping[str, Tensor], want: Mapping[str, Tensor]) -> list[str]:
    """What differs between a file's tensors and those that a network needs, by name: in shape, or in what they are."""

    def described(tensor: Tensor | None) -> str:
        if tensor is None:
            return "nothing"
        whole = not (tensor.is_floating_point() or tensor.is_complex())
        return f"{tuple(tensor.shape)}{' of whole numbers' * whole}{' complex' * tensor.is_complex()}"

    return [
        f"{name}: {one} in the checkpoint, {other} in the network"
        for name in sorted(have.keys() | want.keys())
        if (one := described(have.get(name))) != (other := described(want.get(name)))
    ]
