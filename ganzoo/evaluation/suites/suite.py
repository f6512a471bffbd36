"""The checked contents of a suite: recipes to compare, seeds, budget and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Len

from ganzoo.recipe.model import Choice, Recipe, Seed

Steps = Annotated[int, Ge(1)]

ENDLESS = 10**9
"""The step budget of a run whose budget is in seconds; it is never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The keys at the top of a suite's file.

    seeds: every entry is run once with each; description: one line; paper: the paper whose comparison it follows.
    """

    seeds: Annotated[tuple[Seed, ...], Len(1, 1000)]
    description: str = ""
    paper: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The [budget] table: the training budget of entries without their own. Without it the recipe's budget holds.

    steps: rounds of the game; seconds: wall-clock seconds of training, for a machine without other load.
    """

    steps: Steps | None = None
    seconds: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """The [score] table: how every finished run is scored.

    metrics: names, or tables with a name and options; extractor: without it the default for the data; n: generated
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
    """One row of the table: a name and a recipe, with the suite's settings and budget applied.

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
    """Entries x seeds, and their scoring. name: of its file without ending; file: its path; text: its contents."""

    name: str
    file: Path
    text: str
    description: str
    paper: str
    seeds: tuple[int, ...]
    entries: tuple[Entry, ...]
    scoring: Scoring
