"""The digest that identifies the tensors of a data set or of a cached file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.recipe.plain_file import MIB, open_plain_file


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """ "sha256:..." of the tensors' bytes, in the order of their names; contiguous tensors are not copied."""
    digest = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"


def file_digest(path: Path, kind: str, *, limit: int) -> str:
    """The hexadecimal digest of a plain file of at most `limit` bytes. kind: as in hashlib ("sha256").

    Raises: OSError where it is no plain file, or larger.
    """
    digest = hashlib.new(kind, usedforsecurity=False)
    left = limit
    with open_plain_file(path, limit=limit) as file:
        while left >= 0 and (piece := file.read(MIB)):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()
