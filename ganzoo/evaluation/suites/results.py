"""The results of a suite: mean and spread over seeds, and ranks from significant differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from ganzoo.errors import MetricError
from ganzoo.evaluation.suites.runs import TRAINED, PlannedRun, SuiteDirectory, recorded_scores
from ganzoo.evaluation.suites.suite import Entry, Suite
from ganzoo.recipe import differences
from ganzoo.runs.facts import utc_now
from ganzoo.runs.score import Better

if TYPE_CHECKING:
    from ganzoo.runs.run import Run
    from ganzoo.runs.score import Score

FALSE_DISCOVERY_RATE = 0.05
"""The false discovery rate over all pairs of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run: how it ended ("done", "failed", "unfinished", with the reason), how long it took, and its scores.

    seconds: of training by the clock; cpu_seconds: of the processor, None where that is not known.
    """

    seed: int
    status: str
    reason: str = ""
    step: int = 0
    seconds: float = 0.0
    cpu_seconds: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One score of one entry: the mean over n seeds, and their sample standard deviation, None for one seed.

    rank: the best and the worst place that the entry can have, given what the spread tells apart; None without one.
    """

    mean: float
    spread: float | None
    n: int
    rank: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry: its recipe, its runs, its cells by score, and the means of what its finished runs took."""

    entry: str
    recipe: str
    runs: tuple[Outcome, ...]
    cells: Mapping[str, Cell]
    steps: float | None
    seconds: float | None
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One score: the better way, what real data get, and how it is measured, in a line and as its parts."""

    name: str
    better: Better
    floor: float | None
    protocol: str
    measured: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The entries that learned from the same data: one table. data: what run.json says of them."""

    data: Mapping[str, Any]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A suite's tables, with what they are from.

    machines: where the runs were trained; versions: of what scored them; date: of the newest score, in UTC.
    """

    suite: str
    description: str
    paper: str
    groups: tuple[Group, ...]
    machines: tuple[str, ...]
    versions: Mapping[str, str]
    averaged: bool
    draws: int
    date: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"format": 1, **TypeAdapter(Result).dump_python(self, mode="json")}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """The inverse of `to_json`. Raises: pydantic.ValidationError where it is none."""
        return TypeAdapter(cls).validate_python({name: part for name, part in value.items() if name != "format"})

    @property
    def failed(self) -> list[tuple[str, Outcome]]:
        """The runs that failed, with their entries' names."""
        rows = [row for group in self.groups for row in group.rows]
        return [(row.entry, run) for row in rows for run in row.runs if run.status == "failed"]


def collect_result(suite: Suite, folder: SuiteDirectory, failures: Mapping[str, str]) -> Result:
    """The tables of the runs in a suite's directory. failures: name of a run's directory -> reason of its failure.

    Raises: MetricError if a column would mix scores of different protocols, or a table runs on different data.
    """
    found = CollectedRuns(suite, folder, failures)
    groups: dict[str, list[Entry]] = {}
    for entry in suite.entries:
        if entry.name in found.outcomes:
            groups.setdefault(str(sorted(entry.data.items())), []).append(entry)
    return Result(
        suite=suite.name,
        description=suite.description,
        paper=suite.paper,
        groups=tuple(found.group(entries) for entries in groups.values()),
        machines=tuple(dict.fromkeys(machine(run) for run in found.runs.values())),
        versions={name: v for score in found.all_scores() for name, v in score.versions.items()},
        averaged=suite.scoring.ema,
        draws=suite.scoring.draws,
        date=max((score.date for score in found.all_scores()), default=utc_now()),
    )


class CollectedRuns:
    """Outcomes by entry, with their runs and scores by name of the run's directory, read from disk."""

    def __init__(self, suite: Suite, folder: SuiteDirectory, failures: Mapping[str, str]) -> None:
        self.suite = suite
        self.outcomes: dict[str, list[Outcome]] = {}
        self.runs: dict[str, Run] = {}
        self.scores: dict[str, dict[str, Score]] = {}
        existing = {run.directory.name: run for run in folder.existing_runs(suite)}
        names = [*existing, *(name for name in failures if name not in existing)]
        for entry in suite.entries:
            for name in names:
                prefix, _, seed = name.rpartition("-seed-")
                if prefix == entry.name:
                    planned = existing.get(name) or PlannedRun(entry, int(seed), folder.runs / name)
                    self.outcomes.setdefault(entry.name, []).append(self.outcome(planned, folder, failures.get(name)))

    def outcome(self, planned: PlannedRun, folder: SuiteDirectory, failure: str | None) -> Outcome:
        """The progress of a run, and its scores."""
        run = planned.load()
        if run is None:
            return Outcome(seed=planned.seed, status="failed" if failure else "unfinished", reason=failure or "")
        name = planned.directory.name
        self.runs[name] = run
        scores = recorded_scores(run, self.suite.scoring) if run.status in TRAINED else None
        reason = failure or (run.facts["reason"] if run.status == "failed" else "")
        status = "failed" if reason else "unfinished" if scores is None else "done"
        if status == "done":
            self.scores[name] = scores or {}
        return Outcome(
            seed=planned.seed,
            status=status,
            reason=reason,
            step=run.step,
            seconds=run.facts["seconds"],
            cpu_seconds=folder.cpu_seconds(planned, run.step),
            scores={one.name: one.value for one in self.scores.get(name, {}).values()},
        )

    def all_scores(self) -> list[Score]:
        """Every score of every finished run."""
        return [score for scores in self.scores.values() for score in scores.values()]

    def group(self, entries: Sequence[Entry]) -> Group:
        """The table of the entries with one data set."""
        names = {f"{entry.name}-seed-{run.seed}" for entry in entries for run in self.outcomes[entry.name]}
        runs = {name: run for name, run in self.runs.items() if name in names}
        columns = self.columns({name: scores for name, scores in self.scores.items() if name in names})
        rows = [self.row(entry) for entry in entries]
        for column in columns:
            assign_ranks(rows, column)
        return Group(data=common_dataset(runs), columns=tuple(columns), rows=tuple(rows))

    def columns(self, scores: Mapping[str, Mapping[str, Score]]) -> list[Column]:
        """One column for each score. Raises: MetricError if scores of one name have different protocols."""
        columns: dict[str, Column] = {}
        first: dict[str, str] = {}
        for run, scores_of_run in scores.items():
            for name, score in scores_of_run.items():
                column = Column(
                    name=name,
                    better=score.better,
                    floor=score.floor,
                    protocol=str(score.protocol),
                    measured={**asdict(score.protocol), "key": score.protocol.key},
                )
                if columns.setdefault(name, column).measured != column.measured:
                    differing = differences(columns[name].measured, column.measured)
                    raise MetricError(
                        f"{name}: {first[name]} and {run} were measured in different ways, and do not belong in one "
                        "column:\n  " + "\n  ".join(line for line in differing if not line.startswith("key")),
                        remedy="Delete the evaluations/ of the older one's directory: the suite scores it again.",
                    )
                first.setdefault(name, run)
        return list(columns.values())

    def row(self, entry: Entry) -> Row:
        """The means of an entry over its finished runs."""
        runs = sorted(self.outcomes[entry.name], key=lambda run: run.seed)
        done = [run for run in runs if run.status == "done"]
        cpu = [run.cpu_seconds for run in done if run.cpu_seconds is not None]
        return Row(
            entry=entry.name,
            recipe=entry.source,
            runs=tuple(runs),
            cells={name: cell([run.scores[name] for run in done]) for name in (done[0].scores if done else ())},
            steps=fmean(run.step for run in done) if done else None,
            seconds=round(fmean(run.seconds for run in done), 3) if done else None,
            cpu_seconds=round(fmean(cpu), 3) if cpu and len(cpu) == len(done) else None,
        )


def cell(values: Sequence[float]) -> Cell:
    """Mean and sample standard deviation of one score over seeds."""
    return Cell(mean=fmean(values), spread=stdev(values) if len(values) > 1 else None, n=len(values))


def assign_ranks(rows: list[Row], column: Column) -> None:
    """Sets the rank of each cell of a column, as a range: from 1 plus the number of significantly better cells to the
    number of cells minus the significantly worse ones. Cells of a single seed have no spread and get no rank; nor does
    the only cell of a column.
    """
    name, sign = column.name, 1 if column.better == "up" else -1
    cells = {number: row.cells[name] for number, row in enumerate(rows) if row.cells.get(name, EMPTY_CELL).n > 1}
    significant = significant_pairs(cells)
    for number, own in cells.items() if len(cells) > 1 else ():
        others = [cells[other] for other in cells if frozenset((number, other)) in significant]
        better = sum(sign * other.mean > sign * own.mean for other in others)
        worse = sum(sign * other.mean < sign * own.mean for other in others)
        places = (1 + better, len(cells) - worse)
        rows[number] = replace(rows[number], cells={**rows[number].cells, name: replace(own, rank=places)})


EMPTY_CELL = Cell(mean=math.nan, spread=None, n=0)


def significant_pairs(cells: Mapping[int, Cell]) -> set[frozenset[int]]:
    """The pairs of cells whose means differ significantly.

    Welch's t-test with Benjamini and Hochberg's (1995) control of the false discovery rate, 5 % over all pairs. If no
    means differ in truth, the probability of any significant pair is 5 %.
    """
    from scipy.stats import false_discovery_control

    pairs = [frozenset(pair) for pair in combinations(cells, 2)]
    if not pairs:
        return set()
    corrected = false_discovery_control([p_value(*(cells[number] for number in pair)) for pair in pairs])
    return {pair for pair, value in zip(pairs, corrected, strict=True) if value <= FALSE_DISCOVERY_RATE}


def p_value(one: Cell, other: Cell) -> float:
    """The two-sided p-value of Welch's t-test on the means of two cells."""
    from scipy.stats import ttest_ind_from_stats

    if not one.spread and not other.spread:  # no variance: the means are exact
        return float(one.mean == other.mean)
    found = ttest_ind_from_stats(one.mean, one.spread, one.n, other.mean, other.spread, other.n, equal_var=False)
    return float(found.pvalue)


def common_dataset(runs: Mapping[str, Run]) -> dict[str, Any]:
    """The data set of all these runs. Raises: MetricError if they were trained on different ones."""
    known: dict[str, Any] = {}
    first = ""
    for name, run in runs.items():
        facts = run.facts["dataset"]
        data = {key: facts[key] for key in ("name", "checksum", "size", "plural", "fields")}
        data["options"] = dict(run.data_choice.options)
        if known and data["checksum"] != known["checksum"]:
            raise MetricError(
                f"{first} and {name} learned from different data, and do not belong in one table:\n  "
                + "\n  ".join(differences(known, data)),
                remedy="Train the older one again: move its directory out of the suite's.",
            )
        known, first = known or data, first or name
    return known


def machine(run: Run) -> str:
    """The machine and versions that a run was trained with, as text."""
    device, versions = run.facts["device"], run.facts["versions"]
    threads = f", {device['threads']} thread{'s' * (device['threads'] > 1)}" if device["type"] == "cpu" else ""
    return f"{device['type']} ({device['name']}){threads}, torch {versions['torch']}, ganzoo {versions['ganzoo']}"
