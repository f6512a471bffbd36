"""The model card of a recipe, from runs of it with several seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ganzoo.display.console import messages as messages
from ganzoo.display.markdown import Markdown, code, code_block, link_arxiv
from ganzoo.display.report.page import newest_grid
from ganzoo.errors import GanzooError, RunError
from ganzoo.evaluation.cards.block import MARK
from ganzoo.evaluation.cards.paper_results import NO_PAPER_RESULTS, PaperResults, Published
from ganzoo.evaluation.comparison.columns import Column, columns
from ganzoo.kinds.pictures import png
from ganzoo.recipe import differences, read_recipe
from ganzoo.runs.branches import branches_of
from ganzoo.runs.run import Run, load

MAY_DIFFER = ("train.seed:",)
"""Prefixes of the lines of `differences` that runs on one card may differ in."""


@dataclass(frozen=True)
class Card:
    """A recipe's card. name: of the card and its block; runs: of the recipe, equal but for the seed, sorted by it."""

    name: str
    runs: tuple[Run, ...]
    paper_results: PaperResults = NO_PAPER_RESULTS

    @property
    def first(self) -> Run:
        """The run whose samples are shown, and from which facts common to all runs are taken."""
        return self.runs[0]

    @cached_property
    def columns(self) -> list[Column]:
        """The scores of the runs, one column for each number and protocol."""
        return columns([run.scores for run in self.runs])

    @cached_property
    def protocol_letters(self) -> dict[str, Any]:
        """A letter for each protocol, by its key, with the protocol."""
        return messages.protocol_letters(column.any for column in self.columns)

    def facts(self) -> Iterator[messages.Pair]:
        """Model, data, budget, machine and versions, as pairs of a label and a text, or `Markdown`."""
        facts, recipe = self.first.facts, self.first.recipe
        data, train = facts["dataset"], recipe.train
        yield "model", Markdown("; ").join(self._model())
        if self.paper_results.paper:
            yield "paper", link_arxiv(self.paper_results.paper)
        yield "recipe", Markdown("{}: {}").format(code(facts["recipe"]), facts["description"])
        if changed := self.changed():
            yield Markdown("changed in {}").format(code(self.name)), "; ".join(changed)
        shape = " x ".join(map(str, self.first.info.sample_shape))
        size = f"{data['size']:,} {messages.sample_kind(self.first)} of {shape}"
        if data["fallback"]:
            text = Markdown("{} (**NOT {}**, which could not be had): {}")
            yield "data", text.format(code(data["name"]), data["fallback"]["instead_of"], size)
        else:
            yield "data", Markdown("{}: {}").format(code(data["name"]), size)
        yield "data checksum", code(data["checksum"])
        seeds = [str(run.facts["seeds"]["train"]) for run in self.runs]
        yield "runs", f"{len(seeds)}, of the seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"
        steps = format_range([run.step for run in self.runs])
        yield "budget", f"{steps} steps of {train.batch_size:,} {messages.sample_kind(self.first)} a draw"
        branches = [str(branch) for run in self.runs for branch in branches_of(run.facts)]
        if branches:
            yield "changed on the way", "; ".join(branches)
        clocks = [messages.format_duration(seconds) for seconds in sorted(run.facts["seconds"] for run in self.runs)]
        yield "time of training", f"{' to '.join(dict.fromkeys((clocks[0], clocks[-1])))} by the clock"
        machines = dict.fromkeys(self._machine(run.facts["device"]) for run in self.runs)
        yield "machine", f"{'; '.join(machines)}; {facts['precision']}"
        yield "parameters", ", ".join(f"{player} {number:,}" for player, number in facts["parameters"].items())
        ours = {**facts["versions"], **facts["plugins"]}
        yield "versions", ", ".join(f"{name} {version}" for name, version in ours.items())
        days = sorted({run.facts["started"][:10] for run in self.runs})
        yield "date", " to ".join(dict.fromkeys((days[0], days[-1])))

    def changed(self) -> list[str]:
        """The differences of the runs' recipe from the installed one of the card's name, without seeds."""
        try:
            installed = read_recipe(self.name)
        except GanzooError:
            return []
        lines = differences(installed, self.first.recipe)
        return [line for line in lines if not line.startswith((*MAY_DIFFER, "description:"))]

    def settings(self) -> Markdown:
        """The first run's recipe with every default spelled out, as a block of TOML."""
        text = self.first.files.recipe.read_text(encoding="utf-8").strip()
        return code_block(MARK.sub(r" \g<0>", text), "toml")  # a mark that is indented ends no block

    def figure(self) -> bytes:
        """Samples of the first run as a PNG: its newest grid, or a new one. Raises: RunError."""
        grid = newest_grid(self.first)
        return grid.read_bytes() if grid else png(self.first.grid(self.first.recipe.train.samples))

    def describe_samples(self) -> str:
        """The samples that the scores are of."""
        scores = [score for column in self.columns for score in column.scores if score]
        return "; ".join(dict.fromkeys(messages.describe_samples(score) for score in scores))

    def ours(self, published: Published) -> list[tuple[str, str]]:
        """These runs' values of a published number, each with its protocol's letter."""
        of_name = [column for column in self.columns if column.name == published.score]
        return [(f"{mean_score(column):.4g}", self.protocol_letters[column.any.protocol.key][0]) for column in of_name]

    def markdown(self, figure: str = "") -> str:
        """The card as Markdown. figure: the link to the image of samples; "" for none."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("ganzoo", "evaluation/cards"),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701  # which is for HTML; `finalize` escapes for Markdown
            finalize=Markdown.escape,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        template = environment.get_template("card.md.jinja")
        helpers = (code, link_arxiv, mean_score, std_score, real_data_score)
        names = {function.__name__: function for function in helpers}
        return template.render(card=self, figure=figure, messages=messages, **names)

    def _model(self) -> Iterator[Markdown]:
        """The components of the recipe, with their distributions and papers."""
        recipe, made_with = self.first.recipe, self.first.facts["plugins"]
        parts = (recipe.game, recipe.generator, recipe.discriminator, recipe.loss, *recipe.regularizers)
        for entry in (choice.entry for choice in parts if choice):
            paper = Markdown(", {}").format(link_arxiv(entry.component.paper)) if entry.component.paper else ""
            owner = f"{entry.distribution} {made_with.get(entry.distribution, entry.version)}"
            yield Markdown("{} {} ({}{})").format(entry.shelf, code(entry.name), owner, paper)

    @staticmethod
    def _machine(device: dict[str, Any]) -> str:
        threads = f", {device['threads']} thread{'s' * (device['threads'] > 1)}" if device["type"] == "cpu" else ""
        return f"{'CPU' if device['type'] == 'cpu' else 'GPU'} ({device['name']}){threads}"


def make_card(
    runs: Sequence[Run | str | Path], *, name: str = "", paper_results: PaperResults = NO_PAPER_RESULTS
) -> Card:
    """The card of a recipe, from runs of it that differ in nothing but their seeds.

    name: of the card; by default the recipe's. Raises: RunError if the runs are not of one recipe on one data set, or
    have the same seed; PluginError if a plugin of theirs is missing; MetricError for a damaged score.
    """
    loaded = [run if isinstance(run, Run) else load(run) for run in runs]
    if not loaded:
        raise RunError("a card is made of runs.", remedy="ganzoo card RUN...")
    for other in loaded[1:]:
        check_same_recipe(loaded[0], other)
    ordered = sorted(loaded, key=lambda run: int(run.facts["seeds"]["train"]))
    card = Card(name or loaded[0].facts["recipe"], tuple(ordered), paper_results)
    if not NAME.fullmatch(card.name):
        raise RunError(f'a card cannot be called "{card.name}".', remedy="--name: letters, digits and _ . + - only.")
    try:
        _ = list(card.facts()), card.columns
    except (KeyError, TypeError) as error:
        raise RunError(f"{card.first.files.facts} is damaged: it does not say {error}.") from error
    return card


def check_same_recipe(one: Run, other: Run) -> None:
    """Raises: RunError if two runs differ in more than the seed, or do not differ."""
    lines = [line for line in differences(one.recipe, other.recipe) if not line.startswith(MAY_DIFFER)]
    lines += [
        f"{word}: {one.facts['dataset'][field]} -> {other.facts['dataset'][field]}"
        for field, word in (("name", "data set"), ("checksum", "data"))
        if one.facts["dataset"][field] != other.facts["dataset"][field]
    ]
    if lines:
        raise RunError(
            f"{one.directory} and {other.directory} differ in more than the seed:\n  " + "\n  ".join(lines),
            remedy="A card is of one recipe; `ganzoo compare` shows different ones side by side.",
        )
    if one.facts["seeds"] == other.facts["seeds"]:
        raise RunError(
            f"{one.directory} and {other.directory} are runs of one seed.",
            remedy="Several runs on a card are for the spread over seeds: ganzoo run RECIPE --seed N",
        )


NAME = re.compile(r"[\w.+-]+")


def mean_score(column: Column) -> float:
    """The mean over the runs that have the score."""
    return fmean(score.value for score in column.scores if score)


def std_score(column: Column) -> str:
    """The standard deviation over the runs that have the score; "" for a single one."""
    values = [score.value for score in column.scores if score]
    return f"{stdev(values):.2g}" if len(values) > 1 else ""


def real_data_score(column: Column) -> str:
    """The score of real data, as a range if the runs' evaluations found different values."""
    floors = [score.floor for score in column.scores if score and score.floor is not None]
    return format_range(floors) if floors else ""


def format_range(values: Sequence[float]) -> str:
    """One number if all are equal, else the smallest and the largest: "9.4 to 9.9"."""
    names = [f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for value in (min(values), max(values))]
    return " to ".join(dict.fromkeys(names))
