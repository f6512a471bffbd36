"""Evaluates translations of digits: whether they change the style and preserve the digit.

    python benchmarks/translation.py RUN [RUN ...] [--seed 0]

For runs on `glyph-domains`. A digit classifier is trained in each domain, with the labels, which no game sees, and a
classifier of the domains. Then the test split is translated, and the table shows, for the translations, for the same
images untranslated (the baseline) and for real images of the other domain (the ceiling):

    same digit      the share that the digit classifier of the target domain recognises as the digit of the input
    style           the share that the domain classifier assigns to the target domain
    told apart      the accuracy of a classifier trained to tell them from real ones (two-sample test): chance is 50 %
    L1 to the pair  the mean absolute difference to the true translation, of 255, where the data are paired

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
STYLE_IMAGES = 4000
"""Training images of each domain for the classifiers of style."""


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


def train_classifier(images: Tensor, labels: Tensor, classes: int, *, epochs: int = EPOCHS) -> nn.Sequential:
    """A classifier trained on images (n, C, H, W) with labels (n,), in evaluation mode."""
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
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The accuracy of a classifier, in percent."""
    found = torch.cat([network(part).argmax(dim=1) for part in images.split(500)])
    return 100 * (found == labels).float().mean().item()


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Images with 3 channels or 1: grey ones repeated, or colours averaged."""
    if images.shape[1] == channels:
        return images
    return images.expand(-1, 3, -1, -1) if channels == 3 else images.mean(dim=1, keepdim=True)


def two_sample_accuracy(made: Tensor, real: Tensor, made_test: Tensor, real_test: Tensor) -> float:
    """The test accuracy of a classifier of generated against real images (classifier two-sample test), in percent."""
    labels = torch.cat((torch.zeros(len(made)), torch.ones(len(real)))).long()
    network = train_classifier(torch.cat((made, real)), labels, 2)
    test_labels = torch.cat((torch.zeros(len(made_test)), torch.ones(len(real_test)))).long()
    return accuracy(network, torch.cat((made_test, real_test)), test_labels)


def rows(run: ganzoo.Run) -> Iterator[tuple[str, ...]]:
    """The table's rows for one run: direction, images, same digit, style, told apart, L1 to the pair."""
    dataset, root = build_dataset(run.recipe.dataset), data_root(None)
    train, test = (split_of(dataset.load(root, name)) for name in ("train", "test"))
    both = torch.cat([with_channels(train.images[key][:STYLE_IMAGES], 3) for key in ("a", "b")])
    domain = train_classifier(both, torch.arange(2).repeat_interleave(STYLE_IMAGES), 2)
    for direction in run.game.directions:
        yield from scores(run, direction, train, test, domain)


def scores(run: ganzoo.Run, direction: str, train: Split, test: Split, domain: nn.Module) -> Iterator[tuple[str, ...]]:
    """The rows of one direction. domain: tells a, 0, from b, 1."""
    source, target = direction.split("2")
    seen, given = train.images[source][:STYLE_IMAGES], test.images[source]
    real, real_test = train.images[target][:STYLE_IMAGES], test.images[target]
    digits = train_classifier(train.images[target], train.labels[target], 10)
    wanted = torch.full((len(given),), "ab".index(target))

    def row(name: str, images: Tensor, like: Tensor | None, labels: Tensor) -> tuple[str, ...]:
        """like: more of the same, from the training split (None: these are real)."""
        same = accuracy(digits, images, labels)
        style = accuracy(domain, with_channels(images, 3), wanted)
        apart = "" if like is None else f"{two_sample_accuracy(like, real, images, real_test):.1f} %"
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
