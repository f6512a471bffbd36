"""Features of a run's samples and of real ones, for findings about samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.core.game import Game
from ganzoo.core.interfaces import Dataset, DatasetInfo
from ganzoo.core.random_streams import own_randomness
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import DatasetUnavailable, GanzooError, MetricError
from ganzoo.evaluation.evaluate import refuse_other_data
from ganzoo.metrics.interface import Extractor, Features, Samples
from ganzoo.metrics.judge import choice_of, derived, draw_samples
from ganzoo.recipe.parts import build, build_dataset
from ganzoo.runs.run import Run

N = 1000
"""The number of generated and of real samples; enough to contain any class with a frequency of 1 %."""

SIDE = 16
"""The side of downscaled images for pixel features: enough to distinguish images, small enough to search 60,000."""


class SamplesUnavailable(GanzooError):
    """A run's samples cannot be examined here."""


class PixelExtractor(Extractor):
    """Pixels of images of at most 16 x 16, as features where no suitable classifier is available."""

    classifies: ClassVar[Literal["", "other", "own"]] = ""
    digest = "sha256:no weights"

    def forward(self, images: Tensor) -> Features:
        """images (n, C, H, W) uint8 -> their pixels in [0, 1]."""
        return Features(pixels(images))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSets:
    """Features of generated and real samples, on the CPU.

    fake: of the generator, with averaged weights if the recipe has [ema]; raw: of the raw weights, None without [ema];
    real: of the test split; train, test: pixel features of all images of the splits; extractor: its name; classes: the
    data set's class names, if the extractor classifies them; step: of the checkpoint.
    """

    fake: Samples
    raw: Samples | None
    real: Samples
    plain_fake: Tensor
    train: Tensor
    test: Tensor
    extractor: str
    classes: tuple[str, ...]
    step: int


def collect_samples(
    run: Run,
    *,
    n: int = N,
    seed: int = 0,
    data_root: str | Path | None = None,
    report_progress: Callable[[str], None] = lambda _: None,
) -> SampleSets:
    """Draws n samples of a run and as many real ones, with their features. Raises: SamplesUnavailable."""
    if run.info.shapes or type(run.game).sample is Game.sample:
        raise SamplesUnavailable("the game makes no samples from latents: it translates.")
    root = find_data_root(data_root or run.facts["dataset"]["root"])
    dataset = build_dataset(run.data_choice)
    try:
        train, test = dataset.load(root, "train"), dataset.load(root, "test")
    except DatasetUnavailable as error:
        raise SamplesUnavailable(f"the data cannot be had here: {error.what}") from error
    refuse_other_data(run, train)
    extractor, name = extractor_for(dataset, dataset.info(root), root, report_progress)
    report_progress(f"drawing {n:,} samples")
    cpu = torch.device("cpu")

    def drawn(game: Game) -> Tensor:
        return draw_samples(game, n, derived(seed, 0), cpu, train)

    fake = drawn(run.averaged if run.recipe.ema else run.game)
    chosen = torch.randperm(len(test.tensors["image"]), generator=torch.Generator().manual_seed(derived(seed, 1)))[:n]
    real = test.tensors["image"][chosen]
    report_progress("comparing them with real ones")
    return SampleSets(
        fake=extract_features(extractor, fake),
        raw=extract_features(extractor, drawn(run.game)) if run.recipe.ema else None,
        real=extract_features(extractor, real),
        plain_fake=pixels(fake),
        train=pixels(train.tensors["image"]),
        test=pixels(test.tensors["image"]),
        extractor=name,
        classes=run.info.classes if extractor and extractor.classifies == "own" else (),
        step=int(run.checkpoint.name.rpartition("-")[2]),
    )


def extractor_for(
    dataset: Dataset, info: DatasetInfo, root: Path, report_progress: Callable[[str], None]
) -> tuple[Extractor | None, str]:
    """The data set's default extractor, or pixels if that would have to be downloaded, with its name.

    None for points, whose coordinates are the features.
    """
    if info.kind == "points":
        return None, "coordinates"
    if info.extractor != "inception":
        extractor: Extractor = build(choice_of("extractor", info.extractor))
        report_progress(f"preparing the extractor {info.extractor}")
        try:
            with own_randomness(torch.device("cpu")):
                extractor.prepare(dataset, root)
        except MetricError:
            pass
        else:
            return extractor.eval().requires_grad_(False), info.extractor
    return PixelExtractor(), "pixels"


def extract_features(extractor: Extractor | None, raw: Tensor) -> Samples:
    """Samples with their features. raw: as in `Samples`."""
    if extractor is None:
        return Samples(raw, raw, torch.empty(len(raw), 0))
    with torch.no_grad():
        parts = [extractor(part) for part in raw.split(extractor.at_once)]
    logits: list[Any] = [torch.empty(len(part.features), 0) if part.logits is None else part.logits for part in parts]
    return Samples(raw, torch.cat([part.features.float() for part in parts]), torch.cat(logits))


def pixels(raw: Tensor) -> Tensor:
    """Images (n, C, H, W) uint8 -> (n, d) float32 in [0, 1], of at most 16 x 16 pixels; points as they are."""
    if raw.ndim < 4:
        return raw.float()
    height, width = (min(SIDE, side) for side in raw.shape[2:])
    parts = [adaptive_avg_pool2d(part.float() / 255, (height, width)).flatten(1) for part in raw.split(1000)]
    return torch.cat(parts)
