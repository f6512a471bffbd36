"""Two synthetic domains for translation: thin white digits on black, and thick ones in warm colours on striped, cold
backgrounds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field, Shape
from ganzoo.datasets.cache import cached
from ganzoo.datasets.digest import digest_of

VERSION = 1
"""Increases whenever the pixels change, so that old caches are not used."""

SIZES: dict[Literal["train", "test"], int] = {"train": 20_000, "test": 2_000}

PAIRED_OFFSETS, UNPAIRED_OFFSETS = {"a": 0, "b": 0}, {"a": 0, "b": 1}
SEEDS: dict[Literal["train", "test"], int] = {"train": 11, "test": 13}
"""The seed of a domain's digits is its split's seed plus the domain's offset."""

FONTS = (
    "DejaVuSans.ttf", "DejaVuSansMono-Oblique.ttf", "DejaVuSerif-Italic.ttf", "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf", "cmr10.ttf", "cmss10.ttf", "cmtt10.ttf",
)  # fmt: skip
"""Fonts with thin strokes, for both domains: these differ in how digits are drawn, not in their fonts."""

THIN, THICK = (0,), (5,)
"""Extra pixels around the strokes of the master glyphs."""


class GlyphDomains(Dataset):
    """Domain a: thin white digits on black. Domain b: thick digits in warm colours on cold, striped backgrounds.

    20,000 of each for training and 2,000 for testing, generated in seconds on first use, the same pixels every time. A
    translation should preserve the digit: to test that, `load` also returns "label_a" and "label_b" (n,), which are not
    in batches, so that no game can learn from them.

    size: pixels a side; channels: of domain a (b has 3);
    paired: whether both domains show the same digits, which then differ in stroke, colour and background only; else
        they are independent.
    """

    def __init__(self, *, size: Literal[28, 32, 64] = 28, channels: Literal[1, 3] = 1, paired: bool = False) -> None:
        self.size = size
        self.channels = channels
        self.paired = paired

    def is_available(self, root: Path) -> bool:
        """Always true: ganzoo generates the images."""
        return True

    def info(self, root: Path) -> DatasetInfo:
        """The fields and sizes, which are fixed; nothing is generated."""
        shapes: dict[str, Shape] = {"a": (self.channels, self.size, self.size), "b": (3, self.size, self.size)}
        return DatasetInfo(
            fields={key: Field(shape, "uint8", "domain") for key, shape in shapes.items()},
            size=SIZES["train"],
            paired=self.paired,
            licence="made by ganzoo from fonts that matplotlib carries (Bitstream Vera and STIX licences)",
            source="made by ganzoo",
        )

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """The split from the cache, or generated where the cached file is missing or damaged."""
        kind = "paired" if self.paired else "unpaired"
        name = f"glyph-domains/v{VERSION}-{split}-{self.size}px-{self.channels}-{kind}.safetensors"
        tensors = cached(name, lambda: self.render(split))
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="made by ganzoo")

    def render(self, split: Literal["train", "test"]) -> dict[str, Tensor]:
        """Generates a split."""
        from ganzoo.datasets.glyph_rendering import Style, render_digits

        seed_offsets = PAIRED_OFFSETS if self.paired else UNPAIRED_OFFSETS
        seeds = {key: SEEDS[split] + seed_offsets[key] for key in ("a", "b")}
        thin, label_a = render_digits(SIZES[split], self.size, seeds["a"], Style(fonts=FONTS, strokes=THIN))
        thick, label_b = render_digits(SIZES[split], self.size, seeds["b"], Style(fonts=FONTS, strokes=THICK))
        a = thin.expand(-1, self.channels, -1, -1).contiguous()
        return {"a": a, "b": paint_domain_b(thick, seeds["b"]), "label_a": label_a, "label_b": label_b}


def paint_domain_b(images: Tensor, seed: int) -> Tensor:
    """White digits on black (n, 1, s, s) uint8 -> warm colours on cold, striped backgrounds (n, 3, s, s) uint8.

    Shades and stripes vary a little from image to image, but are one style: from a black background, a translator
    could not tell which of many styles to choose.
    """
    from ganzoo.datasets.glyph_rendering import CHUNK

    stream = torch.Generator().manual_seed(seed)
    count, _, size, _ = images.shape
    line = torch.linspace(0, 1, size)
    colours = torch.empty(count, 3, size, size, dtype=torch.uint8)
    for start in range(0, count, CHUNK):
        ink = images[start : start + CHUNK].float().div_(255)
        n = len(ink)

        def uniform(low: float, high: float, n: int = n) -> Tensor:
            return torch.rand(n, 1, 1, generator=stream) * (high - low) + low

        stroke = torch.stack([uniform(0.9, 1.0), uniform(0.5, 0.95), uniform(0.0, 0.3)], dim=1)
        shade = torch.stack([uniform(0.0, 0.15), uniform(0.15, 0.35), uniform(0.35, 0.6)], dim=1)
        angle = uniform(0.15 * torch.pi, 0.35 * torch.pi)
        along = angle.cos() * line + angle.sin() * line[:, None]
        stripes = torch.sin(2 * torch.pi * (uniform(4.0, 6.0) * along + uniform(0.0, 1.0))).unsqueeze(1)
        ground = shade * (1 + 0.6 * stripes)
        mixed = ground + ink * (stroke - ground)
        colours[start : start + n] = mixed.mul(255).round().clamp(0, 255).to(torch.uint8)
    return colours
