"""The course of a run's training, as the rows of metrics.jsonl tell it: what the findings about rows are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.core.interfaces import Loss
    from ganzoo.evaluation.doctor.scale import Scale
    from ganzoo.recipe.model import Recipe

Row = Mapping[str, float]

FEWEST = 5
"""Rows that a finding needs at least: one row may be an accident, five in a row are not."""

MOST = 40
"""Rows that are looked at: what was wrong long ago and is not any more is no finding."""

SETTLED = 0.1
"""The share of the budget that training gets to find its feet. Healthy runs begin with a discriminator that wins: in
the first 150 of 4,690 steps, D pays as little as a tenth of what guessing costs."""


@dataclass(frozen=True, slots=True)
class Course:
    """A run's rows up to some step. total_steps: the budget; loss: the recipe's, None where the game has none; scale:
    the loss's, None where it has none.
    """

    rows: Sequence[Row]
    recipe: Recipe
    total_steps: int
    loss: Loss | None = None
    scale: Scale | None = None

    @property
    def settled(self) -> Sequence[Row]:
        """The rows after the beginning, not more of them than anybody looks at."""
        return [row for row in self.rows[-4 * MOST :] if row["step"] > SETTLED * self.total_steps]

    def last(self, fewest: int) -> Sequence[Row]:
        """The last quarter of them, `fewest` at least and forty at most; none where there are not so many."""
        settled = self.settled
        return settled[-min(max(fewest, len(settled) // 4), MOST) :] if len(settled) >= fewest else []

    @property
    def recent(self) -> Sequence[Row]:
        """The rows that most findings are read from, five of them at least."""
        return self.last(FEWEST)

    @property
    def steps(self) -> tuple[int, int]:
        """The first and last step of the recent rows."""
        return self.steps_of(FEWEST)

    def steps_of(self, fewest: int) -> tuple[int, int]:
        """The first and last step of `last(fewest)`."""
        rows = self.last(fewest)
        return int(rows[0]["step"]), int(rows[-1]["step"])

    def values(self, name: str, fewest: int = FEWEST) -> list[float]:
        """A number's values in `last(fewest)`; none where it is not in every row."""
        rows = self.last(fewest)
        found = [row[name] for row in rows if name in row]
        return found if len(found) == len(rows) else []

    def typical(self, name: str) -> float | None:
        """The median of a number's recent values: one odd row does not move it."""
        found = self.values(name)
        return median(found) if found else None

    def largest(self, name: str) -> float | None:
        """The largest median of five rows in a row so far, beginnings included."""
        found = [row[name] for row in self.rows if name in row]
        blocks = [found[start : start + FEWEST] for start in range(0, max(len(found) - FEWEST + 1, 1), FEWEST)]
        return max(median(block) for block in blocks) if found else None

    @property
    def players(self) -> list[str]:
        """Who has a loss in the rows."""
        return [name.removeprefix("loss/") for name in (self.rows[-1] if self.rows else {}) if name.startswith("loss/")]

    def setting(self, path: str) -> Any:
        """The recipe's value of a key ("optimizer.generator.lr"); None where it has none."""
        value: Any = self.recipe.values
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def rate(self, player: str) -> float:
        """A player's learning rate."""
        return float(self.setting(f"optimizer.{player}.lr") or 0.0)

    def scaled(self, player: str, factor: float) -> str:
        """A player's learning rate times a factor, as a line of the recipe."""
        return f"optimizer.{player}.lr = {self.rate(player) * factor:.2g}"
