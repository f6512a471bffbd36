"""Runs whose saved recipe lacks an option that was added later: read, sampled and resumed as before there was one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo.datasets.gaussians import Gaussians
from ganzoo.errors import RunError
from ganzoo.recipe import read_recipe
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint, save_checkpoint

Small = Callable[[Path, str], Path]


def without_option(run: Path, table: str, option: str) -> None:
    """Takes an option out of all that a run saved, as if it had been made before there was one."""
    recipe = run / "recipe.toml"
    lines = recipe.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{option} = ")]
    assert len(kept) == len(lines) - 1
    recipe.write_text("".join(kept))
    for path in checkpoints_of(run / "checkpoints"):
        checkpoint = load_checkpoint(path)
        del checkpoint.state["recipe"][table][option]
        shutil.rmtree(path)
        save_checkpoint(path, checkpoint)


@pytest.fixture
def ring_of_radius_2(small_recipe: Small, tmp_path: Path) -> Path:
    """A run of four steps that was made before the ring had an option `radius`."""
    recipe = small_recipe(tmp_path / "small.toml", "")
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, device="cpu", dataset__radius=2.0)
    without_option(run.directory, "dataset", "radius")
    return run.directory


def test_an_older_run_goes_on_on_the_data_that_it_began_with(
    ring_of_radius_2: Path, small_recipe: Small, tmp_path: Path
) -> None:
    run = ganzoo.resume(ring_of_radius_2, steps=8, quiet=True, device="cpu")
    whole = ganzoo.train(
        small_recipe(tmp_path / "small.toml", ""),
        out=tmp_path / "whole",
        steps=8,
        quiet=True,
        device="cpu",
        dataset__radius=2.0,
    )
    assert run.recipe.dataset.options["radius"] == 2.0
    assert torch.equal(run.sample(8), whole.sample(8))
    assert "radius = 2.0" in (whole.directory / "recipe.toml").read_text()


def test_a_new_option_that_the_user_writes_into_an_older_run_is_a_change(ring_of_radius_2: Path) -> None:
    recipe = ring_of_radius_2 / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('layout = "ring"', 'layout = "ring"\nradius = 3.0'))
    with pytest.raises(RunError, match=r"dataset\.radius: nothing -> 3\.0"):
        ganzoo.resume(ring_of_radius_2, steps=8, quiet=True, device="cpu")


def test_an_older_run_goes_on_averaging_as_it_did(small_recipe: Small, tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path / "small.toml", "")
    older = {"ema__warmup": 0, "ema__statistics": False}
    settings: dict[str, Any] = {"quiet": True, "device": "cpu", "generator__batch_norm": True, **older}
    run = ganzoo.train(recipe, out=tmp_path / "run", **settings)
    for option in ("warmup", "statistics"):
        without_option(run.directory, "ema", option)
    resumed = ganzoo.resume(run.directory, steps=12, quiet=True, device="cpu")
    whole = ganzoo.train(recipe, out=tmp_path / "whole", steps=12, **settings)
    now = ganzoo.train(recipe, out=tmp_path / "now", steps=12, **{**settings, "ema__warmup": 1000})
    assert resumed.recipe.ema == whole.recipe.ema
    assert torch.equal(resumed.sample(8), whole.sample(8))
    assert not torch.equal(resumed.sample(8), now.sample(8))
    assert torch.equal(resumed.sample(8, ema=False), now.sample(8, ema=False))


def test_new_runs_have_the_present_default(small_recipe: Small, tmp_path: Path) -> None:
    assert read_recipe(small_recipe(tmp_path / "small.toml", "")).dataset.options["radius"] == 1.0
    assert Gaussians().radius == 1.0
