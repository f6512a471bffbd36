"""Samples as pictures: grids of images, scatter plots of points, walks as animations."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from torch import Tensor

from ganzoo.datasets.atomic import replace_file
from ganzoo.kinds.pixels import to_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

GENERATED, REAL = "#d7263d", "#b0b0b0"
"""Colours of points."""

BACKGROUND = 64
"""The grey level between the images of a grid, which contrasts with black and with white."""

BORDER = 2
"""Pixels of background around each image."""

MIN_GIF_WIDTH = 320
"""Pixels in width up to which animations are enlarged, by whole factors."""


def write_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, png(image), synced=False)


def png(image: Image.Image) -> bytes:
    """A picture as the content of a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()


def gif(frames: Sequence[Image.Image], *, milliseconds: int = 60) -> bytes:
    """A looping animation as the content of a GIF file; small frames are enlarged. milliseconds: of each frame."""
    shown = [_enlarge(_quantize_greys(frame)) for frame in frames]
    content = io.BytesIO()
    shown[0].save(
        content, format="GIF", save_all=True, append_images=shown[1:], duration=milliseconds, loop=0, optimize=True
    )
    return content.getvalue()


def to_uint8(samples: Tensor) -> NDArray[np.uint8]:
    """Images in [-1, 1] -> uint8, 0 to 255, on the CPU."""
    return to_pixels(samples).cpu().numpy()


def grid(samples: Tensor, columns: int | None = None) -> Image.Image:
    """Images (n, 1 or 3, H, W) in [-1, 1] as a grid, pixel for pixel. columns: images in a row; by default a square.

    One channel gives a grey picture, with a third of the file size. A single image is drawn without a frame.

    The result is that of torchvision's `make_grid`, whose import takes longer than a run's first twenty steps.
    """
    pixels = to_uint8(samples)
    columns = columns or math.ceil(math.sqrt(len(pixels)))
    if len(pixels) == 1:
        return _pixels_to_pil(pixels[0])
    count, channels, height, width = pixels.shape
    columns = min(columns, count)
    cell_height, cell_width = height + BORDER, width + BORDER
    grid = np.full(
        (channels, math.ceil(count / columns) * cell_height + BORDER, columns * cell_width + BORDER),
        BACKGROUND,
        np.uint8,
    )
    for number, image in enumerate(pixels):
        top, left = BORDER + number // columns * cell_height, BORDER + number % columns * cell_width
        grid[:, top : top + height, left : left + width] = image
    return _pixels_to_pil(grid)


def _pixels_to_pil(pixels: NDArray[np.uint8]) -> Image.Image:
    """uint8 pixels (1 or 3, H, W) as a PIL image."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _quantize_greys(image: Image.Image) -> Image.Image:
    """Reduces 256 grey levels to 32, black and white included: no visible difference, and a third of the file size."""
    return image.point([round(value / 255 * 31) * 255 // 31 for value in range(256)]) if image.mode == "L" else image


def _enlarge(image: Image.Image) -> Image.Image:
    factor = max(1, MIN_GIF_WIDTH // image.width)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def tile_pictures(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Rows of pictures of any sizes, each centred in its cell, with a border; several rows are placed side by side.

    rows: with the same number of pictures each.
    """
    width, height = (max(picture.size[side] for row in rows for picture in row) + BORDER for side in (0, 1))
    rows_abreast = max(1, round(math.sqrt(len(rows) / len(rows[0]))))
    mode = "L" if all(picture.mode == "L" for row in rows for picture in row) else "RGB"
    size = (rows_abreast * len(rows[0]) * width + BORDER, math.ceil(len(rows) / rows_abreast) * height + BORDER)
    page = Image.new(mode, size, BACKGROUND if mode == "L" else (BACKGROUND, BACKGROUND, BACKGROUND))
    for number, row in enumerate(rows):
        for place, picture in enumerate(row):
            left = BORDER + (number % rows_abreast * len(row) + place) * width + (width - BORDER - picture.width) // 2
            top = BORDER + number // rows_abreast * height + (height - BORDER - picture.height) // 2
            page.paste(picture.convert(mode), (left, top))
    return page


def scatter(samples: Tensor, columns: int | None = None, real: Tensor | None = None) -> Image.Image:
    """Points (n, 2) as a scatter plot.

    columns: every so many consecutive points are joined by a line. real: points (m, 2) drawn underneath, which also set
    the axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = samples.detach().cpu().float().numpy()
    figure = Figure(figsize=(5, 5), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.08, 0.06, 0.9, 0.9))
    label = "generated"
    if real is not None:
        below = real.detach().cpu().float().numpy()
        axes.scatter(below[:, 0], below[:, 1], s=6, c=REAL, linewidths=0, label="real")
        middle, reach = _bounding_square(below)
        axes.set_xlim(middle[0] - reach, middle[0] + reach)
        axes.set_ylim(middle[1] - reach, middle[1] + reach)
        if outside := int((np.abs(points - middle) > reach).any(axis=1).sum()):
            label = f"generated ({outside} of {len(points)} outside)"
    if columns:
        for start in range(0, len(points), columns):
            line = points[start : start + columns]
            axes.plot(line[:, 0], line[:, 1], c=GENERATED, linewidth=0.6, alpha=0.5)
    axes.scatter(points[:, 0], points[:, 1], s=6, c=GENERATED, linewidths=0, label=label, zorder=3)
    axes.set_aspect("equal", adjustable="box" if real is not None else "datalim")
    axes.legend(loc="upper right", fontsize=8)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _bounding_square(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The centre (2,) and half the side of a square around the points, with a margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, 0.7 * max(float((high - low).max()), 1e-3)
