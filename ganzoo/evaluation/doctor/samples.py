"""Features of a run's samples and of real ones, for findings about samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ganzoo.core.data import Batch, Dataset, DatasetInfo, Examples
from ganzoo.core.game import Game, makes_samples
from ganzoo.core.random_streams import derived, own_randomness
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import DatasetUnavailable, GanzooError, MetricError
from ganzoo.evaluation.doctor.examined_metrics import examined_metrics
from ganzoo.evaluation.doctor.finding import NotExamined
from ganzoo.evaluation.evaluate import refuse_other_data
from ganzoo.metrics.interface import Extractor, Features, Metric, Samples
from ganzoo.metrics.judge import choice_of, draw_samples, extract_features
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.parts import build, build_dataset
from ganzoo.runs.run import Run

N = 1000
"""The number of generated and of real samples; enough to contain any class with a frequency of 1 %."""


FEWEST = 20
"""Real samples of a split, below which nothing is compared with it: spreads and shares of so few are chance."""


class SamplesUnavailable(GanzooError):
    """A run's samples cannot be examined here."""


class CoarseExtractor(Extractor):
    """A few numbers of each sample, as its kind gives them: for data that no classifier at hand was trained on."""

    classifies: ClassVar[Literal["", "other", "own"]] = ""
    kinds: ClassVar[tuple[str, ...]] = ()
    digest = "sha256:no weights"

    def __init__(self, kinds: FieldKinds) -> None:
        super().__init__()
        self.kind = kinds.sample

    def forward(self, samples: Tensor) -> Features:
        """samples (n, *shape) as stored -> (n, d)."""
        return Features(self.kind.coarse(self.kind.to_unit(samples)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSets:
    """Features of generated and real samples, on the CPU.

    fake: of the generator, with averaged weights if the recipe has [ema]; raw: of the raw weights, None without [ema];
    real: of `split`, which is the test split, or the training split where the test split is too small; coarse_fake,
    train, test: coarse features of `fake` and of both whole splits; extractor: its name; classes: the data set's class
    names, if the extractor classifies them; step: of the checkpoint; labels: the class names, if samples are
    conditioned on a label, which is then in the conditions of fake, raw and real; metrics: those that are a part of the
    examination, by name; missed: what cannot be asked of these samples.
    """

    fake: Samples
    raw: Samples | None
    real: Samples
    coarse_fake: Tensor
    train: Tensor
    test: Tensor
    extractor: str
    classes: tuple[str, ...]
    step: int
    labels: tuple[str, ...] = ()
    split: Literal["train", "test"] = "test"
    metrics: tuple[tuple[str, Metric], ...] = ()
    missed: tuple[NotExamined, ...] = ()


def collect_samples(
    run: Run,
    *,
    n: int = N,
    seed: int = 0,
    data_root: str | Path | None = None,
    report_progress: Callable[[str], None] = lambda _: None,
) -> SampleSets:
    """Draws n samples of a run and as many real ones. Raises: SamplesUnavailable where there is nothing to compare."""
    if not makes_samples(run.game):
        raise SamplesUnavailable("the game makes no samples from latents: it translates.")
    root = find_data_root(data_root or run.facts["dataset"]["root"])
    dataset = build_dataset(run.data_choice)
    try:
        train = dataset.load(root, "train")
    except DatasetUnavailable as error:
        raise SamplesUnavailable(f"the data cannot be had here: {error.what}") from error
    refuse_other_data(run, train)
    info = dataset.info(root)
    test = held_out_split(dataset, root, train)
    sizes = {"training": train.sizes[info.sample_key], "test": test.sizes[info.sample_key]}
    if max(sizes.values()) < FEWEST:
        said = " and ".join(f"{size} {name}" for name, size in sizes.items())
        raise SamplesUnavailable(f"the data have {said} samples, and fewer than {FEWEST} real ones say nothing.")
    split: Literal["train", "test"] = "test" if sizes["test"] >= FEWEST else "train"
    kinds = FieldKinds(info)
    coarse = CoarseExtractor(kinds)
    extractor, name = extractor_for(dataset, info, root, report_progress) or (coarse, "coarse features")
    report_progress(f"drawing {n:,} samples")
    fake_game, raw_game = run.averaged if run.recipe.ema else run.game, run.game
    cpu = torch.device("cpu")

    def drawn(game: Game) -> tuple[Tensor, Batch]:
        return draw_samples(game, n, derived(seed, 0), cpu, train, kinds)

    fake, requested = drawn(fake_game)
    compared = (test if split == "test" else train).tensors
    order = torch.randperm(len(compared[info.sample_key]), generator=torch.Generator().manual_seed(derived(seed, 1)))
    real = compared[info.sample_key][order[:n]]
    conditions = {key: kinds.to_unit(key, compared[key][order[:n]]) for key in requested}
    metrics, missed = examined_metrics(dataset, info, run.game.conditions, extractor)
    report_progress("comparing them with real ones")
    return SampleSets(
        fake=extract_features(extractor, fake, requested, cpu),
        raw=extract_features(extractor, *drawn(raw_game), cpu) if run.recipe.ema else None,
        real=extract_features(extractor, real, conditions, cpu),
        coarse_fake=coarse(fake).features,
        train=coarse(train.tensors[info.sample_key]).features,
        test=coarse(test.tensors[info.sample_key]).features if sizes["test"] else torch.empty(0, 0),
        extractor=name,
        classes=run.info.classes if extractor.classifies == "own" else (),
        step=run.checkpoint_step,
        labels=run.info.classes if "label" in run.game.conditions else (),
        split=split,
        metrics=metrics,
        missed=missed,
    )


def held_out_split(dataset: Dataset, root: Path, train: Examples) -> Examples:
    """The test split; an empty one of such data where there is none."""
    try:
        return dataset.load(root, "test")
    except DatasetUnavailable:
        empty = {name: tensor[:0] for name, tensor in train.tensors.items()}
        return Examples(tensors=empty, checksum="", origin="there is no test split")


def extractor_for(
    dataset: Dataset, info: DatasetInfo, root: Path, report_progress: Callable[[str], None]
) -> tuple[Extractor, str] | None:
    """The extractor that suits such data, with its name; None where there is none that needs no download."""
    if not info.extractor:
        return None
    extractor: Extractor = build(choice_of("extractor", info.extractor))
    report_progress(f"preparing the extractor {info.extractor}")
    try:
        with own_randomness(torch.device("cpu")):
            extractor.prepare(dataset, root)
    except MetricError:
        return None
    return extractor.eval().requires_grad_(False), info.extractor
