"""The digest that identifies the tensors of a data set or of a cached file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """ "sha256:..." of the tensors' bytes, in the order of their names; contiguous tensors are not copied."""
    digest = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"
