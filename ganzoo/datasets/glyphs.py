"""The embedded data set: digits that ganzoo draws itself, for machines that can reach no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganzoo.atomic import replace_file
from ganzoo.datasets.root import cache
from ganzoo.interfaces import Dataset, DatasetInfo, Examples

VERSION = 1
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
            sample_shape=(self.channels, self.size, self.size),
            size=SIZES["train"],
            classes=tuple("0123456789"),
            gives=("image", "label"),
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
        return {"image": images if self.channels == 1 else colour(images, SEEDS[split]), "label": labels}


def cached(name: str, draw: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What ganzoo's cache holds under that name, or else what `draw` makes, which is then kept there."""
    path = cache() / name
    tensors = read_cached(path)
    if tensors is None:
        tensors = draw()
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, save(tensors, metadata={"digest": digest_of(tensors)}))
    return tensors


def read_cached(path: Path) -> dict[str, Tensor] | None:
    """What the cache holds at `path`, or None where it is missing or its digest does not fit."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
            digest = (file.metadata() or {}).get("digest")
    except (OSError, SafetensorError):
        return None
    return tensors if digest == digest_of(tensors) else None


def digest_of(tensors: dict[str, Tensor]) -> str:
    """ "sha256:..." over pixels and labels, in the order of their names."""
    digest = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        digest.update(tensor.numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"
