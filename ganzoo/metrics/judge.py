"""Metrics with the real data that they compare against: what `ganzoo evaluate` and a run in training both ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganzoo.core.data import Batch, Dataset, DatasetInfo, Examples, Source
from ganzoo.core.game import Game
from ganzoo.core.random_streams import derived, own_randomness, seed_everything
from ganzoo.datasets.obtain import read_split
from ganzoo.errors import GanzooError, MetricError
from ganzoo.metrics.interface import Extractor, Metric, Samples
from ganzoo.plugins import zoo
from ganzoo.recipe.field_kinds import FieldKinds, build_kind
from ganzoo.recipe.model import Choice
from ganzoo.recipe.namesakes import Prefer, engines
from ganzoo.recipe.parts import build
from ganzoo.runs.sampling import sample_in_chunks, seed_conditions

Split = Literal["train", "test"]

N = 10_000
"""Generated samples, where neither the user nor a metric's published protocol says how many."""

ANY = "flatten"
"""The extractor for samples of any kind."""


class UnusableSamples(MetricError):
    """Generated samples that no metric is asked about: of another shape or dtype than the data's kind has them, not
    finite, or out of its bounds."""


@dataclass(frozen=True, slots=True)
class Task:
    """One metric, ready: how many generated and real samples it compares."""

    choice: Choice
    metric: Metric
    n_fake: int
    n_real: int

    @property
    def name(self) -> str:
        """As the shelf has it."""
        return self.choice.entry.name


class Judge:
    """Scores samples against one split of a data set.

    metrics: none for every one on the shelf that says something about these data; conditions: what the samples are made
    for (`game.conditions`); extractor: None for the one that suits the data; n: generated samples, None for each
    metric's own number; seed: of which real samples are taken, where there are more than that. say: told in a few words
    what takes long.

    Raises: MetricError where a metric does not fit the data, or the extractor cannot be had.
    """

    def __init__(
        self,
        dataset: Dataset,
        root: Path,
        *,
        metrics: Sequence[Choice] = (),
        conditions: Sequence[str] = (),
        extractor: Choice | None = None,
        n: int | None = None,
        split: Split = "test",
        seed: int = 0,
        device: torch.device,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.dataset, self.root, self.split, self.seed, self.device = dataset, root, split, seed, device
        self.info = info = dataset.info(root)
        self.kinds = FieldKinds(info)
        if info.domains:
            raise MetricError(
                "these metrics score samples that are made from latents, and these data are two domains to translate."
            )
        if metrics:
            found = [(choice, fitted(choice, dataset, info, extractor, conditions)) for choice in metrics]
        else:
            found = fitting(dataset, info, conditions)
        self.choice = (extractor or suitable(info)) if needs_extractor(found) else None
        self.extractor = self._prepared(self.choice, found, say)
        say(f"reading the {split} split")
        self.examples = read_split(dataset, root, split)
        size = self.examples.sizes[info.sample_key]
        self.tasks = [self._task(choice, metric, n, size) for choice, metric in found]
        self.real = self.of_examples(self.examples, max(task.n_real for task in self.tasks))

    @property
    def n(self) -> int:
        """How many generated samples the largest of its tasks takes."""
        return max(task.n_fake for task in self.tasks)

    def look(self, raw: Tensor, conditions: Batch | None = None) -> Samples:
        """Samples with what the extractor sees in them. raw, conditions: as in `Samples`, on any device.

        Raises: MetricError where they are not stored as the data set's are.
        """
        stored = self.kinds.sample_field
        if raw.dtype != stored.torch_dtype or tuple(raw.shape[1:]) != stored.shape:
            made = f"{tuple(raw.shape[1:])} {str(raw.dtype).removeprefix('torch.')}"
            raise MetricError(f"samples of {made} cannot be compared with {stored.shape} {stored.dtype}.")
        conditions = {key: value.cpu() for key, value in (conditions or {}).items()}
        if self.extractor is None:
            return Samples.without_features(raw.cpu(), conditions)
        return extract_features(self.extractor, raw, conditions, self.device)

    def of_examples(self, examples: Examples | Source, n: int) -> Samples:
        """n of a split's examples, in an order that the seed decides."""
        key = self.info.sample_key
        size = examples.sizes[key]
        stream = torch.Generator().manual_seed(derived(self.seed, size))
        rows = torch.randperm(size, generator=stream)[:n].tolist()
        conditions = {each: self.kinds.to_unit(each, examples.fetch(each, rows)) for each in self.info.conditions}
        return self.look(self.same_way(examples.fetch(key, rows)), conditions)

    def same_way(self, stored: Tensor) -> Tensor:
        """Real samples by the way that generated ones come: to what networks see, and back to the stored form.

        Raises: GanzooError where they are out of the kind's bounds.
        """
        kind = self.kinds.sample
        return self.kinds.stored(kind.checked(kind.to_unit(stored), self.kinds.sample_field, "real samples"))

    def draw(self, game: Game, seed: int, train: Examples | Source) -> Samples:
        """As many samples of the game as the largest task takes, with what the extractor sees in them."""
        return self.look(*draw_samples(game, self.n, seed, self.device, train, self.kinds))

    def numbers(self, fake: Samples, task: Task, seed: int) -> dict[str, float]:
        """What a task's metric says of generated samples. Raises: MetricError."""
        real = self.real.first(task.n_real)
        with own_randomness(torch.device("cpu")):
            try:
                found = task.metric(real, fake.first(task.n_fake), seed=seed)
            except GanzooError as error:
                raise MetricError(f'the metric "{task.name}": {error.what}', remedy=error.remedy) from error
        return {name: float(found[name]) for name in task.metric.gives}

    def _task(self, choice: Choice, metric: Metric, n: int | None, size: int) -> Task:
        n_fake = n or metric.n or N
        return Task(choice, metric, n_fake, min(n_fake, size))

    def _prepared(
        self, choice: Choice | None, found: Sequence[tuple[Choice, Metric]], say: Callable[[str], None]
    ) -> Extractor | None:
        if choice is None:
            return None
        extractor: Extractor = build(choice)
        if reason := extractor.unsupported_reason(self.info):
            raise MetricError(
                f'the extractor "{choice.entry.name}" cannot be used here: {reason}',
                remedy=f"Use --extractor {ANY}, which takes samples of any kind.",
            )
        for metric_choice, metric in found:
            if lacks(extractor, metric):
                raise MetricError(
                    f'the metric "{metric_choice.entry.name}" needs a classifier'
                    f"{' of the data set' if metric.needs == 'labels' else ''}, "
                    f'and the extractor "{choice.entry.name}" is none.',
                    remedy="Choose another --extractor, or another --metric.",
                )
        say(f"preparing the extractor {choice.entry.name}")
        with own_randomness(self.device):
            extractor.prepare(self.dataset, self.root)
        return extractor.eval().requires_grad_(False)


def choice_of(
    shelf: str,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    where: str = "",
    prefer: Prefer | None = None,
) -> Choice:
    """What a name and options on a shelf mean. where: they come from, for messages; prefer: among namesakes.

    Raises: PluginError for an unknown name, RecipeError for wrong options.
    """
    from ganzoo.errors import RecipeError
    from ganzoo.recipe.check import check
    from ganzoo.recipe.options import options_of

    entry = zoo().find(shelf, name, prefer=prefer)
    owner = f'{shelf} "{entry.name}"'
    known = options_of(zoo().resolve(entry), shelf=shelf, owner=f"{owner} of {entry.distribution} {entry.version}")
    checked = check(options or {}, known, key=(name,), place=lambda _: where or f"--{shelf} {name}", owner=owner)
    if checked.problems:
        raise RecipeError(checked.problems)
    return Choice(shelf, entry, checked.values)


def fitting(dataset: Dataset, info: DatasetInfo, conditions: Sequence[str]) -> list[tuple[Choice, Metric]]:
    """Every metric on the shelf that says something about the data and the extractor that suits them.

    conditions: what the samples are made for. Raises: MetricError where there is none.
    """
    found = []
    suiting = suitable(info)
    extractor: Extractor | None = build(suiting) if suiting else None
    for entry in zoo().entries("metric"):
        choice = choice_of("metric", zoo().qualified_name(entry))
        metric: Metric = build(choice)
        if unsupported_reason(metric, dataset, info, conditions):
            continue
        if metric.needs != "samples" and (extractor is None or lacks(extractor, metric)):
            continue
        found.append((choice, metric))
    if not found:
        raise MetricError("no metric on the shelf says anything about these data.")
    return found


def fitted(
    choice: Choice,
    dataset: Dataset,
    info: DatasetInfo,
    extractor: Choice | None = None,
    conditions: Sequence[str] = (),
) -> Metric:
    """The metric, built. extractor: the one that is asked for, None for the one that suits the data.

    Raises: MetricError where it says nothing about the data, or about samples made for `conditions`.
    """
    metric: Metric = build(choice)
    reason = unsupported_reason(metric, dataset, info, conditions)
    if not reason and metric.needs != "samples" and extractor is None and suitable(info) is None:
        raise MetricError(
            f'the metric "{choice.entry.name}" cannot be used here: it compares features, and no extractor suits '
            f"samples of the kind {info.kind}.",
            remedy=f"Use --extractor {ANY} to compare their numbers, or a metric that `ganzoo list metrics` names.",
        )
    if reason:
        raise MetricError(
            f'the metric "{choice.entry.name}" cannot be used here: {reason}',
            remedy="`ganzoo list metrics` names others.",
        )
    return metric


def suitable(info: DatasetInfo) -> Choice | None:
    """The extractor that the data set names, or its kind; ANY where that one cannot look at these data.

    None where features say nothing about samples of this kind.
    """
    named = info.extractor or build_kind(info.kind, info).extractor
    if not named:
        return None
    choice = choice_of("extractor", named, prefer=engines)
    extractor: Extractor = build(choice)
    return choice_of("extractor", ANY, prefer=engines) if extractor.unsupported_reason(info) else choice


def unsupported_reason(metric: Metric, dataset: Dataset, info: DatasetInfo, conditions: Sequence[str]) -> str:
    """Why a metric says nothing about such data, or samples made for `conditions`; empty where it does."""
    if missing := [key for key in metric.conditions if key not in conditions]:
        return f"it asks whether samples are what they were made to be; these are made for no {' or '.join(missing)}."
    return metric.unsupported_reason(dataset, info)


def extract_features(extractor: Extractor, raw: Tensor, conditions: Batch, device: torch.device) -> Samples:
    """Samples with what the extractor sees in them, computed on `device`. raw, conditions: as in `Samples`."""
    if not len(raw):
        return Samples.without_features(raw, conditions)
    extractor = extractor.to(device)
    with torch.no_grad(), own_randomness(device):
        parts = [extractor(part.to(device)) for part in raw.split(extractor.at_once)]
    features = torch.cat([part.features.float().cpu() for part in parts])
    logits = [torch.empty(len(part.features), 0) if part.logits is None else part.logits for part in parts]
    return Samples(raw.cpu(), features, torch.cat([part.float().cpu() for part in logits]), conditions)


def needs_extractor(found: Sequence[tuple[Choice, Metric]]) -> bool:
    """Whether any of the metrics reads more than the samples themselves."""
    return any(metric.needs != "samples" for _, metric in found)


def lacks(extractor: Extractor, metric: Metric) -> bool:
    """Whether the metric reads logits that the extractor does not give."""
    wanted = {"logits": ("other", "own"), "labels": ("own",)}.get(metric.needs)
    return wanted is not None and extractor.classifies not in wanted


def draw_samples(
    game: Game, n: int, seed: int, device: torch.device, train: Examples | Source, kinds: FieldKinds
) -> tuple[Tensor, Batch]:
    """n samples (n, *shape) as the data set stores them, and what they were made for.

    Conditions are those of random training examples: as frequent as in the data, and as they occur together. The k-th
    sample of a seed and its conditions do not depend on n.
    Raises: UnusableSamples where they are no samples of the data's kind.
    """
    chunks = []
    with own_randomness(device), torch.no_grad():
        conditions: Batch = {}
        if game.conditions:
            seed_conditions(seed)
            rows = torch.randint(train.sizes[game.conditions[0]], (n,)).tolist()
            conditions = {key: kinds.to_unit(key, train.fetch(key, rows)).to(device) for key in game.conditions}
        seed_everything(seed)
        for made in sample_in_chunks(game, n, conditions):
            try:
                chunks.append(kinds.generated(made).cpu())
            except GanzooError as error:
                raise UnusableSamples(error.what, remedy=error.remedy) from error
    return torch.cat(chunks), conditions
