"""Distances between sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

ROWS = 500
"""Rows of a distance matrix that are computed at once."""


def energy(some: Tensor, others: Tensor) -> float:
    """The energy distance (Szekely and Rizzo, 2013) between two sets of features (n, d) and (m, d), in units of the
    mean distance within the second: 0 where both are from one distribution.
    """
    some, others = some.double(), others.double()
    within = spread(others)
    return (2 * torch.cdist(some, others).mean().item() - spread(some) - within) / max(within, 1e-12)


def spread(features: Tensor) -> float:
    """The mean distance between two of the features (n, d), n at least 2."""
    return torch.pdist(features.double()).mean().item()


def nearest(some: Tensor, others: Tensor) -> Tensor:
    """For each of some features (n, d) the distance (n,) to the nearest of the others (m, d)."""
    return torch.cat([torch.cdist(rows, others).min(dim=1).values for rows in some.split(ROWS)])


def nearest_other(features: Tensor) -> Tensor:
    """For each of the features (n, d) the distance (n,) to the nearest of the rest."""
    return torch.cdist(features.double(), features.double()).fill_diagonal_(torch.inf).min(dim=1).values
