"""Does a translation change the style of a digit, and keep the digit?

    python benchmarks/translation.py RUN [RUN ...] [--seed 0]

For runs on `glyph-domains`. The domains' labels, which no game sees, train a digit classifier in each domain, and a
classifier that tells the domains apart. Then the test split is translated, and the table shows, of what was translated,
of the same images untranslated (the baseline) and of real ones of the other domain (the ceiling):

    same digit      how many the digit classifier of the target domain reads as what the input was
    style           how many the domain classifier takes for the target domain
    told apart      how often a classifier, trained for just that, tells them from real ones: 50 % is by chance
    L1 to the pair  the mean distance of a pixel, of 255, to the true answer, where the data are paired

Each network is a small convolutional one trained for a few epochs on the training split; all of it takes minutes.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import ganzoo
from ganzoo.datasets.root import data_root
from ganzoo.kinds.pixels import to_unit_range
from ganzoo.recipe.parts import build_dataset

EPOCHS = 4
BATCH = 128
LOOKED_AT = 4000
"""Training images of each side that the classifiers of style learn from."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split: images (n, C, H, W) in [-1, 1] and labels (n,) by domain."""

    images: dict[str, Tensor]
    labels: dict[str, Tensor]


def classifier(channels: int, classes: int) -> nn.Sequential:
    """A small convolutional network for images of any size: (n, channels, H, W) -> (n, classes)."""
    layers: list[nn.Module] = []
    for before, after in ((channels, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64 * 4, classes))


def trained(images: Tensor, labels: Tensor, classes: int, *, epochs: int = EPOCHS) -> nn.Sequential:
    """A classifier that has learned from images (n, C, H, W) and labels (n,), in evaluation mode."""
    network = classifier(images.shape[1], classes)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            optimizer.zero_grad()
            cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def right(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images that a classifier gives their label, in percent."""
    found = torch.cat([network(part).argmax(dim=1) for part in images.split(500)])
    return 100 * (found == labels).float().mean().item()


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Grey images in three channels, or coloured ones as grey."""
    if images.shape[1] == channels:
        return images
    return images.expand(-1, 3, -1, -1) if channels == 3 else images.mean(dim=1, keepdim=True)


def told_apart(made: Tensor, real: Tensor, made_test: Tensor, real_test: Tensor) -> float:
    """How well a classifier trained on the first two tells the last two apart, in percent."""
    labels = torch.cat((torch.zeros(len(made)), torch.ones(len(real)))).long()
    network = trained(torch.cat((made, real)), labels, 2)
    test_labels = torch.cat((torch.zeros(len(made_test)), torch.ones(len(real_test)))).long()
    return right(network, torch.cat((made_test, real_test)), test_labels)


def rows(run: ganzoo.Run) -> Iterator[tuple[str, ...]]:
    """The table's rows for one run: direction, images, same digit, style, told apart, L1 to the pair."""
    dataset, root = build_dataset(run.recipe.dataset), data_root(None)
    train, test = (split_of(dataset.load(root, name)) for name in ("train", "test"))
    both = torch.cat([with_channels(train.images[key][:LOOKED_AT], 3) for key in ("a", "b")])
    domain = trained(both, torch.arange(2).repeat_interleave(LOOKED_AT), 2)
    for direction in run.game.directions:
        yield from scores(run, direction, train, test, domain)


def scores(run: ganzoo.Run, direction: str, train: Split, test: Split, domain: nn.Module) -> Iterator[tuple[str, ...]]:
    """The rows of one direction. domain: tells a, 0, from b, 1."""
    source, target = direction.split("2")
    seen, given = train.images[source][:LOOKED_AT], test.images[source]
    real, real_test = train.images[target][:LOOKED_AT], test.images[target]
    digits = trained(train.images[target], train.labels[target], 10)
    wanted = torch.full((len(given),), "ab".index(target))

    def row(name: str, images: Tensor, like: Tensor | None, labels: Tensor) -> tuple[str, ...]:
        """like: more of the same, from the training split (None: these are real)."""
        same = right(digits, images, labels)
        style = right(domain, with_channels(images, 3), wanted)
        apart = "" if like is None else f"{told_apart(like, real, images, real_test):.1f} %"
        distance = (images - real_test).abs().mean().item() * 127.5
        near = f"{distance:.1f}" if run.info.paired and like is not None else ""
        return direction, name, f"{same:.1f} %", f"{style:.1f} %", apart, near

    channels = real.shape[1]
    yield row("untranslated", with_channels(given, channels), with_channels(seen, channels), test.labels[source])
    made, made_like = run.translate(given, direction), run.translate(seen, direction)
    yield row("translated", made, made_like, test.labels[source])
    yield row("real ones", real_test, None, test.labels[target])


def split_of(examples: ganzoo.Examples) -> Split:
    """What a data set loaded, as floats."""
    return Split(
        {key: to_unit_range(examples.tensors[key]) for key in ("a", "b")},
        {key: examples.tensors[f"label_{key}"] for key in ("a", "b")},
    )


def main() -> None:
    """Prints a table for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for path in options.runs:
        torch.manual_seed(options.seed)
        run, began = ganzoo.load(path), time.perf_counter()
        found = list(rows(run))
        title = f"{run.facts['recipe']}, step {run.step:,} ({run.facts['seconds']:,.0f} s of training)"
        table = Table(title=title, caption=f"{platform.machine()}, scored in {time.perf_counter() - began:,.0f} s")
        for column in ("direction", "images", "same digit", "style", "told apart", "L1 to the pair"):
            table.add_column(column, justify="left" if column in ("direction", "images") else "right")
        for row in found:
            table.add_row(*row)
        Console(width=100).print(table)


if __name__ == "__main__":
    main()
