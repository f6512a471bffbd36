"""A small classifier that ganzoo trains itself: the extractor for digits and their like, offline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ganzoo.core.data import Dataset, Examples
from ganzoo.core.random_streams import own_randomness
from ganzoo.datasets.cache import cached
from ganzoo.datasets.digest import digest_of
from ganzoo.errors import MetricError
from ganzoo.kinds.pixels import to_unit_range
from ganzoo.metrics.interface import Extractor, Features

VERSION = 1
"""Rises whenever the network or its training changes, so that old caches are not taken for new ones."""

WIDTH = 128
"""Features of one channel."""

LARGEST = 64
"""Pixels a side up to which so small a network sees enough."""

OTHERS = "Use --extractor inception for images of 8 bits, or flatten for any."

EPOCHS, BATCH, RATE = 3, 128, 0.01


class Digits(Extractor):
    """The 128 features and the logits of a small convolutional classifier, trained on the data set's own labels.

    It learns from the training split in a minute or two on one core, the same weights every time on the same kind of
    machine, and is kept in ganzoo's cache with its digest and its accuracy on the test split. Of stacked digits each
    channel is looked at by itself: features stand side by side, and the logits are over all combinations.
    For images of at most 64 x 64 with labels; what it says depends on the data set, and is named after it.
    """

    classifies: ClassVar[Literal["", "other", "own"]] = "own"

    def __init__(self) -> None:
        super().__init__()
        self.checksum = ""
        self.accuracy = 0.0
        self.network: nn.Sequential | None = None
        self.channels = 1

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Takes the classifier from the cache, or trains it. Raises: MetricError where there are no labels."""
        learned = dataset.unstacked
        info = learned.info(root)
        if "label" not in info.gives or len(info.classes) < 2:
            raise MetricError(
                "the extractor digits learns from labels, and this data set has none.",
                remedy=OTHERS,
            )
        if max(info.sample_shape[1:]) > LARGEST:
            raise MetricError(f"the extractor digits is for images up to {LARGEST} x {LARGEST}.", remedy=OTHERS)
        train, test = learned.load(root, "train"), learned.load(root, "test")
        self.channels, classes = info.sample_shape[0], len(info.classes)
        key = hashlib.sha256(f"{train.checksum} {test.checksum} {classes}".encode()).hexdigest()[:16]
        tensors = cached(f"extractors/digits-v{VERSION}-{key}.safetensors", lambda: learn(train, test, classes))
        self.learned_from, self.checksum = type(learned).__name__, train.checksum
        self.digest = digest_of(tensors)
        self.accuracy = tensors.pop("accuracy").item()
        with torch.device("meta"):  # no weights are drawn for what is loaded
            self.network = classifier(self.channels, classes)
        self.network.load_state_dict(tensors, assign=True)
        self.eval().requires_grad_(False)

    def facts(self) -> Mapping[str, str | float]:
        """What it learned from, and how well."""
        return {"accuracy": self.accuracy, "learned_from": self.checksum}

    def forward(self, images: Tensor) -> Features:
        """images (n, C, H, W) as stored -> features (n, 128 * stacked channels), logits over the data set's classes."""
        if self.network is None:
            raise MetricError("the extractor digits was not prepared.")
        n, stacked = len(images), images.shape[1] // self.channels
        one_each = images.reshape(n * stacked, self.channels, *images.shape[2:])
        features = self.network[:-1](to_unit_range(one_each))
        of_each = self.network[-1](features).log_softmax(dim=1).view(n, stacked, -1)
        logits = of_each[:, 0]
        for channel in range(1, stacked):  # log p(a, b) = log p(a) + log p(b), numbered as labels are: 10 a + b
            logits = (logits.unsqueeze(2) + of_each[:, channel].unsqueeze(1)).flatten(1)
        return Features(features.view(n, -1), logits)


def classifier(channels: int, classes: int) -> nn.Sequential:
    """Three convolutions, a layer of 128 features, and a linear one on top."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if outputs < 64 else [nn.AdaptiveAvgPool2d(3), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(64 * 9, WIDTH), nn.ReLU(), nn.Linear(WIDTH, classes))


def learn(train: Examples, test: Examples, classes: int) -> dict[str, Tensor]:
    """The weights after three epochs of Adam under one cycle of its learning rate, with the accuracy on `test`."""
    images, labels = train.tensors["real"], train.tensors["label"]
    with own_randomness(torch.device("cpu")), one_thread(), torch.enable_grad():
        torch.manual_seed(0)
        network = classifier(images.shape[1], classes).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        batches = -(-len(images) // BATCH)
        course = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * batches + 1, pct_start=0.2)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(images)).chunk(batches):
                loss = nn.functional.cross_entropy(network(to_unit_range(images[rows])), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                course.step()
        accuracy = accuracy_of(network.eval(), test)
    weights = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    return {**weights, "accuracy": torch.tensor(accuracy, dtype=torch.float64)}


@torch.no_grad()
def accuracy_of(network: nn.Module, examples: Examples) -> float:
    """The share of examples that the network names rightly."""
    parts = zip(examples.tensors["real"].split(1000), examples.tensors["label"].split(1000), strict=True)
    right = sum(int((network(to_unit_range(images)).argmax(dim=1) == labels).sum()) for images, labels in parts)
    return right / len(examples.tensors["label"])


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, sums are taken in one order, whatever the number of cores: the same weights on both."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
