"""A small classifier that ganzoo trains itself: an extractor for digits and similar images, without network access."""

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
"""Increases whenever the network or its training changes, so that old caches are not used."""

N_FEATURES = 128
"""The number of features of one channel."""

MAX_SIDE = 64
"""The largest images, in pixels a side, that so small a network can classify."""

ALTERNATIVES = "Use --extractor inception for images of 8 bits, or flatten for any."

EPOCHS, BATCH_SIZE, LEARNING_RATE = 3, 128, 0.01


class Digits(Extractor):
    """The 128 features and the logits of a small convolutional classifier, trained on the data set's own labels.

    It is trained on the training split in a minute or two on one core, with the same weights every time on the same
    kind of machine, and stored in ganzoo's cache with its digest and its accuracy on the test split. Each channel of
    stacked digits is classified separately: features are concatenated, and the logits are over all combinations.
    For images of at most 64 x 64 with labels; protocols name the data set, on which the features depend.
    """

    classifies: ClassVar[Literal["", "other", "own"]] = "own"

    def __init__(self) -> None:
        super().__init__()
        self.checksum = ""
        self.accuracy = 0.0
        self.network: nn.Sequential | None = None
        self.channels = 1

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Loads the classifier from the cache, or trains it. Raises: MetricError without labels or for large images."""
        source = dataset.unstacked
        info = source.info(root)
        if "label" not in info.gives or len(info.classes) < 2:
            raise MetricError(
                "the extractor digits learns from labels, and this data set has none.",
                remedy=ALTERNATIVES,
            )
        if max(info.sample_shape[1:]) > MAX_SIDE:
            raise MetricError(f"the extractor digits is for images up to {MAX_SIDE} x {MAX_SIDE}.", remedy=ALTERNATIVES)
        train, test = source.load(root, "train"), source.load(root, "test")
        self.channels, classes = info.sample_shape[0], len(info.classes)
        key = hashlib.sha256(f"{train.checksum} {test.checksum} {classes}".encode()).hexdigest()[:16]
        tensors = cached(
            f"extractors/digits-v{VERSION}-{key}.safetensors", lambda: train_classifier(train, test, classes)
        )
        self.learned_from, self.checksum = type(source).__name__, train.checksum
        self.digest = digest_of(tensors)
        self.accuracy = tensors.pop("accuracy").item()
        with torch.device("meta"):  # weights are loaded, so none need be initialised
            self.network = classifier(self.channels, classes)
        self.network.load_state_dict(tensors, assign=True)
        self.eval().requires_grad_(False)

    def facts(self) -> Mapping[str, str | float]:
        """Its accuracy, and the checksum of its training data."""
        return {"accuracy": self.accuracy, "learned_from": self.checksum}

    def forward(self, images: Tensor) -> Features:
        """images (n, C, H, W) as stored -> features (n, 128 * stacked channels), logits over the data set's classes."""
        if self.network is None:
            raise MetricError("the extractor digits was not prepared.")
        n, stacked = len(images), images.shape[1] // self.channels
        unstacked_images = images.reshape(n * stacked, self.channels, *images.shape[2:])
        features = self.network[:-1](to_unit_range(unstacked_images))
        log_probabilities = self.network[-1](features).log_softmax(dim=1).view(n, stacked, -1)
        logits = log_probabilities[:, 0]
        for channel in range(1, stacked):  # log p(a, b) = log p(a) + log p(b), numbered as labels are: 10 a + b
            logits = (logits.unsqueeze(2) + log_probabilities[:, channel].unsqueeze(1)).flatten(1)
        return Features(features.view(n, -1), logits)


def classifier(channels: int, classes: int) -> nn.Sequential:
    """Three convolutions, a layer of 128 features, and a linear layer for the logits."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if outputs < 64 else [nn.AdaptiveAvgPool2d(3), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(64 * 9, N_FEATURES), nn.ReLU(), nn.Linear(N_FEATURES, classes))


def train_classifier(train: Examples, test: Examples, classes: int) -> dict[str, Tensor]:
    """The weights after three epochs of Adam under one cycle of its learning rate, with the accuracy on `test`."""
    images, labels = train.tensors["real"], train.tensors["label"]
    with own_randomness(torch.device("cpu")), single_thread(), torch.enable_grad():
        torch.manual_seed(0)
        network = classifier(images.shape[1], classes).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        batches = -(-len(images) // BATCH_SIZE)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, LEARNING_RATE, total_steps=EPOCHS * batches + 1, pct_start=0.2
        )
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(images)).chunk(batches):
                loss = nn.functional.cross_entropy(network(to_unit_range(images[rows])), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
        accuracy = accuracy_of(network.eval(), test)
    weights = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    return {**weights, "accuracy": torch.tensor(accuracy, dtype=torch.float64)}


@torch.no_grad()
def accuracy_of(network: nn.Module, examples: Examples) -> float:
    """The share of examples that the network classifies correctly."""
    parts = zip(examples.tensors["real"].split(1000), examples.tensors["label"].split(1000), strict=True)
    correct = sum(int((network(to_unit_range(images)).argmax(dim=1) == labels).sum()) for images, labels in parts)
    return correct / len(examples.tensors["label"])


@contextmanager
def single_thread() -> Iterator[None]:
    """Inside, torch uses one thread, so that sums, and thus weights, do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
