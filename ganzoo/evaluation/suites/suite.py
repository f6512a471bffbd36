"""A suite after every check: which recipes are compared, over which seeds, for how long, and by which scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Len

from ganzoo.recipe.model import Choice, Recipe, Seed

Steps = Annotated[int, Ge(1)]

ENDLESS = 10**9
"""Steps of a run whose budget is seconds: none gets there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands at the top of a suite's file.

    seeds: every entry is run once with each; description: one line; paper: whose comparison it follows.
    """

    seeds: Annotated[tuple[Seed, ...], Len(1)]
    description: str = ""
    paper: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The [budget] table: how long every entry is trained that does not say so itself. Without it, as its recipe says.

    steps: rounds of the game; seconds: of training, by the clock, for a machine that has nothing else to do.
    """

    steps: Steps | None = None
    seconds: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """The [score] table: what every finished run is scored by, the same way.

    metrics: names, or tables with a name and options; extractor: without it the one that suits the data; n: generated
    samples (each metric's published number, else 10,000); split: of the real data; draws: of n samples each, whose mean
    is a run's score; seed: of the draws, whatever the run's; ema: the averaged generator, where the recipe has one.
    written: metrics and extractor as TOML holds them.
    """

    metrics: tuple[Choice, ...] = ()
    extractor: Choice | None = None
    n: Annotated[int, Interval(ge=2, le=1_000_000)] | None = None
    split: Literal["test", "train"] = "test"
    draws: Annotated[int, Interval(ge=1, le=1000)] = 1
    seed: Seed = 0
    ema: bool = True
    written: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the table: a name, and the recipe that every seed plays, with what the suite sets and its budget.

    source: the recipe as the suite names it; place: where the entry stands ("suites/mine.toml:7").
    """

    name: str
    source: str
    recipe: Recipe
    place: str

    def values(self, seed: int) -> dict[str, Any]:
        """The whole recipe at one seed, every default spelled out."""
        return {**self.recipe.values, "train": {**self.recipe.values["train"], "seed": seed}}

    @property
    def data(self) -> dict[str, Any]:
        """The data set with its options; entries with the same one stand in one table."""
        return {name: value for name, value in self.recipe.values["dataset"].items() if name != "fallback"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Entries x seeds, and how they are scored. name: of its file, file: where it is, text: what stands in it."""

    name: str
    file: Path
    text: str
    description: str
    paper: str
    seeds: tuple[int, ...]
    entries: tuple[Entry, ...]
    scoring: Scoring
