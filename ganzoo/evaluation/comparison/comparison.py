"""Compares several runs: `compare`, the function behind `ganzoo compare`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from ganzoo.display.console import messages as messages
from ganzoo.errors import RunError
from ganzoo.evaluation.comparison import remedies
from ganzoo.evaluation.comparison.columns import Column, columns
from ganzoo.recipe.keys import format_key
from ganzoo.recipe.saved import leaves
from ganzoo.runs.branches import branches_of
from ganzoo.runs.run import Run, load
from ganzoo.runs.score import Protocol, Score

NOT_SETTINGS = ("description",)
"""Keys of a recipe that are not settings."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run of a comparison. label: unique; settings: of its recipe.toml, key path -> value."""

    label: str
    run: Run
    settings: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The run's facts without settings and scores, as a JSON object."""
        facts = self.run.facts
        data = facts["dataset"]
        kept = ("recipe", "status", "step", "total_steps", "seconds", "started", "device", "parameters", "versions")
        return {
            "label": self.label,
            "directory": str(self.run.directory),
            **{name: facts[name] for name in (*kept, "plugins")},
            "branches": [branch.to_json() for branch in branches_of(facts)],
            "dataset": {name: data[name] for name in ("name", "checksum", "size", "fallback")},
        }

    def describe(self) -> dict[str, str]:
        """The run's data, budget, machine and versions as text, by label."""
        facts = self.run.facts
        data, device = facts["dataset"], facts["device"]
        instead = f", in place of {data['fallback']['instead_of']}" if data["fallback"] else ""
        done = f"{self.run.step:,}" + (f" of {self.run.total_steps:,}" if self.run.step != self.run.total_steps else "")
        threads = f", {device['threads']} thread{'s' * (device['threads'] > 1)}" if device["type"] == "cpu" else ""
        return {
            "recipe": facts["recipe"],
            "data": f"{data['name']}{instead}, {data['size']:,} {messages.sample_kind(self.run)}",
            "data checksum": data["checksum"],
            "status": self.run.status,
            "steps": done,
            "time of training": messages.format_duration(facts["seconds"]),
            "machine": f"{device['type']} ({device['name']}){threads}",
            "started": facts["started"],
            "branches": "; ".join(map(str, branches_of(facts))) or "none",
            "parameters": ", ".join(f"{player} {number:,}" for player, number in facts["parameters"].items()),
            "versions": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
            "plugins": ", ".join(f"{name} {version}" for name, version in facts["plugins"].items()),
        }


ALWAYS_SHOWN = ("recipe", "data", "status", "steps", "time of training", "machine", "started")
"""Of what `Entrant.describe` says, what is shown even where all runs agree."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of runs, as `ganzoo.compare` returns it.

    Each of `columns` has the scores of one number under one protocol; scores of different protocols are never ranked.
    """

    runs: tuple[ComparedRun, ...]

    @property
    def labels(self) -> list[str]:
        """The labels of the runs, in the order given."""
        return [compared.label for compared in self.runs]

    @cached_property
    def settings(self) -> dict[str, list[Any]]:
        """The settings that differ: key path -> the value in each run, None if a run's recipe has no such key."""
        keys = dict.fromkeys(key for compared in self.runs for key in compared.settings)
        found = {key: [compared.settings.get(key) for compared in self.runs] for key in keys if key not in NOT_SETTINGS}
        return {key: values for key, values in found.items() if any(value != values[0] for value in values)}

    @cached_property
    def budgets(self) -> dict[str, list[str]]:
        """Data, budgets, machines and versions as text: those of ALWAYS_SHOWN, and others that differ."""
        describe = [compared.describe() for compared in self.runs]
        found = {name: [run_scores[name] for run_scores in describe] for name in describe[0]}
        return {name: texts for name, texts in found.items() if name in ALWAYS_SHOWN or len(set(texts)) > 1}

    @cached_property
    def columns(self) -> list[Column]:
        """The recorded scores of the runs, one column for each number and protocol."""
        return columns([compared.run.scores for compared in self.runs])

    @cached_property
    def protocols(self) -> dict[str, Protocol]:
        """The protocols of the columns, by key."""
        return {column.any.protocol.key: column.any.protocol for column in self.columns}

    @cached_property
    def notes(self) -> list[str]:
        """Caveats to the comparison, a sentence each."""
        return [
            *self._data_notes(),
            *self._branch_notes(),
            *self._budget_notes(),
            *self._protocol_notes(),
            *self._rank_notes(),
        ]

    @cached_property
    def commands(self) -> list[str]:
        """Commands that give every run every score under one protocol, as far as that is possible."""
        found = []
        for number, compared in enumerate(self.runs):
            lacking = [score for score in self._wanted_scores() if self._can_evaluate(number, score)]
            found += list(remedies.commands(compared.run.directory, lacking))
        if not self.columns:
            found = [f"ganzoo evaluate {compared.run.directory}" for compared in self.runs]
        return found

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "runs": [compared.to_json() for compared in self.runs],
            "settings": self.settings,
            "protocols": {key: {**score_protocol(protocol)} for key, protocol in self.protocols.items()},
            "columns": [column.to_json(self.labels) for column in self.columns],
            "notes": self.notes,
            "commands": self.commands,
        }

    def html(self) -> str:
        """The comparison as one self-contained HTML page, with curves and samples."""
        from ganzoo.display.report import comparison_page

        return comparison_page(self)

    def _scores_by_run(self, metric: str) -> list[dict[str, Score]]:
        """For each run: key of a protocol -> one of the metric's scores under it."""
        of_metric = [column for column in self.columns if column.any.protocol.metric == metric]
        return [
            {score.protocol.key: score for column in of_metric if (score := column.scores[number])}
            for number in range(len(self.runs))
        ]

    def _wanted_scores(self) -> list[Score]:
        """For each metric a score under the protocol that all runs should be evaluated with."""
        found = []
        for metric in dict.fromkeys(column.any.protocol.metric for column in self.columns):
            scores_by_run = self._scores_by_run(metric)
            key = remedies.preferred_protocol(scores_by_run)
            found.append(
                max(
                    (run_scores[key] for run_scores in scores_by_run if key in run_scores),
                    key=lambda score: len(score.draws),
                )
            )
        return found

    def _can_evaluate(self, number: int, score: Score) -> bool:
        """Whether the run lacks that score or its interval, and evaluating it gives them."""
        scores_by_run = self._scores_by_run(score.protocol.metric)
        own = scores_by_run[number].get(score.protocol.key)
        others = [other.protocol for run_scores in scores_by_run for other in run_scores.values()]
        if (
            own
            and own.low is not None
            and not any(remedies.differ_only_in_weights(own.protocol, other) for other in others)
        ):
            return False
        holders = [
            e for e, run_scores in zip(self.runs, scores_by_run, strict=True) if score.protocol.key in run_scores
        ]
        return any(self.runs[number].run.facts["dataset"]["checksum"] == checksum(holder) for holder in holders)

    def _data_notes(self) -> Iterator[str]:
        if len({checksum(compared) for compared in self.runs}) > 1:
            yield (
                "The runs learned from different data: no evaluation makes their scores comparable. "
                "What can be compared is trained on the same data."
            )

    def _branch_notes(self) -> Iterator[str]:
        for compared in self.runs:
            if branches_of(compared.run.facts):
                yield f"{compared.label} was changed on its way: its settings hold only from its last branch on."

    def _budget_notes(self) -> Iterator[str]:
        steps = {compared.label: compared.run.step for compared in self.runs}
        if len(set(steps.values())) > 1:
            counted = ", ".join(f"{label} {step:,}" for label, step in steps.items())
            yield f"The runs were not trained for the same number of steps: {counted}."
        unfinished = [compared.label for compared in self.runs if compared.run.status in ("running", "failed")]
        if unfinished:
            yield f"Not at their end: {', '.join(unfinished)}."

    def _protocol_notes(self) -> Iterator[str]:
        for metric in dict.fromkeys(column.any.protocol.metric for column in self.columns):
            scores_by_run = self._scores_by_run(metric)
            keys = list(dict.fromkeys(key for run_scores in scores_by_run for key in run_scores))
            key = remedies.preferred_protocol(scores_by_run)
            if all(key in run_scores for run_scores in scores_by_run):
                continue
            if len(keys) == 1:
                without = [
                    label for label, run_scores in zip(self.labels, scores_by_run, strict=True) if not run_scores
                ]
                yield f"{metric}: not measured of {', '.join(without)}."
                continue
            for other in keys:
                if other != key:
                    preferred_protocol, present = self.protocols[key], self.protocols[other]
                    differing = "; ".join(remedies.protocol_differences(preferred_protocol, present))
                    yield f"{metric}: measured in two ways, which are not ranked against each other ({differing})."
                    if remedies.differ_only_in_weights(preferred_protocol, present):
                        yield f"{metric}: evaluate all runs on one machine, so that one extractor sees them all."

    def _rank_notes(self) -> Iterator[str]:
        ranked = [column for column in self.columns if any(column.ranks)]
        once = [column for column in ranked if not any(score and score.low is not None for score in column.scores)]
        if once:
            names = ", ".join(dict.fromkeys(column.name for column in once))
            yield f"{names}: nothing is told apart: a score of one draw has no interval."
        for column in ranked:
            if column in once:
                continue
            better = f"{column.name} ({column.any.better} is better)"
            if column.best is not None:
                yield f"{better}: {self.labels[column.best]} is better than every other."
                continue
            first = [label for label, place in zip(self.labels, column.ranks, strict=True) if place and place[0] == 1]
            drawn_once = any(score and score.low is None for score in column.scores)
            why = "a score of one draw has no interval" if drawn_once else "their intervals overlap"
            yield f"{better}: {', '.join(first[:-1])} and {first[-1]} are not told apart: {why}."
        if ranked:
            yield (
                "An interval is one of draws from one run. How much another training seed would change takes several "
                "seeds of each recipe."
            )


def compare(runs: Sequence[Run | str | Path]) -> Comparison:
    """Compares several runs: settings that differ, budgets, and scores, each under its protocol.

    runs: two or more, by directory or as `ganzoo.load` returns them. Nothing is trained, evaluated or written.
    Raises: RunError for fewer than two runs, for the same run twice, and for a directory without a run; MetricError for
    a damaged score.
    """
    if isinstance(runs, str | Path) or len(runs) < 2:
        raise RunError("comparing takes two runs or more.", remedy="ganzoo report RUN shows a single one.")
    loaded = [run if isinstance(run, Run) else load(run) for run in runs]
    for one, other in combinations(loaded, 2):
        if one.directory.resolve() == other.directory.resolve():
            raise RunError(f"{other.directory} was given twice.", remedy="Each run once: ganzoo compare RUN RUN ...")
    names = [run.name for run in loaded]
    comparison = Comparison(
        tuple(
            ComparedRun(run.name if names.count(run.name) == 1 else str(run.directory), run, settings_of(run))
            for run in loaded
        )
    )
    for compared in comparison.runs:
        try:
            _ = compared.describe(), compared.to_json()
        except (KeyError, TypeError) as error:
            raise RunError(f"{compared.run.files.facts} does not say {error}: it is damaged.") from error
    _ = comparison.columns  # raises for a damaged score
    return comparison


def settings_of(run: Run) -> dict[str, Any]:
    """Every setting of a run's recipe.toml, by key path; plugins need not be installed. Raises: RunError."""
    try:
        values = tomllib.loads(run.files.recipe.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{run.files.recipe}: cannot be read: {error}.") from error
    return {format_key(key): value for key, value in leaves(values)}


def checksum(compared: ComparedRun) -> str:
    """The checksum of the data that a run was trained on."""
    return str(compared.run.facts["dataset"]["checksum"])


def score_protocol(protocol: Protocol) -> dict[str, Any]:
    """A protocol as a JSON object."""
    from dataclasses import asdict

    return asdict(protocol)
