"""The runs of a suite on disk: planned runs, their progress, and whether they still match the suite."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.temporaries import TEMPORARY, sweep
from ganzoo.errors import RunError
from ganzoo.evaluation.suites.cpu_times import read_cpu_times
from ganzoo.evaluation.suites.suite import Entry, Scoring, Suite
from ganzoo.recipe import differences, recipe_toml
from ganzoo.recipe.plain_file import MIB, read_plain_file
from ganzoo.runs.json_file import JsonError, read_json

if TYPE_CHECKING:
    from ganzoo.metrics.interface import Metric
    from ganzoo.recipe.model import Choice
    from ganzoo.runs.run import Run
    from ganzoo.runs.score import Protocol, Score

NUMBER = re.compile(r"0|-?[1-9][0-9]*")
"""A seed as it stands in a run's name: "007" and "7 (copy)" are none."""

MAX_TEXT = MIB
"""The largest suite.toml, in bytes."""

TRAINED = ("finished", "stopped")
"""Statuses of a completely trained run: its budget is spent, or its recipe's [train.stop] ended it."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a suite: an entry, a seed, and its directory."""

    entry: Entry
    seed: int
    directory: Path

    @property
    def name(self) -> str:
        """Its name in tables and progress lines."""
        return f"{self.entry.name}, seed {self.seed}"

    def load(self) -> Run | None:
        """The run on disk; None if there is none. Raises: RunError if it was started with another recipe."""
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
    """The layout of a suite's directory: the suite's text, complete recipes, runs, CPU times, tables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suite = path / "suite.toml"
        self.recipes = path / "recipes"
        self.runs = path / "runs"
        self.times = path / "times"
        self.log = path / "log.txt"
        self.lock = path / ".lock"

    def create(self) -> None:
        """Creates the directory if there is none. Raises: RunError if it contains something else."""
        if not self.is_available():
            raise RunError(f"{self.path} exists already and holds something else.", remedy="Choose another --out.")
        self.path.mkdir(parents=True, exist_ok=True)

    def is_available(self) -> bool:
        """Whether the directory is a suite's, or may become one.

        A folder with a suite.toml of somebody's own is not: its suite.toml would be replaced. One that `prepare` was
        stopped in has its folders, and perhaps not its suite yet.
        """
        if not self.path.exists():
            return True
        if not self.path.is_dir():
            return False
        folders = (self.recipes, self.runs, self.times)
        contents = {item.name for item in self.path.iterdir() if not TEMPORARY.fullmatch(item.name)}
        begun = {self.lock.name, *(folder.name for folder in folders)}
        if contents <= begun and not any(any(folder.iterdir()) for folder in folders if folder.is_dir()):
            return True
        # looked at last: another process may prepare the directory meanwhile, and writes its suite before the rest
        return self.suite.is_file() and all(folder.is_dir() for folder in folders)

    def refuse_another(self, suite: Suite) -> None:
        """Raises: RunError if a suite of another name was played here, unless it is the same in a renamed file."""
        try:
            same = read_plain_file(self.suite, limit=MAX_TEXT) == suite.text.encode()
            played = read_json(self.path / "table.json")["suite"]
        except (OSError, JsonError, TypeError, LookupError):
            return  # nothing was played yet, or nobody knows what; runs of other recipes are refused one by one
        if isinstance(played, str) and played != suite.name and not same:
            raise RunError(
                f'{self.path} holds the suite "{played}", and {suite.file} is another one, "{suite.name}".',
                remedy="Choose another --out; what is there stays as it is.",
            )

    def prepare(self, suite: Suite) -> None:
        """Creates the folders, removes what killed writers left there, and writes the suite and its entries' recipes.

        Raises: RunError, before anything is written, if another suite was played there, if a run there was started
        with another recipe, or its CPU times are damaged.
        """
        self.refuse_another(suite)
        for run in self.existing_runs(suite):
            run.load()
            read_cpu_times(self.cpu_times_file(run))
        for folder in (self.recipes, self.runs, self.times):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, self.recipes, self.runs, self.times):  # in some of them nothing may be written again
            sweep(folder)
        replace_file(self.suite, suite.text.encode())
        for entry in suite.entries:
            replace_file(self.recipe(entry), recipe_toml(entry.recipe).encode())

    def recipe(self, entry: Entry) -> Path:
        """The file of an entry's recipe, every default spelled out."""
        return self.recipes / f"{entry.name}.toml"

    def cpu_times_file(self, run: PlannedRun) -> Path:
        """The file of a run's CPU times."""
        return self.times / f"{run.directory.name}.json"

    def planned(self, entries: Sequence[Entry], seeds: Sequence[int]) -> list[PlannedRun]:
        """The planned runs, ordered by seed, so that an unfinished suite has a full table early."""
        return [PlannedRun(entry, seed, self.runs / f"{entry.name}-seed-{seed}") for seed in seeds for entry in entries]

    def existing_runs(self, suite: Suite) -> Iterator[PlannedRun]:
        """All runs of the suite's entries in this directory, whatever call started them."""
        for entry in suite.entries:
            prefix = f"{entry.name}-seed-"
            names = [path.name for path in self.runs.iterdir()] if self.runs.is_dir() else []
            numbers = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
            for seed in sorted(int(number) for number in numbers if NUMBER.fullmatch(number)):
                yield PlannedRun(entry, seed, self.runs / f"{prefix}{seed}")

    def cpu_seconds(self, run: PlannedRun, step: int) -> float | None:
        """CPU seconds of a run up to a step; None if unknown. Raises: RunError, naming a damaged file."""
        return read_cpu_times(self.cpu_times_file(run)).get(step)


def recorded_scores(run: Run, scoring: Scoring) -> dict[str, Score] | None:
    """The run's recorded scores that match the suite's scoring, by name; None if one is missing."""
    from ganzoo.recipe.parts import build

    step = run.checkpoint_step
    averaged = scoring.ema and run.recipe.ema is not None
    requested = (step, averaged, scoring.seed, scoring.draws, scoring.split)
    recorded = [
        score
        for score in run.scores
        if (score.step, score.ema, score.seed, len(score.draws), score.protocol.split) == requested
    ]
    scores: dict[str, Score] = {}
    for choice in scoring.metrics:
        metric = build(choice)
        for name in metric.gives:
            matching = [s for s in recorded if s.name == name and matches_protocol(s.protocol, choice, metric, scoring)]
            if not matching:
                return None
            scores[name] = max(matching, key=lambda score: score.date)
    return scores


def matches_protocol(protocol: Protocol, choice: Choice, metric: Metric, scoring: Scoring) -> bool:
    """Whether a score's protocol matches the suite's for one of its metrics."""
    from ganzoo.metrics.judge import N

    extractor = scoring.extractor.entry.name if scoring.extractor and metric.needs != "samples" else ""
    requested = (choice.entry.name, dict(metric.options()), scoring.n or metric.n or N)
    return (protocol.metric, dict(protocol.options), protocol.n_fake) == requested and (
        protocol.extractor.partition(" ")[0] == extractor or not extractor
    )
