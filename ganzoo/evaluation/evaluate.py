"""Evaluates a run with metrics: `evaluate`, the function behind `ganzoo evaluate`."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from scipy.stats import t as student

from ganzoo import __version__
from ganzoo.core.data import Examples, Source
from ganzoo.core.game import Game
from ganzoo.core.random_streams import derived
from ganzoo.datasets.obtain import read_split
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import DatasetUnavailable, MetricError, RunError
from ganzoo.metrics.interface import Extractor, Samples
from ganzoo.metrics.judge import Judge, Split, Task, choice_of
from ganzoo.plugins import contained
from ganzoo.recipe.model import Choice
from ganzoo.recipe.parts import build_dataset
from ganzoo.runs.facts import describe_data_change, utc_now
from ganzoo.runs.run import Run, load
from ganzoo.runs.score import Protocol, Score, save_scores
from ganzoo.training.device import choose_device

DRAWS = 3
"""The default number of draws of samples, for the confidence interval."""

CONFIDENCE = 0.95

ComponentSpec = str | Mapping[str, Any]
"""A metric's or extractor's name, or a table with `name` and options, as in a recipe."""


@contained()
def evaluate(
    run: Run | str | Path,
    *,
    metrics: Sequence[ComponentSpec] = (),
    n: int | None = None,
    split: Split = "test",
    seed: int = 0,
    ema: bool = True,
    extractor: ComponentSpec | None = None,
    draws: int = DRAWS,
    device: str = "auto",
    data_root: str | Path | None = None,
    save: bool = True,
    report_progress: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Scores a run's samples against real ones, and records the scores in the run's evaluations/.

    metrics: by name, or tables with `name` and options ({"name": "kid", "subsets": 50}); none: all that fit the data.
    n: generated samples (each metric's published number, else 10,000), and as many real ones if there are so many.
    split: of the real data. seed: of all random numbers. ema: use the averaged generator, if there is one.
    extractor: None for the default of the data. draws: number of draws of n samples each, for the confidence interval
    of their mean. save: whether to record the scores. report_progress: called with a message before slow operations.

    On the CPU the same call gives the same numbers. Raises: MetricError, RunError, DatasetError.
    """
    made = (run if isinstance(run, Run) else load(run)).pinned()  # it may be training meanwhile
    game = made.averaged if ema and made.recipe.ema else made.game
    refuse_translation_games(made, game)
    if draws < 1 or (n is not None and n < 1):
        raise MetricError("n and draws are numbers from 1 up.")
    place = choose_device(device)
    root = find_data_root(data_root or made.facts["dataset"]["root"])
    dataset = build_dataset(made.data_choice)
    train = read_split(dataset, root, "train", "stream" if was_streamed(made) else "auto")
    refuse_other_data(made, train)
    judge = Judge(
        dataset,
        root,
        metrics=[component_choice("metric", wanted) for wanted in metrics],
        conditions=game.conditions,
        extractor=None if extractor is None else component_choice("extractor", extractor),
        n=n,
        split=split,
        seed=seed,
        device=place,
        say=report_progress,
    )
    floors = score_real_data(judge, train, report_progress)
    found: list[dict[str, list[float]]] = [{name: [] for name in task.metric.gives} for task in judge.tasks]
    for draw in range(draws):
        report_progress(f"draw {draw + 1} of {draws}: {judge.n:,} samples")
        with on_device(game, place):
            fake = judge.draw(game, derived(seed, draw), train)
        for task, values in zip(judge.tasks, found, strict=True):
            for name, value in check_finite(judge.numbers(fake, task, derived(seed, draw))).items():
                values[name].append(value)
    facts = {**sample_source(made, ema=ema and made.recipe.ema is not None), "seed": seed, "device": place.type}
    scores = [
        make_score(name, values, floor[name] if floor else None, protocol_of(judge, task, made), task, judge, facts)
        for task, of_task, floor in zip(judge.tasks, found, floors, strict=True)
        for name, values in of_task.items()
    ]
    if save:
        save_scores(made.files.evaluations, scores)
    return scores


def score_real_data(
    judge: Judge, train: Examples | Source, report_progress: Callable[[str], None]
) -> list[dict[str, float] | None]:
    """For each task, the scores of as many real samples of the other split; None if it has none, or too few."""
    try:
        other = train if judge.split == "test" else read_split(judge.dataset, judge.root, "test")
    except DatasetUnavailable:
        return [None] * len(judge.tasks)
    report_progress("scoring real data against real data")
    real = judge.of_examples(other, judge.n)
    return [score_of_few(judge, real, task) for task in judge.tasks]


def score_of_few(judge: Judge, real: Samples, task: Task) -> dict[str, float] | None:
    """A task's scores of real samples; None if the metric takes more than there are."""
    try:
        return judge.numbers(real, task, derived(judge.seed, 0))
    except MetricError:
        return None


def check_finite(numbers: dict[str, float]) -> dict[str, float]:
    """The numbers, unchanged. Raises: MetricError if one is NaN or infinite, as from broken samples."""
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise MetricError(f"{name} is {value}.", remedy="Look at the samples: are they numbers?")
    return numbers


def interval(values: Sequence[float]) -> tuple[float | None, float | None, str]:
    """The ends of Student's confidence interval of the mean of the draws, and its description."""
    if len(values) < 2:
        return None, None, "none: one draw"
    half = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    words = f"Student's {CONFIDENCE:.0%} interval of the mean of {len(values)} draws of generated samples"
    return fmean(values) - half, fmean(values) + half, words


def make_score(
    name: str,
    values: Sequence[float],
    floor: float | None,
    protocol: Protocol,
    task: Task,
    judge: Judge,
    facts: Mapping[str, Any],
) -> Score:
    """The score of one number of a metric, from its value in each draw."""
    low, high, words = interval(values)
    return Score(
        name=name,
        value=fmean(values),
        draws=tuple(values),
        low=low,
        high=high,
        interval=words,
        floor=floor,
        better=task.metric.gives[name],
        protocol=protocol,
        extractor_facts=judge.extractor.facts() if judge.extractor and task.metric.needs != "samples" else {},
        versions=versions(task, judge),
        date=utc_now(),
        **facts,
    )


def protocol_of(judge: Judge, task: Task, run: Run) -> Protocol:
    """The protocol of a task's numbers."""
    uses = judge.choice if task.metric.needs != "samples" else None
    return Protocol(
        metric=task.name,
        options=task.metric.options(),
        n_real=task.n_real,
        n_fake=task.n_fake,
        extractor=extractor_label(uses, judge.extractor) if uses and judge.extractor else "",
        digest=judge.extractor.digest if uses and judge.extractor else "",
        dataset=run.data_choice.entry.name,
        checksum=judge.examples.checksum,
        split=judge.split,
    )


def extractor_label(choice: Choice, extractor: Extractor) -> str:
    """An extractor's name, with its training data if that depends on the data set: "digits (MNIST)"."""
    return f"{choice.entry.name} ({extractor.learned_from})" if extractor.learned_from else choice.entry.name


def sample_source(run: Run, *, ema: bool) -> dict[str, Any]:
    """The run, step and weights of the scored samples."""
    return {"run": run.name, "step": run.checkpoint_step, "ema": ema}


def versions(task: Task, judge: Judge) -> dict[str, str]:
    """The versions of the libraries that computed the numbers."""
    entries = [task.choice.entry, *([judge.choice.entry] if judge.choice else [])]
    known = {
        "ganzoo": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        **{entry.distribution: entry.version for entry in entries},
    }
    for library in ("numpy", "scipy", "torch-fidelity"):
        try:
            known[library] = version(library)
        except PackageNotFoundError:
            continue
    return known


def component_choice(shelf: str, wanted: ComponentSpec) -> Any:
    """The component that a name or table selects from a shelf. Raises: MetricError for a table without a name."""
    if isinstance(wanted, str):
        return choice_of(shelf, wanted)
    options = dict(wanted)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise MetricError(f"a {shelf} is a name, or a table with a name, not {wanted!r}.")
    return choice_of(shelf, name, options)


def refuse_translation_games(run: Run, game: Game) -> None:
    """Raises: RunError if the game makes no samples from latents."""
    if game.directions and type(game).sample is Game.sample:
        raise RunError(
            f'{run.name}: the game "{run.recipe.game.entry.name}" makes no samples from latents: it translates.',
            remedy="The metrics score samples that are made from latents; translations are judged by looking at them.",
        )


def was_streamed(run: Run) -> bool:
    """Whether the run's data were streamed: reading all of them takes as long as an epoch."""
    return bool(run.facts.get("data", {}).get("on") == "stream")


def refuse_other_data(run: Run, train: Examples | Source) -> None:
    """Raises: RunError if the data are not those that the run was trained on."""
    if changed := describe_data_change(run.facts, train):
        raise RunError(
            f'{run.files.facts}: the data set "{run.data_choice.entry.name}" is not the one that this run learned '
            f"from.\n  {changed}",
            remedy="Point --data-root at the data of before.",
        )


@contextmanager
def on_device(game: Game, device: torch.device) -> Iterator[None]:
    """Inside, the game is on `device`; afterwards on the CPU again."""
    game.to(device)
    try:
        yield
    finally:
        game.to("cpu")
