"""What tests of runners share: small runs, played step by step, and what two of them differ by."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ganzoo.core.random_streams import own_randomness, seed_everything
from ganzoo.datasets.obtain import obtain
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.assembly import assemble
from ganzoo.training.state import Training

POINTS = """
description = "points"
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
output = "none"
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[dataset]
name = "gaussians"
size = 500
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 50
batch_size = 32
log_every = 10
sample_every = 20
checkpoint_every = 10
"""


def training_of(recipe: Path | str, *overrides: str, seed: int = 0) -> Training:
    """The live state of a recipe's run."""
    decided = read_recipe(recipe, overrides=[*overrides, f"train.seed={seed}"])
    obtained = obtain(decided.dataset, decided.fallback, Path("nowhere"), allow_fallback=True).load()
    rehearsal = dry_run(decided, obtained.info)
    with own_randomness(torch.device("cpu")):
        seed_everything(seed)
        training = assemble(decided, obtained, rehearsal, torch.device("cpu"))
        training.keep_streams()
    return training


def play(training: Training, steps: int) -> Checkpoint:
    """So many steps more, as `Session.play` takes them, and a copy of all that a later step depends on."""
    until = training.step + steps
    with own_randomness(torch.device("cpu")):
        training.restore_streams()
        while training.step < until:
            training.advance(min(training.rounds_to_next(), until - training.step))
            if training.step % training.recipe.train.log_every == 0:
                training.gradient_norms()
        training.keep_streams()
        return copy.deepcopy(training.checkpoint())


def largest_gap(one: Checkpoint, other: Checkpoint) -> float:
    """The largest difference between two checkpoints' tensors, relative to the size of each tensor's numbers."""
    assert {name: set(held) for name, held in one.tensors.items()} == {
        name: set(held) for name, held in other.tensors.items()
    }
    gaps = [0.0]
    for file, held in one.tensors.items():
        for name, tensor in held.items():
            there = other.tensors[file][name].double()
            assert tensor.shape == there.shape
            if not tensor.numel():
                continue
            gaps.append(((tensor.double() - there).abs().max() / (there.abs().max() + 1e-12)).item())
    return max(gaps)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.toml"
    path.write_text(POINTS)
    return path


@pytest.fixture(name="training_of")
def _training_of() -> Callable[..., Training]:
    return training_of


@pytest.fixture(name="play")
def _play() -> Callable[[Training, int], Checkpoint]:
    return play


@pytest.fixture(name="largest_gap")
def _largest_gap() -> Callable[[Checkpoint, Checkpoint], float]:
    return largest_gap
