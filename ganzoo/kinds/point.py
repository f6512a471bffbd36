"""Points: vectors of a few numbers, drawn as scatter plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import pad

from ganzoo.kinds.kind import Kind
from ganzoo.kinds.pictures import scatter

if TYPE_CHECKING:
    from PIL.Image import Image


class Point(Kind):
    """Points (d,) of d numbers, float32, without bounds."""

    plural = "points"
    extractor = ""
    drawn_on_real = True

    def picture(self, samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Image:
        """Points (n, d) as a scatter plot of their first two numbers; points of one number are drawn along a line.

        columns: every so many consecutive points are joined by a line. real: points that are drawn underneath, which
        also set the axes, so that pictures of one data set can be compared.
        """
        return scatter(project_to_plane(samples), columns, None if real is None else project_to_plane(real))


def project_to_plane(points: Tensor) -> Tensor:
    """Points (n, d) -> (n, 2): the first two numbers, or one number and zeros."""
    flat = points.flatten(1)
    return flat[:, :2] if flat.shape[1] > 1 else pad(flat, (0, 1))
