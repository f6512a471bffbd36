"""Samples as NumPy files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.datasets.atomic import replace_file
from ganzoo.errors import GanzooError


def write_array(path: Path, samples: Tensor, extra: Mapping[str, Tensor]) -> None:
    """Writes a .npy of samples (n, ...), or a .npz that holds them as "samples", and the arrays in `extra` by name."""
    content = io.BytesIO()
    values: Any = samples.detach().float().cpu().numpy()
    if path.suffix.lower() == ".npy":
        np.save(content, values, allow_pickle=False)
    else:
        others: dict[str, Any] = {name: tensor.detach().cpu().numpy() for name, tensor in extra.items()}
        np.savez_compressed(content, allow_pickle=False, samples=values, **others)
    replace_file(path, content.getvalue(), synced=False)


def read_array(path: Path) -> Tensor:
    """Reads samples (n, ...) from a .npy or .npz. Raises: GanzooError where it cannot be read or holds no samples."""
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        values = loaded if isinstance(loaded, np.ndarray) else loaded["samples"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise GanzooError(f"{path}: this file cannot be read as samples: {error}.") from error
    return torch.from_numpy(np.ascontiguousarray(values))
