"""Stacked digits, one in each colour channel: 1,000 modes that can be counted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Interval

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.glyphs import Glyphs
from ganzoo.datasets.mnist import MNIST
from ganzoo.errors import DatasetUnavailable

TEST_SIZE = 26_000
"""Images in the test split, as many as are generated for the published scores."""

SEEDS: dict[Literal["train", "test"], int] = {"train": 0, "test": 1}
"""Added to twice the data set's seed, so that the splits never share a random stream."""


class StackedMNIST(Dataset):
    """Images of 28 x 28 whose red, green and blue channels are each a random digit of MNIST, as in PacGAN (Lin et al.,
    2018, arXiv:1712.04086): 128,000 for training, with 1,000 modes that are as likely as their digits are in MNIST.

    The label is 100 red + 10 green + blue. Each split is made from the same split of MNIST, so that classifiers and
    scores are tested on digits that the generator never saw (the paper stacks digits of both splits).
    size: images for training (the test split has 26,000); seed: of the choice of digits.
    """

    digits: ClassVar[type[Dataset]] = MNIST

    def __init__(
        self,
        *,
        size: Annotated[int, Interval(ge=10, le=1_000_000)] = 128_000,
        seed: Annotated[int, Interval(ge=0, lt=2**31)] = 0,
    ) -> None:
        self.size = size
        self.seed = seed

    @property
    def unstacked(self) -> Dataset:
        """The data set that the digits come from."""
        return self.digits()

    def is_available(self, root: Path) -> bool | None:
        """Whether the data set of the digits is available."""
        return self.unstacked.is_available(root)

    def info(self, root: Path) -> DatasetInfo:
        """The fields, and licence and source of the digits."""
        of_digits = self.unstacked.info(root)
        return DatasetInfo(
            fields={
                "real": Field((3, 28, 28), "uint8"),
                "label": Field.label([f"{number:03}" for number in range(1000)]),
            },
            size=self.size,
            licence=of_digits.licence,
            source=of_digits.source,
            extractor="digits",
        )

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """One split, the same images every time. Raises: DatasetUnavailable, DatasetError."""
        try:
            digits = self.unstacked.load(root, split)
        except DatasetUnavailable as error:
            raise DatasetUnavailable(error.what, remedy=error.remedy.replace('"glyphs"', '"stacked-glyphs"')) from error
        count = self.size if split == "train" else TEST_SIZE
        stream = torch.Generator().manual_seed(2 * self.seed + SEEDS[split])
        rows = torch.randint(len(digits.tensors["real"]), (count, 3), generator=stream)
        images = torch.empty(count, 3, 28, 28, dtype=torch.uint8)
        for channel in range(3):
            images[:, channel] = digits.tensors["real"][rows[:, channel], 0]
        labels = digits.tensors["label"][rows] @ torch.tensor([100, 10, 1])
        digest = hashlib.sha256(digits.checksum.encode() + rows.numpy().tobytes()).hexdigest()
        return Examples(
            tensors={"real": images, "label": labels},
            checksum=f"sha256:{digest}",
            origin=f"stacked by ganzoo from {digits.origin}",
        )


class StackedGlyphs(StackedMNIST):
    """Stacked digits from glyphs, which ganzoo renders itself: 1,000 modes on any machine, offline.

    size: images for training (the test split has 26,000); seed: of the choice of digits.
    """

    digits = Glyphs
