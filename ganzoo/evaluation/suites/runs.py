"""A suite's runs on disk: which there are to be, how far each one is, and whether it is still the same run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.datasets.atomic import replace_file
from ganzoo.errors import RunError
from ganzoo.evaluation.suites.suite import Entry, Scoring, Suite
from ganzoo.recipe import differences, recipe_toml

if TYPE_CHECKING:
    from ganzoo.metrics.interface import Metric
    from ganzoo.recipe.model import Choice
    from ganzoo.runs.run import Run
    from ganzoo.runs.score import Protocol, Score

TRAINED = ("finished", "stopped")
"""Statuses of a run that has nothing left to train: its budget is spent, or its recipe's [train.stop] ended it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One run of a suite: an entry at a seed, and the directory that is its own."""

    entry: Entry
    seed: int
    directory: Path

    @property
    def name(self) -> str:
        """As tables and lines call it."""
        return f"{self.entry.name}, seed {self.seed}"

    def on_disk(self) -> Run | None:
        """The run as far as it has come; None where it has not begun. Raises: RunError where it is another run."""
        from ganzoo.runs.run import load

        if not (self.directory / "run.json").exists():
            return None
        run = load(self.directory)
        changed = differences(run.recipe.values, self.entry.values(self.seed))
        if changed:
            raise RunError(
                f"{self.entry.place}: {self.directory} was begun with another recipe than this suite now has:\n  "
                + "\n  ".join(changed),
                remedy="Undo the change to go on, or choose another --out; what is done stays as it is.",
            )
        return run


class SuiteDirectory:
    """What lies where: the suite's text, an entry's whole recipe, the runs, CPU times, the table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suite = path / "suite.toml"
        self.recipes = path / "recipes"
        self.runs = path / "runs"
        self.times = path / "times"
        self.log = path / "log.txt"
        self.lock = path / ".lock"

    def claim(self) -> None:
        """Makes the directory where there is none. Raises: RunError where something else lives there."""
        there = {item.name for item in self.path.iterdir()} - {self.lock.name} if self.path.is_dir() else set()
        if self.path.is_file() or (there and not self.suite.is_file()):
            raise RunError(f"{self.path} exists already and holds something else.", remedy="Choose another --out.")
        self.path.mkdir(parents=True, exist_ok=True)

    def prepare(self, suite: Suite) -> None:
        """Makes the folders, and writes the suite and its entries' recipes.

        Raises: RunError, before anything is written, where a run that lies there was begun with another recipe.
        """
        for run in self.begun(suite):
            run.on_disk()
        for folder in (self.recipes, self.runs, self.times):
            folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.suite, suite.text.encode())
        for entry in suite.entries:
            replace_file(self.recipe(entry), recipe_toml(entry.recipe).encode())

    def recipe(self, entry: Entry) -> Path:
        """Where an entry's recipe lies, every default spelled out."""
        return self.recipes / f"{entry.name}.toml"

    def clock(self, run: Planned) -> Path:
        """Where the CPU time that a run took is kept."""
        return self.times / f"{run.directory.name}.json"

    def planned(self, entries: Sequence[Entry], seeds: Sequence[int]) -> list[Planned]:
        """The runs to be, all entries at the first seed first: a suite that is cut short has a whole table early."""
        return [Planned(entry, seed, self.runs / f"{entry.name}-seed-{seed}") for seed in seeds for entry in entries]

    def begun(self, suite: Suite) -> Iterator[Planned]:
        """Every run of the suite's entries that lies here, whichever seeds and entries were asked for when."""
        for entry in suite.entries:
            prefix = f"{entry.name}-seed-"
            seeds = [path.name.removeprefix(prefix) for path in self.runs.glob(f"{prefix}*")]
            for seed in sorted(int(seed) for seed in seeds if seed.isdecimal()):
                yield Planned(entry, seed, self.runs / f"{prefix}{seed}")

    def cpu_seconds(self, run: Planned, step: int) -> float | None:
        """CPU time that went into a run up to a step; None where that is not known."""
        try:
            times: dict[str, float] = json.loads(self.clock(run).read_bytes())
        except (OSError, ValueError):
            return None
        return times.get(str(step))


def scores_of(run: Run, scoring: Scoring) -> dict[str, Score] | None:
    """The run's recorded scores that are what the suite asks for, by name; None where one is missing."""
    from ganzoo.recipe.parts import build

    step = run.checkpoint_step
    averaged = scoring.ema and run.recipe.ema is not None
    asked = (step, averaged, scoring.seed, scoring.draws, scoring.split)
    recorded = [
        score
        for score in run.scores
        if (score.step, score.ema, score.seed, len(score.draws), score.protocol.split) == asked
    ]
    found: dict[str, Score] = {}
    for choice in scoring.metrics:
        metric = build(choice)
        for name in metric.gives:
            fitting = [s for s in recorded if s.name == name and measured_as(s.protocol, choice, metric, scoring)]
            if not fitting:
                return None
            found[name] = max(fitting, key=lambda score: score.date)
    return found


def measured_as(protocol: Protocol, choice: Choice, metric: Metric, scoring: Scoring) -> bool:
    """Whether a score was measured as the suite asks for one of its metrics."""
    from ganzoo.metrics.judge import N

    extractor = scoring.extractor.entry.name if scoring.extractor and metric.needs != "samples" else ""
    asked = (choice.entry.name, dict(metric.options()), scoring.n or metric.n or N)
    return (protocol.metric, dict(protocol.options), protocol.n_fake) == asked and (
        protocol.extractor.partition(" ")[0] == extractor or not extractor
    )
