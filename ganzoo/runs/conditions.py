"""The conditions of a run's samples: values that a user gives, and those of its training examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ganzoo.core.data import Batch, Examples, Field, Source
from ganzoo.datasets.atomic import replace_file
from ganzoo.errors import CheckpointError, RunError
from ganzoo.plugins import error_text
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.messages import did_you_mean
from ganzoo.runs.tensor_file import read_tensors

MAX_BYTES = 2**24
"""The largest size of the conditions that are stored with a run: all labels of a large data set, or a few images."""

HEADER = 2**20
"""The most that the header of their file takes."""


def save_conditions(path: Path, keys: Sequence[str], data: Examples | Source, seed: int) -> None:
    """Writes the conditions of training examples: of all, or of as many random examples as fit into MAX_BYTES.

    Evaluation and sampling draw from them, so that a run can be sampled on machines without its data.
    """
    size = data.sizes[keys[0]]
    of_first = sum(tensor.nbytes for tensor in (data.fetch(key, [0]) for key in keys))
    count = min(size, max(1, MAX_BYTES // max(of_first, 1)))
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed)) if count < size else torch.arange(size)
    rows = order[:count].tolist()
    replace_file(path, save({key: data.fetch(key, rows).contiguous() for key in keys}))


class Conditions:
    """The conditions of a run's game.

    keys: of the batch, which the generator is conditioned on; kept: the file that `save_conditions` wrote.
    """

    def __init__(self, keys: Sequence[str], kinds: FieldKinds, kept: Path) -> None:
        self.keys = tuple(keys)
        self.kinds = kinds
        self.kept = kept

    def field(self, key: str) -> Field:
        """The field of a condition. Raises: RunError for a key that samples are not conditioned on."""
        if key not in self.keys:
            known = f"They are: {', '.join(self.keys)}." if self.keys else "Its samples have no conditions."
            raise RunError(
                f'samples of this run have no condition "{key}".', remedy=did_you_mean(key, self.keys) + known
            )
        return self.kinds.info.fields[key]

    def complete(self, n: int, given: Mapping[str, Any]) -> Batch | None:
        """Values (n, ...) of all conditions by key: those in `given`, completed from random training examples.

        given: for each key one value for all samples, or a list, an array or a tensor with one for each; labels by name
        or number. Missing conditions come from training examples that are drawn with torch's global generator, for each
        sample among those with its label where such examples exist; the k-th sample's do not depend on n.
        Returns None for a game without conditions.
        Raises: RunError for an unknown key or an invalid value.
        """
        chosen = {key: self.parse(key, value, n) for key, value in given.items()}
        if missing := [key for key in self.keys if key not in chosen]:
            kept = self.load()
            drawn = self.matching_rows(kept, chosen, n)
            chosen |= {key: self.kinds.to_unit(key, kept[key][drawn]) for key in missing}
        return {key: chosen[key] for key in self.keys} or None

    def cycle_labels(self, n: int) -> Batch | None:
        """As `complete`, but labels, if any, cycle through the classes, for a grid with a column for each class."""
        if "label" not in self.keys:
            return self.complete(n, {})
        classes = len(self.kinds.info.classes)
        return self.complete(n, {"label": torch.arange(n) % classes})

    def parse(self, key: str, value: Any, n: int) -> Tensor:
        """A given value as a tensor (n, ...), as networks see it. Raises: RunError where it is invalid."""
        field, shape = self.field(key), self.kinds.unit_shape(key)
        if not isinstance(value, Tensor) and hasattr(value, "tolist"):  # a NumPy array or scalar
            value = value.tolist()
        if field.classes and not isinstance(value, Tensor):
            several = isinstance(value, Sequence) and not isinstance(value, str)
            numbers = [self.label_index(key, field, each) for each in (value if several else [value])]
            value = torch.tensor(numbers)
        try:
            tensor = torch.as_tensor(value).cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise RunError(f"{key} = {value!r} is no number, list or tensor: {error_text(error)}.") from error
        if field.classes and (
            len(tensor.shape) > 1 or tensor.is_floating_point() or bool(out_of_range(tensor, field).any())
        ):
            raise RunError(f"{key}: labels are whole numbers from 0 to {len(field.classes) - 1}.")
        dtype = torch.int64 if field.classes else torch.float32
        if math.prod(tensor.shape) == math.prod(shape):  # one value for all
            return tensor.to(dtype).reshape(1, *shape).expand(n, *shape)
        if tuple(tensor.shape) == (n, *shape):
            return tensor.to(dtype)
        expected = f"{shape}" if shape else "one value"
        raise RunError(
            f"{key}: {tuple(tensor.shape)} is neither {expected}, for all samples, nor one for each of the {n} samples."
        )

    def label_index(self, key: str, field: Field, value: Any) -> int:
        """The index of a class, given its name or its index. Raises: RunError."""
        text = str(value)
        if text in field.classes:
            return field.classes.index(text)
        if text.isdecimal() and int(text) < len(field.classes):
            return int(text)
        shown = ", ".join(field.classes[:20]) + (", ..." if len(field.classes) > 20 else "")
        raise RunError(
            f"{key}: there is no class {text}.",
            remedy=f"{did_you_mean(text, field.classes)}Classes, from 0 to {len(field.classes) - 1}: {shown}.",
        )

    def load(self) -> dict[str, Tensor]:
        """Reads the conditions stored with the run. Raises: RunError where the file is missing or damaged."""
        one = sum(math.prod(self.field(key).shape) * self.field(key).torch_dtype.itemsize for key in self.keys)
        try:
            kept = read_tensors(self.kept, limit=max(MAX_BYTES, one) + HEADER)
        except CheckpointError as error:
            what = f"the conditions of this run's data cannot be read: {error.what.removeprefix(f'{self.kept}: ')}"
            raise RunError(f"{self.kept}: {what}", remedy=f"Give values for {', '.join(self.keys)}.") from error
        if missing := [key for key in self.keys if key not in kept]:
            raise RunError(f"{self.kept} holds no {', '.join(missing)}.", remedy="Give values for them.")
        if wrong := [key for key in self.keys if not self.are_examples(key, kept[key], len(kept[self.keys[0]]))]:
            raise RunError(
                f"{self.kept}: {wrong[0]} is not stored as run.json says: {tuple(kept[wrong[0]].shape)} "
                f"{str(kept[wrong[0]].dtype).removeprefix('torch.')}.",
                remedy=f"Give values for {', '.join(self.keys)}.",
            )
        return kept

    def are_examples(self, key: str, stored: Tensor, n: int) -> bool:
        """Whether a tensor holds n stored examples of a field, at least one, labels among its classes."""
        field = self.field(key)
        if n == 0 or tuple(stored.shape) != (n, *field.shape) or stored.dtype != field.torch_dtype:
            return False
        return not field.classes or not bool(out_of_range(stored, field).any())

    def matching_rows(self, kept: Mapping[str, Tensor], chosen: Mapping[str, Tensor], n: int) -> Tensor:
        """Random indices (n,) of stored examples, with the labels chosen for each sample where such exist."""
        size = len(next(iter(kept.values())))
        chances = torch.rand(n, 2, dtype=torch.float64)  # two numbers a sample, needed or not
        rows = (chances[:, 0] * size).long()
        keys = [key for key in chosen if self.kinds.info.fields[key].classes and key in kept]
        if not keys:
            return rows
        given, had = (torch.stack([values[key] for key in keys], dim=1) for values in (chosen, kept))
        for labels in given.unique(dim=0):
            alike = (had == labels).all(dim=1).nonzero().squeeze(1)
            wanted = (given == labels).all(dim=1)
            if len(alike):
                rows[wanted] = alike[(chances[wanted, 1] * len(alike)).long()]
        return rows


def out_of_range(labels: Tensor, field: Field) -> Tensor:
    """Which labels are not classes of the field."""
    return (labels < 0) | (labels >= len(field.classes))
