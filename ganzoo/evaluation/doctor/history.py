"""The training history of a run, from the rows of metrics.jsonl, for findings about rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from ganzoo.core.game import ROLES, PlayerRole

if TYPE_CHECKING:
    from ganzoo.core.interfaces import Loss
    from ganzoo.evaluation.doctor.scale import Scale
    from ganzoo.recipe.model import Recipe

Row = Mapping[str, float]

MIN_ROWS = 5
"""The smallest number of rows for a finding: a single odd row is none."""

MAX_ROWS = 40
"""The largest number of recent rows for a finding: past problems are no findings."""

WARMUP_SHARE = 0.1
"""The share of the budget that is left out as warm-up. Healthy runs start with a winning discriminator: in the first
150 of 4,690 steps, D's loss can be a tenth of that of guessing."""


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """A run's rows up to some step. total_steps: the budget; loss: the recipe's, None where the game has none; scale:
    the loss's, None where it has none; roles: the game's (`Game.roles`).
    """

    rows: Sequence[Row]
    recipe: Recipe
    total_steps: int
    loss: Loss | None = None
    scale: Scale | None = None
    roles: Mapping[str, PlayerRole] = field(default_factory=lambda: ROLES)

    @property
    def after_warmup(self) -> Sequence[Row]:
        """The rows after warm-up, as many recent ones as are needed."""
        return [row for row in self.rows[-4 * MAX_ROWS :] if row["step"] > WARMUP_SHARE * self.total_steps]

    def last(self, min_rows: int) -> Sequence[Row]:
        """The last quarter of these rows, at least `min_rows` and at most MAX_ROWS; empty if there are too few."""
        after_warmup = self.after_warmup
        return (
            after_warmup[-min(max(min_rows, len(after_warmup) // 4), MAX_ROWS) :]
            if len(after_warmup) >= min_rows
            else []
        )

    @property
    def recent(self) -> Sequence[Row]:
        """The rows for most findings, at least MIN_ROWS."""
        return self.last(MIN_ROWS)

    @property
    def steps(self) -> tuple[int, int]:
        """The first and last step of the recent rows."""
        return self.steps_of(MIN_ROWS)

    def steps_of(self, min_rows: int) -> tuple[int, int]:
        """The first and last step of `last(min_rows)`."""
        rows = self.last(min_rows)
        return int(rows[0]["step"]), int(rows[-1]["step"])

    def values(self, name: str, min_rows: int = MIN_ROWS) -> list[float]:
        """A number's values in `last(min_rows)`; empty if it is missing in a row."""
        rows = self.last(min_rows)
        found = [row[name] for row in rows if name in row]
        return found if len(found) == len(rows) else []

    def typical(self, name: str) -> float | None:
        """The median of a number's recent values, which outliers hardly affect."""
        found = self.values(name)
        return median(found) if found else None

    def largest(self, name: str) -> float | None:
        """The largest median of MIN_ROWS consecutive rows so far, warm-up included."""
        found = [row[name] for row in self.rows if name in row]
        blocks = [found[start : start + MIN_ROWS] for start in range(0, max(len(found) - MIN_ROWS + 1, 1), MIN_ROWS)]
        return max(median(block) for block in blocks) if found else None

    @property
    def players(self) -> list[str]:
        """The players with a loss in the rows."""
        last = self.rows[-1] if self.rows else {}
        return [name.removeprefix("loss/") for name in last if name.startswith("loss/")]

    def players_as(self, role: Literal["generator", "discriminator"]) -> list[str]:
        """The players of that role that have a loss in the rows."""
        return [name for name in self.players if name in self.roles and self.roles[name].role == role]

    def lacks(self, role: Literal["generator", "discriminator"]) -> str:
        """Why there is no player of that role, as a sentence."""
        return f"the game says of none of its players ({', '.join(self.players)}) that it is a {role} (Game.roles)"

    def setting(self, path: str) -> Any:
        """The recipe's value of a key ("optimizer.generator.lr"), or None."""
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
