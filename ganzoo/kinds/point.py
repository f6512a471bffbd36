"""Points: vectors of a few numbers, drawn in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import pad

from ganzoo.kinds.kind import Kind
from ganzoo.kinds.pictures import scatter

if TYPE_CHECKING:
    from PIL.Image import Image


class Point(Kind):
    """Points (d,) of d numbers, float32, wherever they may be."""

    plural = "points"
    extractor = ""
    drawn_on_real = True

    def picture(self, samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Image:
        """Points (n, d) as a scatter plot, of more than two numbers the first two, of one number along a line.

        columns: so many in a row are joined by a line. real: points that are drawn underneath, which also set the axes,
        so that pictures of one data set can be compared.
        """
        return scatter(in_the_plane(samples), columns, None if real is None else in_the_plane(real))


def in_the_plane(points: Tensor) -> Tensor:
    """(n, d) -> (n, 2)."""
    flat = points.flatten(1)
    return flat[:, :2] if flat.shape[1] > 1 else pad(flat, (0, 1))
