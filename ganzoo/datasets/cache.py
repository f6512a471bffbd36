"""Tensors that are expensive to compute, stored in ganzoo's cache with their digest.

Whatever is there can be computed again: a cache that cannot be read or written costs time, and ends nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.digest import digest_of
from ganzoo.datasets.root import cache_folder


def cached(name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors in ganzoo's cache under that name; if there are none, those that `make` returns, which are stored."""
    path = cache_folder() / name
    tensors = read_cached(path)
    if tensors is None:
        tensors = make()
        store(path, tensors)
    return tensors


def store(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes the tensors with their digest; where that fails, a warning is printed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, save(tensors, metadata={"digest": digest_of(tensors)}))
    except OSError as error:
        print(
            f"warning: {path}: cannot be written: {error.strerror or error}. It is computed again next time. "
            "GANZOO_CACHE names another folder for ganzoo's cache.",
            file=sys.stderr,
        )


def read_cached(path: Path) -> dict[str, Tensor] | None:
    """The cached tensors at `path`, or None where they cannot be read or their digest does not match."""
    try:
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
            digest = (file.metadata() or {}).get("digest")
    except (OSError, SafetensorError):
        return None
    return tensors if digest == digest_of(tensors) else None
