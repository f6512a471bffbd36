"""Points in the plane from a mixture of Gaussians: a standard test for mode collapse, trained in a minute on a CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt, Interval
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.digest import digest_of

TRAIN, TEST = 0, 1
"""Seeds of the two splits."""

PAPERS_STD = {"ring": 0.01, "grid": 0.05}
"""Standard deviations of VEEGAN's two mixtures, by layout."""


class Gaussians(Dataset):
    """A ring of 8 or a grid of 25 equally likely Gaussians, as in VEEGAN (Srivastava et al., 2017, arXiv:1705.07761).

    Samples are points (2,), float32, and their label is the mode that they come from; nothing is read from disk. The
    defaults are the mixtures that PacGAN states for both (Lin et al., 2018, arXiv:1712.04086, Section 4.1).

    layout: "ring" (8 on a circle) or "grid" (5 x 5, from -4 to 4 in steps of 2).
    radius: of the ring's circle; the grid has none.
    std: standard deviation of each mode in both directions; None is the papers': 0.01 for the ring, 0.05 for the grid.
    size: points for training; the test split has a tenth of that.
    """

    defaults_of_older_runs: ClassVar[Mapping[str, Any]] = {"radius": 2.0}

    def __init__(
        self,
        *,
        layout: Literal["ring", "grid"] = "ring",
        radius: Annotated[float, Gt(0), Interval(le=100.0)] = 1.0,
        std: Annotated[float, Gt(0), Interval(le=10.0)] | None = None,
        size: Annotated[int, Interval(ge=10, le=10_000_000)] = 100_000,
    ) -> None:
        self.layout = layout
        self.radius = radius
        self.std = std if std is not None else PAPERS_STD[layout]
        self.size = size

    @property
    def centres(self) -> Tensor:
        """The modes' means (modes, 2)."""
        if self.layout == "grid":
            line = torch.arange(-4.0, 5.0, 2.0)
            return torch.cartesian_prod(line, line)
        angles = torch.arange(8) * (2 * math.pi / 8)
        return self.radius * torch.stack((angles.cos(), angles.sin()), dim=1)

    def is_available(self, root: Path) -> bool:
        """Always true: the points are generated."""
        return True

    def info(self, root: Path) -> DatasetInfo:
        """Points (2,), with one class for each mode."""
        return DatasetInfo(
            fields={
                "real": Field((2,), "float32"),
                "label": Field.label([f"mode {number}" for number in range(len(self.centres))]),
            },
            size=self.size,
            kind="point",
            licence="made by ganzoo",
            source="made by ganzoo",
        )

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """Draws the split from its own seed: the same points every time, independent of the global random state."""
        stream = torch.Generator().manual_seed(TRAIN if split == "train" else TEST)
        size = self.size if split == "train" else self.size // 10
        centres = self.centres
        labels = torch.randint(len(centres), (size,), generator=stream)
        points = centres[labels] + self.std * torch.randn(size, 2, generator=stream)
        tensors = {"real": points, "label": labels}
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="made by ganzoo")
