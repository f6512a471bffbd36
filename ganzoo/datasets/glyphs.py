"""The embedded data set: digits that ganzoo draws itself, for machines that can reach no other."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.cache import cached
from ganzoo.datasets.digest import digest_of

VERSION = 2
"""Rises whenever the pixels change, so that old caches are not taken for new ones."""

SIZES: dict[Literal["train", "test"], int] = {"train": 60_000, "test": 10_000}
SEEDS: dict[Literal["train", "test"], int] = {"train": 1, "test": 2}


class Glyphs(Dataset):
    """60,000 digits to train on and 10,000 to test on, drawn from 15 fonts with random slant, bend, size and stroke.

    Made in seconds on first use, the same pixels every time, and kept in ganzoo's cache with their digest.
    size: pixels a side; channels: 1 for white on black, 3 for bright strokes on dark, cloudy grounds.
    """

    def __init__(self, *, size: Literal[28, 32, 64] = 28, channels: Literal[1, 3] = 1) -> None:
        self.size = size
        self.channels = channels

    def at_hand(self, root: Path) -> bool:
        """Always: ganzoo draws them."""
        return True

    def info(self, root: Path) -> DatasetInfo:
        """Known beforehand; nothing is drawn for it."""
        return DatasetInfo(
            fields={
                "real": Field((self.channels, self.size, self.size), "uint8"),
                "label": Field.label("0123456789"),
            },
            size=SIZES["train"],
            licence="made by ganzoo from fonts that matplotlib carries (Bitstream Vera and STIX licences)",
            source="made by ganzoo",
            extractor="digits",
        )

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """The split from the cache, or drawn anew where it is not there or not intact."""
        name = f"glyphs/v{VERSION}-{split}-{self.size}px-{self.channels}.safetensors"
        tensors = cached(name, lambda: self.draw(split))
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="made by ganzoo")

    def draw(self, split: Literal["train", "test"]) -> dict[str, Tensor]:
        """Draws a split."""
        from ganzoo.datasets.glyph_rendering import colour, draw

        images, labels = draw(SIZES[split], self.size, SEEDS[split])
        return {"real": images if self.channels == 1 else colour(images, SEEDS[split]), "label": labels}
