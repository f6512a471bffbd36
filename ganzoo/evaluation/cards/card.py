"""What is to be said of one recipe, read from real runs of it with several seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ganzoo.display.console import messages as words
from ganzoo.display.report.page import newest_grid
from ganzoo.errors import GanzooError, RunError
from ganzoo.evaluation.cards.knowledge import NOTHING, Knowledge, Published
from ganzoo.evaluation.comparison.columns import Column, columns
from ganzoo.kinds.pictures import png
from ganzoo.recipe import differences, read_recipe
from ganzoo.runs.run import Run, load

MAY_DIFFER = ("train.seed:",)
"""What the recipes of one card's runs may differ in, as `differences` begins its lines."""


@dataclass(frozen=True)
class Card:
    """A recipe's card. name: its title and its block's; runs: of the recipe, apart from the seed the same, by seed."""

    name: str
    runs: tuple[Run, ...]
    knowledge: Knowledge = NOTHING

    @property
    def first(self) -> Run:
        """The run that stands for all where they are alike, and whose samples are shown."""
        return self.runs[0]

    @cached_property
    def columns(self) -> list[Column]:
        """The scores of the runs, one column for each number and protocol."""
        return columns([run.scores for run in self.runs])

    @cached_property
    def letters(self) -> dict[str, Any]:
        """A letter for each protocol, by its key, with the protocol."""
        return words.letters(column.any for column in self.columns)

    def facts(self) -> Iterator[words.Pair]:
        """What ran, on what, for how long, on what machine, in pairs of a label and Markdown."""
        facts, recipe = self.first.facts, self.first.recipe
        data, train = facts["dataset"], recipe.train
        yield "model", "; ".join(self._model())
        if self.knowledge.paper:
            yield "paper", linked(plain(self.knowledge.paper))
        yield "recipe", f"`{facts['recipe']}`: {plain(facts['description'])}"
        if changed := self.changed():
            yield f"changed in `{self.name}`", plain("; ".join(changed))
        instead = f" (**NOT {data['fallback']['instead_of']}**, which could not be had)" if data["fallback"] else ""
        shape = " x ".join(map(str, self.first.info.sample_shape))
        yield "data", f"`{data['name']}`{instead}: {data['size']:,} {words.things(self.first)} of {shape}"
        yield "data checksum", f"`{data['checksum']}`"
        seeds = [str(run.facts["seeds"]["train"]) for run in self.runs]
        yield "runs", f"{len(seeds)}, of the seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"
        steps = spread_of([run.step for run in self.runs])
        yield "budget", f"{steps} steps of {train.batch_size:,} {words.things(self.first)} a draw"
        clocks = [words.duration(seconds) for seconds in sorted(run.facts["seconds"] for run in self.runs)]
        yield "time of training", f"{' to '.join(dict.fromkeys((clocks[0], clocks[-1])))} by the clock"
        machines = dict.fromkeys(self._machine(run.facts["device"]) for run in self.runs)
        yield "machine", f"{'; '.join(machines)}; {facts['precision']}"
        yield "parameters", ", ".join(f"{player} {number:,}" for player, number in facts["parameters"].items())
        ours = {**facts["versions"], **facts["plugins"]}
        yield "versions", ", ".join(f"{name} {version}" for name, version in ours.items())
        days = sorted({run.facts["started"][:10] for run in self.runs})
        yield "date", " to ".join(dict.fromkeys((days[0], days[-1])))

    def changed(self) -> list[str]:
        """Where the runs' recipe is not the installed one of the card's name, seeds apart."""
        try:
            installed = read_recipe(self.name)
        except GanzooError:
            return []
        lines = differences(installed, self.first.recipe)
        return [line for line in lines if not line.startswith((*MAY_DIFFER, "description:"))]

    def settings(self) -> str:
        """The recipe with every default spelled out, as TOML; of several runs that of the first."""
        return self.first.files.recipe.read_text(encoding="utf-8").strip()

    def figure(self) -> bytes:
        """Samples of the first run as a PNG: its newest grid, or what it makes now. Raises: RunError."""
        grid = newest_grid(self.first.files.samples)
        return grid.read_bytes() if grid else png(self.first.grid(self.first.recipe.train.samples))

    def scored(self) -> str:
        """Which samples of each run the scores are of."""
        scores = [score for column in self.columns for score in column.scores if score]
        return "; ".join(dict.fromkeys(words.whose(score) for score in scores))

    def ours(self, published: Published) -> list[tuple[str, str]]:
        """What these runs got in a number that a paper publishes, each with its protocol's letter."""
        of_name = [column for column in self.columns if column.name == published.score]
        return [(f"{mean_of(column):.4g}", self.letters[column.any.protocol.key][0]) for column in of_name]

    def markdown(self, figure: str = "") -> str:
        """The card. figure: where the picture of samples lies, as the page's link says it; none without."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("ganzoo", "evaluation/cards"),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701  # Markdown, where what comes from a recipe went through `plain`
            trim_blocks=True,
            lstrip_blocks=True,
        )
        template = environment.get_template("card.md.jinja")
        helpers = (plain, linked, mean_of, std_of, floor_of)
        said = {function.__name__: function for function in helpers}
        return template.render(card=self, figure=figure, words=words, **said)

    def _model(self) -> Iterator[str]:
        """The components that the recipe names, with who brings them and whose papers they are."""
        recipe, made_with = self.first.recipe, self.first.facts["plugins"]
        parts = (recipe.game, recipe.generator, recipe.discriminator, recipe.loss, *recipe.regularizers)
        for entry in (choice.entry for choice in parts if choice):
            paper = f", {linked(entry.component.paper)}" if entry.component.paper else ""
            version = made_with.get(entry.distribution, entry.version)
            yield f"{entry.shelf} `{entry.name}` ({entry.distribution} {version}{paper})"

    @staticmethod
    def _machine(device: dict[str, Any]) -> str:
        threads = f", {device['threads']} thread{'s' * (device['threads'] > 1)}" if device["type"] == "cpu" else ""
        return f"{'CPU' if device['type'] == 'cpu' else 'GPU'} ({device['name']}){threads}"


def card_of(runs: Sequence[Run | str | Path], *, name: str = "", knowledge: Knowledge = NOTHING) -> Card:
    """The card of a recipe, from runs of it that differ in nothing but their seeds.

    name: of the card; by default the recipe's. Raises: RunError where the runs are not of one recipe on one data set,
    or have the same seed; PluginError where a plugin of theirs is gone; MetricError for a damaged score.
    """
    made = [run if isinstance(run, Run) else load(run) for run in runs]
    if not made:
        raise RunError("a card is made of runs.", remedy="ganzoo card RUN...")
    for other in made[1:]:
        refuse_another(made[0], other)
    by_seed = sorted(made, key=lambda run: int(run.facts["seeds"]["train"]))
    card = Card(name or made[0].facts["recipe"], tuple(by_seed), knowledge)
    if not NAME.fullmatch(card.name):
        raise RunError(f'a card cannot be called "{card.name}".', remedy="--name: letters, digits and _ . + - only.")
    try:
        _ = list(card.facts()), card.columns
    except (KeyError, TypeError) as error:
        raise RunError(f"{card.first.files.facts} is damaged: it does not say {error}.") from error
    return card


def refuse_another(one: Run, other: Run) -> None:
    """Raises: RunError where two runs do not belong on one card."""
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


def mean_of(column: Column) -> float:
    """Of the runs that have the score."""
    return fmean(score.value for score in column.scores if score)


def std_of(column: Column) -> str:
    """The standard deviation over the runs that have the score; nothing for one."""
    values = [score.value for score in column.scores if score]
    return f"{stdev(values):.2g}" if len(values) > 1 else ""


def floor_of(column: Column) -> str:
    """What real data get in the score, the least and the most of it where the runs' evaluations found several."""
    floors = [score.floor for score in column.scores if score and score.floor is not None]
    return spread_of(floors) if floors else ""


def spread_of(values: Sequence[float]) -> str:
    """One number where all are alike, else the least and the most: "9.4 to 9.9"."""
    said = [f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for value in (min(values), max(values))]
    return " to ".join(dict.fromkeys(said))


def plain(text: str) -> str:
    """Somebody's text as one line of a table's cell, with nothing in it that Markdown takes for markup."""
    return re.sub(r"([\\`*_|<\[\]])", r"\\\1", words.clean(text))


def linked(text: str) -> str:
    """The same with papers' arXiv ids as links."""
    return re.sub(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?)", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
