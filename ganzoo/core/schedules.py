"""The course of a learning rate over the training budget: factors on it, pure functions of progress in [0, 1]."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Interval

from ganzoo.core.interfaces import Schedule

Share = Annotated[float, Interval(ge=0.0, le=1.0)]


class Constant(Schedule):
    """The learning rate stays as it is."""

    def __call__(self, progress: float) -> float:
        """1 at any progress."""
        return 1.0


class LinearDecay(Schedule):
    """The learning rate stays for a while, then falls in a straight line (CycleGAN, arXiv:1703.10593, Section 4).

    start: the share of the budget after which it falls; final: the factor at the end.
    """

    def __init__(self, *, start: Annotated[float, Interval(ge=0.0, lt=1.0)] = 0.5, final: Share = 0.0) -> None:
        self.start = start
        self.final = final

    def __call__(self, progress: float) -> float:
        """1 up to `start`, `final` at 1."""
        fallen = min(max((progress - self.start) / (1.0 - self.start), 0.0), 1.0)
        return 1.0 - fallen * (1.0 - self.final)


class Cosine(Schedule):
    """The learning rate falls along half a wave of the cosine (SGDR, 2017, arXiv:1608.03983, Eq. 5).

    final: the factor at the end.
    """

    def __init__(self, *, final: Share = 0.0) -> None:
        self.final = final

    def __call__(self, progress: float) -> float:
        """1 at 0, the middle of 1 and `final` at a half, `final` at 1."""
        wave = 0.5 * (1.0 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
        return self.final + (1.0 - self.final) * wave
