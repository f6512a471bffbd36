"""Renders digits from the fonts that matplotlib ships, with random affine and elastic deformations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono-Oblique.ttf",
    "DejaVuSerif.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSerif-Bold.ttf",
    "STIXGeneral.ttf", "STIXGeneralItalic.ttf", "STIXGeneralBol.ttf", "STIXGeneralBolIta.ttf",
    "cmr10.ttf", "cmss10.ttf", "cmtt10.ttf", "cmb10.ttf",
)  # fmt: skip
"""Files in matplotlib's font folder, with lining digits, upright or slanted."""

MASTER = 96
"""Pixels a side of the master glyphs, from which every sample is warped."""

CHUNK = 2000
"""Samples rendered at once. Changing it changes the data: random numbers are drawn chunk by chunk."""


@dataclass(frozen=True, slots=True)
class Style:
    """How digits are drawn. Angles in degrees, lengths as fractions of the image's side.

    fonts: some of `FONTS`; strokes: extra pixels around the master's outline (0: as the font has it); rotation, shear,
    shift: the largest deviations; scale: smallest and largest; bend: how far the elastic deformation moves a point
    (standard deviation).
    """

    fonts: tuple[str, ...] = FONTS
    strokes: tuple[int, ...] = (0, 1, 3)
    rotation: float = 14.0
    shear: float = 0.25
    scale: tuple[float, float] = (0.85, 1.15)
    shift: float = 0.05
    bend: float = 0.025


def render_digits(count: int, size: int, seed: int, style: Style | None = None) -> tuple[Tensor, Tensor]:
    """`count` digits, white on black: images (count, 1, size, size) uint8, labels (count,) int64; the same for a seed.

    The result does not depend on the global random state or on the number of threads.
    """
    style = style or Style()
    stream = torch.Generator().manual_seed(seed)
    masters = master_glyphs(style.fonts, style.strokes)
    images = torch.empty(count, 1, size, size, dtype=torch.uint8)
    labels = torch.empty(count, dtype=torch.int64)
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        digits = torch.randint(10, (n,), generator=stream)
        styles = torch.randint(masters.shape[0], (n,), generator=stream)
        field = _sampling_grid(n, 2 * size, style, stream)
        drawn = grid_sample(masters[styles, digits].unsqueeze(1), field, align_corners=False)
        # Rendered at twice the size and downsampled, for antialiased edges.
        images[start : start + n] = avg_pool2d(drawn, 2).mul(255).round().clamp(0, 255).to(torch.uint8)
        labels[start : start + n] = digits
    return images, labels


def colour(images: Tensor, seed: int) -> Tensor:
    """White-on-black digits (n, 1, s, s) uint8 -> bright strokes on dark, cloudy backgrounds (n, 3, s, s) uint8."""
    stream = torch.Generator().manual_seed(seed)
    count, _, size, _ = images.shape
    coloured = torch.empty(count, 3, size, size, dtype=torch.uint8)
    for start in range(0, count, CHUNK):
        ink = images[start : start + CHUNK].float().div_(255)
        n = len(ink)
        stroke = torch.rand(n, 3, 1, 1, generator=stream) * 0.5 + 0.5
        tint = torch.rand(n, 3, 1, 1, generator=stream) * 0.35
        clouds = interpolate(torch.rand(n, 1, 5, 5, generator=stream), size=size, mode="bicubic", align_corners=True)
        ground = tint * (0.5 + clouds.clamp(0, 1))
        coloured[start : start + n] = (ground + ink * (stroke - ground)).mul(255).round().clamp(0, 255).to(torch.uint8)
    return coloured


@cache
def master_glyphs(fonts: tuple[str, ...], strokes: tuple[int, ...]) -> Tensor:
    """Every digit in every font and stroke, centred: (fonts * strokes, 10, MASTER, MASTER), float32 in [0, 1]."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    drawings = []
    for name in fonts:
        font = ImageFont.truetype(str(folder / name), round(0.86 * MASTER))
        for stroke in strokes:
            for digit in "0123456789":
                canvas = Image.new("L", (MASTER, MASTER))
                left, top, right, bottom = font.getbbox(digit, stroke_width=stroke)
                corner = ((MASTER - right - left) / 2, (MASTER - bottom - top) / 2)
                ImageDraw.Draw(canvas).text(corner, digit, fill=255, font=font, stroke_width=stroke)
                drawings.append(torch.frombuffer(bytearray(canvas.tobytes()), dtype=torch.uint8))
    return torch.stack(drawings).view(-1, 10, MASTER, MASTER).float().div_(255)


def _sampling_grid(n: int, size: int, style: Style, stream: torch.Generator) -> Tensor:
    """For each pixel of the image, the point of the master glyph to sample: (n, size, size, 2) in [-1, 1]."""

    def spread(largest: float) -> Tensor:
        return (torch.rand(n, generator=stream) * 2 - 1) * largest

    angle = torch.deg2rad(spread(style.rotation))
    shear = spread(style.shear)
    low, high = style.scale
    across, down = (1 / (low + (high - low) * torch.rand(n, generator=stream)) for _ in range(2))
    cosine, sine = angle.cos(), angle.sin()
    rows = (
        torch.stack((across * cosine, across * (shear * cosine - sine), spread(2 * style.shift)), dim=1),
        torch.stack((down * sine, down * (shear * sine + cosine), spread(2 * style.shift)), dim=1),
    )
    field = torch.nn.functional.affine_grid(torch.stack(rows, dim=1), [n, 1, size, size], align_corners=False)
    bends = torch.randn(n, 2, 4, 4, generator=stream) * (2 * style.bend)
    return field + interpolate(bends, size=size, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
