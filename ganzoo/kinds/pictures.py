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
from ganzoo.errors import GanzooError
from ganzoo.kinds.pixels import to_uint8

if TYPE_CHECKING:
    from numpy.typing import NDArray

GENERATED, REAL = "#d7263d", "#b0b0b0"
"""Colours of points."""

GAP = 64
"""The grey between the images of a grid: neither black nor white, so that both keep their edges."""

BORDER = 2
"""Pixels of it around each image."""

LEAST_WIDTH = 320
"""Pixels that an animation is enlarged to, in whole steps, where it is much narrower."""


def picture(samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Image.Image:
    """Samples as one picture: images (n, 1 or 3, H, W) in [-1, 1] as a grid, points (n, 2) as a scatter plot.

    Images that belong together, (n, k, 1 or 3, H, W), stay side by side, k in a row.
    columns: of the grid, a square one where not given; of points, so many in a row are joined by a line.
    real: points (m, 2) to draw underneath, which also set the axes, so that pictures of one data set can be compared.
    Raises: GanzooError for samples of another shape.
    """
    if samples.ndim == 5:
        n, k = samples.shape[:2]
        return picture(samples.flatten(0, 1), columns=columns or k * max(1, round(math.sqrt(n / k))))
    if samples.ndim == 4 and samples.shape[1] in (1, 3):
        return _grid(samples, columns or math.ceil(math.sqrt(len(samples))))
    if samples.ndim == 2 and samples.shape[1] == 2:
        return _scatter(samples, columns, real)
    shape = tuple(samples.shape[1:])
    raise GanzooError(f"samples of shape {shape} cannot be drawn.", remedy="Images (1 or 3, H, W) and points (2,) can.")


def image_of(sample: Tensor) -> Image.Image:
    """One image (1 or 3, H, W) in [-1, 1] as a picture, pixel for pixel."""
    return _from_pixels(to_bytes(sample))


def write_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, png(image))


def png(image: Image.Image) -> bytes:
    """A picture as the content of a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()


def gif(frames: Sequence[Image.Image], *, milliseconds: int = 60) -> bytes:
    """An endless animation as the content of a GIF file, each frame shown for so long; tiny ones are enlarged."""
    shown = [_enlarged(_fewer_greys(frame)) for frame in frames]
    content = io.BytesIO()
    shown[0].save(
        content, format="GIF", save_all=True, append_images=shown[1:], duration=milliseconds, loop=0, optimize=True
    )
    return content.getvalue()


def to_bytes(samples: Tensor) -> NDArray[np.uint8]:
    """Images in [-1, 1] -> uint8 0..255 on the CPU, for what draws them."""
    return to_uint8(samples).cpu().numpy()


def _grid(samples: Tensor, columns: int) -> Image.Image:
    """Pixels as they are; one channel gives a grey picture, a third of the size.

    It is what torchvision's `make_grid` draws. Importing that takes longer than a run's first twenty steps.
    """
    pixels = to_bytes(samples)
    if len(pixels) == 1:
        return _from_pixels(pixels[0])
    count, channels, height, width = pixels.shape
    columns = min(columns, count)
    down, across = height + BORDER, width + BORDER
    grid = np.full((channels, math.ceil(count / columns) * down + BORDER, columns * across + BORDER), GAP, np.uint8)
    for number, image in enumerate(pixels):
        top, left = BORDER + number // columns * down, BORDER + number % columns * across
        grid[:, top : top + height, left : left + width] = image
    return _from_pixels(grid)


def _from_pixels(pixels: NDArray[np.uint8]) -> Image.Image:
    """A picture of bytes (1 or 3, H, W)."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _fewer_greys(image: Image.Image) -> Image.Image:
    """32 greys in the place of 256, black and white among them: nobody sees it, and the file is a third as large."""
    return image.point([round(value / 255 * 31) * 255 // 31 for value in range(256)]) if image.mode == "L" else image


def _enlarged(image: Image.Image) -> Image.Image:
    factor = max(1, LEAST_WIDTH // image.width)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _scatter(samples: Tensor, columns: int | None, real: Tensor | None) -> Image.Image:
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
        middle, reach = _square_around(below)
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


def _square_around(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The middle (2,) and half the side of a square with room around the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, 0.7 * max(float((high - low).max()), 1e-3)
