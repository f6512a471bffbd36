"""Two embedded domains for translation: thin white digits on black, and thick warm ones on a cold, striped ground."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field, Shape
from ganzoo.datasets.cache import cached
from ganzoo.datasets.digest import digest_of

VERSION = 1
"""Rises whenever the pixels change, so that old caches are not taken for new ones."""

SIZES: dict[Literal["train", "test"], int] = {"train": 20_000, "test": 2_000}

PAIRED, UNPAIRED = {"a": 0, "b": 0}, {"a": 0, "b": 1}
SEEDS: dict[Literal["train", "test"], int] = {"train": 11, "test": 13}
"""Of a domain's digits: a split's own, plus what the domain adds."""

FONTS = (
    "DejaVuSans.ttf", "DejaVuSansMono-Oblique.ttf", "DejaVuSerif-Italic.ttf", "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf", "cmr10.ttf", "cmss10.ttf", "cmtt10.ttf",
)  # fmt: skip
"""The slender ones, for both domains: what sets them apart is how digits are drawn, not which digits are."""

THIN, THICK = (0,), (5,)
"""Extra pixels around the strokes of the master drawings."""


class GlyphDomains(Dataset):
    """Domain a: thin white digits on black. Domain b: thick digits in warm colours on cold, striped grounds.

    20,000 of each to train on and 2,000 to test on, made in seconds on first use, the same pixels every time. The test
    of a translation is whether the digit is still the same: `load` also gives "label_a" and "label_b" (n,), which no
    batch holds, so that no game can learn from them.

    size: pixels a side; channels: of domain a (b has 3);
    paired: the same digits in both, drawn alike apart from stroke, colour and ground, and not two sets that have
        nothing in common.
    """

    def __init__(self, *, size: Literal[28, 32, 64] = 28, channels: Literal[1, 3] = 1, paired: bool = False) -> None:
        self.size = size
        self.channels = channels
        self.paired = paired

    def at_hand(self, root: Path) -> bool:
        """Always: ganzoo draws them."""
        return True

    def info(self, root: Path) -> DatasetInfo:
        """Known beforehand; nothing is drawn for it."""
        shapes: dict[str, Shape] = {"a": (self.channels, self.size, self.size), "b": (3, self.size, self.size)}
        return DatasetInfo(
            fields={key: Field(shape, "uint8", "domain") for key, shape in shapes.items()},
            size=SIZES["train"],
            paired=self.paired,
            licence="made by ganzoo from fonts that matplotlib carries (Bitstream Vera and STIX licences)",
            source="made by ganzoo",
        )

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """The split from the cache, or drawn anew where it is not there or not intact."""
        kind = "paired" if self.paired else "unpaired"
        name = f"glyph-domains/v{VERSION}-{split}-{self.size}px-{self.channels}-{kind}.safetensors"
        tensors = cached(name, lambda: self.draw(split))
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="made by ganzoo")

    def draw(self, split: Literal["train", "test"]) -> dict[str, Tensor]:
        """Draws a split."""
        from ganzoo.datasets.glyph_rendering import Style, draw

        apart = PAIRED if self.paired else UNPAIRED
        seeds = {key: SEEDS[split] + apart[key] for key in ("a", "b")}
        thin, label_a = draw(SIZES[split], self.size, seeds["a"], Style(fonts=FONTS, strokes=THIN))
        thick, label_b = draw(SIZES[split], self.size, seeds["b"], Style(fonts=FONTS, strokes=THICK))
        a = thin.expand(-1, self.channels, -1, -1).contiguous()
        return {"a": a, "b": painted(thick, seeds["b"]), "label_a": label_a, "label_b": label_b}


def painted(images: Tensor, seed: int) -> Tensor:
    """White digits on black (n, 1, s, s) uint8 -> warm colours on cold, striped grounds (n, 3, s, s) uint8.

    Each picture has its own shade of both, and stripes of its own: one style with some play, as zebras have. A
    translator that is given a black ground has nothing to choose from a hundred styles by.
    """
    from ganzoo.datasets.glyph_rendering import CHUNK

    stream = torch.Generator().manual_seed(seed)
    count, _, size, _ = images.shape
    line = torch.linspace(0, 1, size)
    made = torch.empty(count, 3, size, size, dtype=torch.uint8)
    for start in range(0, count, CHUNK):
        ink = images[start : start + CHUNK].float().div_(255)
        n = len(ink)

        def drawn(low: float, high: float, n: int = n) -> Tensor:
            return torch.rand(n, 1, 1, generator=stream) * (high - low) + low

        stroke = torch.stack([drawn(0.9, 1.0), drawn(0.5, 0.95), drawn(0.0, 0.3)], dim=1)
        shade = torch.stack([drawn(0.0, 0.15), drawn(0.15, 0.35), drawn(0.35, 0.6)], dim=1)
        angle = drawn(0.15 * torch.pi, 0.35 * torch.pi)
        along = angle.cos() * line + angle.sin() * line[:, None]
        stripes = torch.sin(2 * torch.pi * (drawn(4.0, 6.0) * along + drawn(0.0, 1.0))).unsqueeze(1)
        ground = shade * (1 + 0.6 * stripes)
        mixed = ground + ink * (stroke - ground)
        made[start : start + n] = mixed.mul(255).round().clamp(0, 255).to(torch.uint8)
    return made
