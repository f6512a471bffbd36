"""Samples as pictures: grids of images, scatter plots of points, walks as animations."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo.atomic import replace_file
from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = "#d7263d"
"""Generated points; the real ones lie under them in grey."""


def picture(samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Image.Image:
    """Samples as one picture: images (n, 1 or 3, H, W) in [-1, 1] as a grid, points (n, 2) as a scatter plot.

    columns: of the grid, a square one where not given; real: points (m, 2) to draw underneath.
    Raises: GanzooError for samples of another shape.
    """
    if samples.ndim == 4 and samples.shape[1] in (1, 3):
        return _grid(samples, columns or math.ceil(math.sqrt(len(samples))))
    if samples.ndim == 2 and samples.shape[1] == 2:
        return _scatter(samples, real)
    shape = tuple(samples.shape[1:])
    raise GanzooError(f"samples of shape {shape} cannot be drawn.", remedy="Images (1 or 3, H, W) and points (2,) can.")


def write_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG that appears whole or not at all."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.getvalue())


def write_gif(frames: Sequence[Image.Image], path: Path, *, milliseconds: int = 60) -> None:
    """Writes an endless animation, each frame shown for so long."""
    content = io.BytesIO()
    frames[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=list(frames[1:]),
        duration=milliseconds,
        loop=0,
        optimize=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.getvalue())


def to_bytes(samples: Tensor) -> NDArray[np.uint8]:
    """Images in [-1, 1] -> uint8 0..255, rounded: the inverse of how data sets are read."""
    whole = samples.detach().cpu().float().clamp(-1, 1).add(1).mul(127.5).round()
    return whole.to(torch.uint8).numpy()


def _grid(samples: Tensor, columns: int) -> Image.Image:
    from torchvision.utils import make_grid

    pixels = torch.from_numpy(to_bytes(samples))
    grid = make_grid(pixels, nrow=columns, padding=2, pad_value=64)
    return Image.fromarray(grid.permute(1, 2, 0).numpy())


def _scatter(samples: Tensor, real: Tensor | None) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.08, 0.06, 0.9, 0.9))
    if real is not None:
        across, up = real.cpu().float().numpy().T
        axes.scatter(across, up, s=6, c="#b0b0b0", linewidths=0, label="real")
        reach = 1.4 * float(real.abs().max())
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
    across, up = samples.detach().cpu().float().numpy().T
    axes.scatter(across, up, s=6, c=COLOURS, linewidths=0, label="generated")
    axes.set_aspect("equal", adjustable="box")
    axes.legend(loc="upper right", fontsize=8)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
