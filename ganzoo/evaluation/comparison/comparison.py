"""`compare`, the function behind `ganzoo compare`: several runs, and all that may be said of them together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from ganzoo.display.console import messages as words
from ganzoo.errors import RunError
from ganzoo.evaluation.comparison import remedies
from ganzoo.evaluation.comparison.columns import Column, columns
from ganzoo.recipe.keys import dotted
from ganzoo.recipe.saved import leaves
from ganzoo.runs.run import Run, load
from ganzoo.runs.score import Protocol, Score

PROSE = ("description",)
"""Keys of a recipe that are no settings."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """One run of a comparison: its label, unique among them; what its recipe.toml says, key path -> value."""

    label: str
    run: Run
    settings: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """What is known of the run apart from its settings and scores."""
        facts = self.run.facts
        data = facts["dataset"]
        kept = ("recipe", "status", "step", "total_steps", "seconds", "started", "device", "parameters", "versions")
        return {
            "label": self.label,
            "directory": str(self.run.directory),
            **{name: facts[name] for name in (*kept, "plugins")},
            "dataset": {name: data[name] for name in ("name", "checksum", "size", "fallback")},
        }

    def said(self) -> dict[str, str]:
        """The run's budget and circumstances in words, by what they are."""
        facts = self.run.facts
        data, device = facts["dataset"], facts["device"]
        instead = f", in place of {data['fallback']['instead_of']}" if data["fallback"] else ""
        done = f"{self.run.step:,}" + (f" of {self.run.total_steps:,}" if self.run.step != self.run.total_steps else "")
        threads = f", {device['threads']} thread{'s' * (device['threads'] > 1)}" if device["type"] == "cpu" else ""
        return {
            "recipe": facts["recipe"],
            "data": f"{data['name']}{instead}, {data['size']:,} {words.things(self.run)}",
            "data checksum": data["checksum"],
            "status": self.run.status,
            "steps": done,
            "time of training": words.duration(facts["seconds"]),
            "machine": f"{device['type']} ({device['name']}){threads}",
            "started": facts["started"],
            "parameters": ", ".join(f"{player} {number:,}" for player, number in facts["parameters"].items()),
            "versions": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
            "plugins": ", ".join(f"{name} {version}" for name, version in facts["plugins"].items()),
        }


ALWAYS = ("recipe", "data", "status", "steps", "time of training", "machine", "started")
"""Of what `Entrant.said` says, what is shown even where all runs agree."""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side. What `ganzoo.compare` returns.

    Scores stand in `columns`, each of one number under one protocol; nothing here ranks scores of two protocols.
    """

    entrants: tuple[Entrant, ...]

    @property
    def labels(self) -> list[str]:
        """Of the runs, in the order in which they were given."""
        return [entrant.label for entrant in self.entrants]

    @cached_property
    def settings(self) -> dict[str, list[Any]]:
        """The settings that differ: key path -> its value in each run, None where a run's recipe has no such key."""
        keys = dict.fromkeys(key for entrant in self.entrants for key in entrant.settings)
        found = {key: [entrant.settings.get(key) for entrant in self.entrants] for key in keys if key not in PROSE}
        return {key: values for key, values in found.items() if any(value != values[0] for value in values)}

    @cached_property
    def budgets(self) -> dict[str, list[str]]:
        """Budgets and circumstances in words: what is always told, and what else differs."""
        said = [entrant.said() for entrant in self.entrants]
        found = {name: [of_run[name] for of_run in said] for name in said[0]}
        return {name: texts for name, texts in found.items() if name in ALWAYS or len(set(texts)) > 1}

    @cached_property
    def columns(self) -> list[Column]:
        """What the runs' evaluations hold, one column for each number and protocol."""
        return columns([entrant.run.scores for entrant in self.entrants])

    @cached_property
    def protocols(self) -> dict[str, Protocol]:
        """The protocols of the columns, by key."""
        return {column.any.protocol.key: column.any.protocol for column in self.columns}

    @cached_property
    def notes(self) -> list[str]:
        """What has to be known before anything is concluded, a sentence each."""
        return [*self._of_data(), *self._of_budgets(), *self._of_protocols(), *self._of_ranks()]

    @cached_property
    def commands(self) -> list[str]:
        """What to run so that every score is there for every run under one protocol, as far as that is possible."""
        found = []
        for number, entrant in enumerate(self.entrants):
            lacking = [score for score in self._wanted() if self._could_have(number, score)]
            found += list(remedies.commands(entrant.run.directory, lacking))
        if not self.columns:
            found = [f"ganzoo evaluate {entrant.run.directory}" for entrant in self.entrants]
        return found

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "runs": [entrant.to_json() for entrant in self.entrants],
            "settings": self.settings,
            "protocols": {key: {**score_protocol(protocol)} for key, protocol in self.protocols.items()},
            "columns": [column.to_json(self.labels) for column in self.columns],
            "notes": self.notes,
            "commands": self.commands,
        }

    def html(self) -> str:
        """As the text of one HTML page that needs no other file: curves over each other, samples side by side."""
        from ganzoo.display.report import comparison_page

        return comparison_page(self)

    def _held(self, metric: str) -> list[dict[str, Score]]:
        """For each run the protocols that a metric's scores of it were made under, with one of these scores."""
        of_metric = [column for column in self.columns if column.any.protocol.metric == metric]
        return [
            {score.protocol.key: score for column in of_metric if (score := column.scores[number])}
            for number in range(len(self.entrants))
        ]

    def _wanted(self) -> list[Score]:
        """For each metric a score that was made as those of all runs should be."""
        found = []
        for metric in dict.fromkeys(column.any.protocol.metric for column in self.columns):
            held = self._held(metric)
            key = remedies.wanted(held)
            found.append(max((of_run[key] for of_run in held if key in of_run), key=lambda score: len(score.draws)))
        return found

    def _could_have(self, number: int, score: Score) -> bool:
        """Whether evaluating the run gives what it lacks: that score, or an interval of it."""
        held = self._held(score.protocol.metric)
        own = held[number].get(score.protocol.key)
        others = [other.protocol for of_run in held for other in of_run.values()]
        if own and own.low is not None and not any(remedies.same_but_weights(own.protocol, other) for other in others):
            return False
        holders = [e for e, of_run in zip(self.entrants, held, strict=True) if score.protocol.key in of_run]
        return any(self.entrants[number].run.facts["dataset"]["checksum"] == checksum(holder) for holder in holders)

    def _of_data(self) -> Iterator[str]:
        if len({checksum(entrant) for entrant in self.entrants}) > 1:
            yield (
                "The runs learned from different data: no evaluation makes their scores comparable. "
                "What can be compared is trained on the same data."
            )

    def _of_budgets(self) -> Iterator[str]:
        steps = {entrant.label: entrant.run.step for entrant in self.entrants}
        if len(set(steps.values())) > 1:
            counted = ", ".join(f"{label} {step:,}" for label, step in steps.items())
            yield f"The runs were not trained for the same number of steps: {counted}."
        unfinished = [entrant.label for entrant in self.entrants if entrant.run.status in ("running", "failed")]
        if unfinished:
            yield f"Not at their end: {', '.join(unfinished)}."

    def _of_protocols(self) -> Iterator[str]:
        for metric in dict.fromkeys(column.any.protocol.metric for column in self.columns):
            held = self._held(metric)
            keys = list(dict.fromkeys(key for of_run in held for key in of_run))
            key = remedies.wanted(held)
            if all(key in of_run for of_run in held):
                continue
            if len(keys) == 1:
                without = [label for label, of_run in zip(self.labels, held, strict=True) if not of_run]
                yield f"{metric}: not measured of {', '.join(without)}."
                continue
            for other in keys:
                if other != key:
                    wanted, there = self.protocols[key], self.protocols[other]
                    unlike = "; ".join(remedies.unlike(wanted, there))
                    yield f"{metric}: measured in two ways, which are not ranked against each other ({unlike})."
                    if remedies.same_but_weights(wanted, there):
                        yield f"{metric}: evaluate all runs on one machine, so that one extractor sees them all."

    def _of_ranks(self) -> Iterator[str]:
        ranked = [column for column in self.columns if any(column.places)]
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
            first = [label for label, place in zip(self.labels, column.places, strict=True) if place and place[0] == 1]
            drawn_once = any(score and score.low is None for score in column.scores)
            why = "a score of one draw has no interval" if drawn_once else "their intervals overlap"
            yield f"{better}: {', '.join(first[:-1])} and {first[-1]} are not told apart: {why}."
        if ranked:
            yield (
                "An interval is one of draws from one run. How much another training seed would change takes several "
                "seeds of each recipe."
            )


def compare(runs: Sequence[Run | str | Path]) -> Comparison:
    """Several runs side by side: settings that differ, budgets, and scores, each under its protocol.

    runs: two or more, by directory or as `ganzoo.load` gives them. Nothing is trained, evaluated or written.
    Raises: RunError for fewer than two, for the same one twice, and for what is no run; MetricError for a
    damaged score.
    """
    if isinstance(runs, str | Path) or len(runs) < 2:
        raise RunError("comparing takes two runs or more.", remedy="ganzoo report RUN shows a single one.")
    made = [run if isinstance(run, Run) else load(run) for run in runs]
    for one, other in combinations(made, 2):
        if one.directory.resolve() == other.directory.resolve():
            raise RunError(f"{other.directory} was given twice.", remedy="Each run once: ganzoo compare RUN RUN ...")
    names = [run.name for run in made]
    comparison = Comparison(
        tuple(
            Entrant(run.name if names.count(run.name) == 1 else str(run.directory), run, settings_of(run))
            for run in made
        )
    )
    for entrant in comparison.entrants:
        try:
            _ = entrant.said(), entrant.to_json()
        except (KeyError, TypeError) as error:
            raise RunError(f"{entrant.run.files.facts} does not say {error}: it is damaged.") from error
    _ = comparison.columns  # a damaged score is said here
    return comparison


def settings_of(run: Run) -> dict[str, Any]:
    """Every setting of a run's recipe.toml, by key path; plugins that are gone are no hindrance. Raises: RunError."""
    try:
        values = tomllib.loads(run.files.recipe.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{run.files.recipe}: cannot be read: {error}.") from error
    return {dotted(key): value for key, value in leaves(values)}


def checksum(entrant: Entrant) -> str:
    """Of the data that a run learned from."""
    return str(entrant.run.facts["dataset"]["checksum"])


def score_protocol(protocol: Protocol) -> dict[str, Any]:
    """A protocol as a JSON object."""
    from dataclasses import asdict

    return asdict(protocol)
