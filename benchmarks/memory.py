"""Peak memory of a step's forward and backward passes, with and without activation checkpointing.

    python benchmarks/memory.py [--model RECIPE ...] [--set KEY=VALUE ...]

One round of each game, without its updates, on torch's meta device: every tensor is counted while it is referenced, and
none is allocated. Weights, optimizers' states and the data are not counted; gradients are.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganzoo.core.data import DatasetInfo, Field
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import Rehearsal
from ganzoo.training.activation_checkpointing import checkpoint_activations, networks_of


def images(channels: int, side: int) -> DatasetInfo:
    """The info of a data set of images (channels, side, side)."""
    return DatasetInfo(fields={"real": Field((channels, side, side), "uint8")}, size=1)


def domains(side: int) -> DatasetInfo:
    """The info of a data set with two domains of colour images (3, side, side)."""
    images = Field((3, side, side), "uint8", "domain")
    return DatasetInfo(fields={"a": images, "b": images}, size=1, paired=False)


CASES: dict[str, tuple[str, DatasetInfo, tuple[str, ...]]] = {
    "vanilla_mnist": ("vanilla_mnist", images(1, 28), ()),
    "dcgan_mnist": ("dcgan_mnist", images(1, 28), ()),
    "dcgan, 64 px, width 64, batches of 128": (
        "dcgan_mnist",
        images(3, 64),
        ("generator.width=64", "discriminator.width=64", "train.batch_size=128"),
    ),
    "wgan_gp_mnist": ("wgan_gp_mnist", images(1, 28), ()),
    "cyclegan, 128 px, 6 blocks": ("cyclegan_folder", domains(128), ()),
    "cyclegan, 256 px, 9 blocks": ("cyclegan_folder", domains(256), ("generator.blocks=9",)),
}
"""A row's name -> recipe, data, settings."""


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of tensors created inside while they are referenced. peak: the most at any time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = self.peak = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **dict(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, Tensor):
                self.count(made, given)
        return result

    def count(self, made: Tensor, given: set[int]) -> None:
        """Counts the result of an operation, unless it is a view of an existing tensor."""
        storage = made.untyped_storage()
        if id(storage) in given or id(storage) in self.seen:
            return
        self.seen.add(id(storage))
        self.bytes += storage.nbytes()
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self.forget, id(storage), storage.nbytes())

    def forget(self, storage: int, size: int) -> None:
        """Subtracts a storage that was freed."""
        self.seen.discard(storage)
        self.bytes -= size


def peak(recipe: str, info: DatasetInfo, settings: tuple[str, ...], *, twice: bool) -> int:
    """The peak memory of a round in bytes. twice: whether activations are recomputed (activation checkpointing)."""
    decided = read_recipe(recipe, overrides=settings)
    rehearsal = Rehearsal(decided, info, torch.device("meta"), decided.train.batch_size, recipe)
    game = rehearsal.build()
    if twice:
        for network in networks_of(game):
            checkpoint_activations(network)
    with LiveMemory() as live:
        rehearsal.round(game, rehearsal.players(game), {})
    most: int = live.peak
    return most


def rows(cases: Mapping[str, tuple[str, DatasetInfo, tuple[str, ...]]]) -> Iterator[tuple[str, int, int]]:
    """The table's rows: name, bytes, bytes with activation checkpointing."""
    for name, case in cases.items():
        yield name, peak(*case, twice=False), peak(*case, twice=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", default=list(CASES), choices=list(CASES), metavar="ROW")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    table = Table(title=f"Memory of a step at its peak, weights and data apart, float32, torch {torch.__version__}")
    for column in ("step", "as it is", "computed a second time", "of that"):
        table.add_column(column, justify="left" if column == "step" else "right")
    chosen = {name: (CASES[name][0], CASES[name][1], (*CASES[name][2], *options.set)) for name in options.model}
    for name, plain, light in rows(chosen):
        table.add_row(name, f"{plain / 2**20:,.0f} MiB", f"{light / 2**20:,.0f} MiB", f"{light / plain:.0%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
