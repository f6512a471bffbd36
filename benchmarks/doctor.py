"""The accuracy of `ganzoo doctor`: what it finds in broken runs, and in healthy ones.

    python benchmarks/doctor.py [--seed 1] [--out DIR] [--healthy RUN]... [--broken-only]

Trains runs that are broken on purpose by a few overrides of a real recipe, and healthy ones of three recipes; diagnoses
all of them; and prints what was found in each. The thresholds were set on runs of seed 0: use another seed. Runs that
already exist in --out are not trained again. --healthy: runs to diagnose instead of training healthy ones, which takes
most of the time. MNIST is read from GANZOO_DATA; without it, glyphs are used instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

import ganzoo
from ganzoo.datasets.obtain import obtain
from ganzoo.datasets.root import data_root
from ganzoo.errors import TrainingFailed
from ganzoo.evaluation.doctor.diagnosis import Diagnosis, examine
from ganzoo.recipe import read_recipe

SMALL = ("generator.hidden=[128,256]", "discriminator.hidden=[256,128]")
POINTS = ("generator.hidden=[64,64]", "discriminator.hidden=[64,64]")
ROWS = ("train.log_every=20", "train.sample_every=0", "train.checkpoint_every=250")
FEW_IMAGES = 50
"""Training images of the run that is meant to memorise them."""


@dataclass(frozen=True)
class Case:
    """A run to train. broken: the finding expected of the doctor, "" for none; few: whether to train on few images."""

    name: str
    broken: str
    recipe: str
    steps: int
    settings: tuple[str, ...]
    few: bool = False


BROKEN = (
    Case(
        "D learns 500 times as fast as G",
        "discriminator-too-strong",
        "vanilla_mnist",
        600,
        (*SMALL, "optimizer.discriminator.lr=1e-3", "optimizer.generator.lr=2e-6"),
    ),
    Case(
        "D hardly learns: lr 1e-7",
        "discriminator-too-weak",
        "vanilla_mnist",
        600,
        (*SMALL, "optimizer.discriminator.lr=1e-7"),
    ),
    Case("G does not learn: lr 1e-9", "standstill", "vanilla_mnist", 600, (*SMALL, "optimizer.generator.lr=1e-9")),
    Case(
        "a saturating loss, a strong D",
        "vanishing-gradients",
        "vanilla_mnist",
        600,
        (*SMALL, "loss.name=minimax", "optimizer.discriminator.lr=1e-3", "optimizer.generator.lr=2e-5"),
    ),
    Case(
        "a critic that nothing holds back",
        "exploding-gradients",
        "vanilla_mnist",
        600,
        (
            *SMALL,
            "loss.name=wasserstein",
            "optimizer.discriminator.name=rmsprop",
            "optimizer.discriminator.lr=1e-3",
        ),
    ),
    Case(
        "SGD with lr 10 under a critic's loss",
        "divergence",
        "vanilla_mnist",
        400,
        (*SMALL, "loss.name=wasserstein", "optimizer.discriminator.name=sgd", "optimizer.discriminator.lr=10.0"),
    ),
    Case(
        "Adam with lr 10",
        "divergence",
        "vanilla_mnist",
        400,
        (*SMALL, "optimizer.discriminator.lr=10.0", "optimizer.generator.lr=10.0"),
    ),
    Case("one latent", "mode-collapse", "vanilla_mnist", 1000, (*SMALL, "generator.latent_dim=1")),
    Case(
        "one critic move, much momentum",
        "oscillation",
        "wgan_gp_gaussians",
        1000,
        (
            *POINTS,
            "game.n_critic=1",
            "optimizer.generator.lr=1e-3",
            "optimizer.discriminator.lr=1e-3",
            "optimizer.generator.betas=[0.9,0.999]",
            "optimizer.discriminator.betas=[0.9,0.999]",
        ),
    ),
    Case(
        f"{FEW_IMAGES} training images, 1,600 epochs",
        "memorisation",
        "vanilla_mnist",
        2500,
        (
            "generator.hidden=[256,512]",
            "discriminator.hidden=[256,128]",
            "train.batch_size=32",
            "optimizer.generator.lr=5e-4",
            "optimizer.discriminator.lr=5e-4",
        ),
        few=True,
    ),
    Case("averages that are never updated", "ema-lag", "vanilla_mnist", 1000, (*SMALL, "ema.every=5000")),
)
"""A decay of 0.9999 would not make averages lag: they span a ninth of the steps so far, whatever the decay."""

HEALTHY = (
    Case("vanilla_mnist", "", "vanilla_mnist", 6500, ()),
    Case("dcgan_mnist", "", "dcgan_mnist", 2200, ("train.batch_size=64",)),
    Case("wgan_gp_mnist", "", "wgan_gp_mnist", 1450, ()),
)


def main() -> None:
    """Trains, diagnoses, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/doctor"))
    parser.add_argument("--healthy", type=Path, action="append", default=[], metavar="RUN")
    parser.add_argument("--broken-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    cases = [*BROKEN, *(() if options.healthy or options.broken_only else HEALTHY)]
    found = []
    for number, case in enumerate(cases):
        run = trained_run(case, options.out / f"{number:02d}-seed-{options.seed}", options.seed, options.out)
        found.append((case, examine(run)))
        print(f"{case.name}: {finding_names(found[-1][1])}, {time.process_time() - began:.0f} s so far", flush=True)
    for path in options.healthy:
        run = ganzoo.load(path)
        case = Case(f"{run.facts['recipe']}, {run.step:,} steps", "", run.facts["recipe"], run.step, ())
        found.append((case, examine(run)))
        print(f"{case.name}: {finding_names(found[-1][1])}", flush=True)
    Console(width=150).print(table(found, options.seed))
    print("\n".join(markdown(found)))
    print(f"{time.process_time() - began:.0f} s of CPU time on one thread")


def trained_run(case: Case, place: Path, seed: int, out: Path) -> ganzoo.Run:
    """The case's run, trained if it does not exist."""
    if (place / "run.json").is_file():
        return ganzoo.load(place)
    few = ("dataset.name=image-folder", f"dataset.path={few_images(out)}") if case.few else ()
    try:
        return ganzoo.train(
            case.recipe,
            steps=case.steps,
            seed=seed,
            out=place,
            device="cpu",
            overrides=[*ROWS, *case.settings, *few],
            quiet=True,
        )
    except TrainingFailed:
        return ganzoo.load(place)


def few_images(out: Path) -> Path:
    """A folder with a few of the recipe's training images, and five hundred of its test images."""
    folder = (out / f"{FEW_IMAGES}-images").resolve()
    if not folder.exists():
        recipe = read_recipe("vanilla_mnist")
        obtained = obtain(recipe.dataset, recipe.fallback, data_root(), allow_fallback=True).load()
        splits = (("train", obtained.examples, FEW_IMAGES), ("test", obtained.dataset.load(obtained.root, "test"), 500))
        for split, examples, size in splits:
            for number, (image, label) in enumerate(first_images(examples.tensors, size)):
                place = folder / split / str(label)
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image.numpy()).save(place / f"{number:05d}.png")
    return folder


def first_images(tensors: object, size: int) -> Iterator[tuple[torch.Tensor, int]]:
    """The first `size` grey images of a split (28, 28), with their labels."""
    assert isinstance(tensors, dict)
    for image, label in zip(tensors["real"][:size, 0], tensors["label"][:size], strict=True):
        yield image, int(label)


def finding_names(diagnosis: Diagnosis) -> str:
    """The names of the findings as one line."""
    return ", ".join(finding.name for finding in diagnosis.findings) or "nothing"


def columns(found: Sequence[tuple[Case, Diagnosis]]) -> list[str]:
    """The names of all findings, the expected ones first."""
    kinds = [case.broken for case, _ in found if case.broken]
    return list(dict.fromkeys([*kinds, *(one.name for _, diagnosis in found for one in diagnosis.findings)]))


def table(found: Sequence[tuple[Case, Diagnosis]], seed: int) -> Table:
    """The confusion table: a row for each run, a column for each finding."""
    drawn = Table(title=f"ganzoo doctor on runs of seed {seed}: X as meant, o found besides", title_justify="left")
    drawn.add_column("run")
    for kind in columns(found):
        drawn.add_column(kind.replace("-", " "), justify="center", max_width=13)
    for case, diagnosis in found:
        here = {finding.name for finding in diagnosis.findings}
        marks = [("X" if kind == case.broken else "o") if kind in here else "" for kind in columns(found)]
        drawn.add_row(case.name, *marks)
    return drawn


def markdown(found: Sequence[tuple[Case, Diagnosis]]) -> Iterator[str]:
    """The table for docs/doctor.md, with the figures."""
    yield "| run | what was broken | found |"
    yield "| --- | --- | --- |"
    for case, diagnosis in found:
        findings = "; ".join(f"**{finding.title}**: {finding.seen}" for finding in diagnosis.findings) or "nothing"
        yield f"| `{case.recipe}`, {case.steps:,} steps | {case.name if case.broken else 'nothing'} | {findings} |"


if __name__ == "__main__":
    main()
