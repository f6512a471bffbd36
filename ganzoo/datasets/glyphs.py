"""A synthetic data set of digits that ganzoo renders itself, for machines without network access."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.cache import cached
from ganzoo.datasets.digest import digest_of

VERSION = 2
"""Increases whenever the pixels change, so that old caches are not used."""

SIZES: dict[Literal["train", "test"], int] = {"train": 60_000, "test": 10_000}
SEEDS: dict[Literal["train", "test"], int] = {"train": 1, "test": 2}


class Glyphs(Dataset):
    """60,000 digits for training and 10,000 for testing, from 15 fonts with random slant, bend, size and stroke.

    They are rendered in seconds on first use, the same pixels every time, and stored in ganzoo's cache with a digest.
    size: pixels a side; channels: 1 for white on black, 3 for bright strokes on dark, cloudy backgrounds.
    """

    def __init__(self, *, size: Literal[28, 32, 64] = 28, channels: Literal[1, 3] = 1) -> None:
        self.size = size
        self.channels = channels

    def is_available(self, root: Path) -> bool:
        """Always true: ganzoo renders them."""
        return True

    def info(self, root: Path) -> DatasetInfo:
        """The fields and sizes, which are fixed; nothing is rendered."""
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
        """The split from the cache, or rendered where the cached file is missing or damaged."""
        name = f"glyphs/v{VERSION}-{split}-{self.size}px-{self.channels}.safetensors"
        tensors = cached(name, lambda: self.render(split))
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="made by ganzoo")

    def render(self, split: Literal["train", "test"]) -> dict[str, Tensor]:
        """Renders a split."""
        from ganzoo.datasets.glyph_rendering import colour, render_digits

        images, labels = render_digits(SIZES[split], self.size, SEEDS[split])
        return {"real": images if self.channels == 1 else colour(images, SEEDS[split]), "label": labels}
