"""Every shipped recipe at its full budget is healthy, whatever the seed: `pytest -m slow` on this file.

A recipe that takes longer than GANZOO_FULL_BUDGET minutes of one CPU core (default 2; "inf" for all of them) is skipped
by name. Runs are kept in the folder GANZOO_HEALTHY_RUNS, where one is given, and not trained again if they are there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import DatasetUnavailable
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.plugins import zoo

MINUTES = {
    "relativistic_gaussians": 1,
    "relativistic_gaussians_grid": 1,
    "wgan_gp_gaussians": 1,
    "cyclegan_glyphs": 10,
    "cgan_mnist": 10,
    "dcgan_mnist": 10,
    "wgan_gp_mnist": 30,
    "pix2pix_glyphs": 30,
    "relativistic_mnist": 30,
    "wgan_mnist": 45,
    "vanilla_mnist": 60,
    "dcgan_fashion_mnist": 60,
    "relativistic_stacked_mnist": 90,
    "dcgan_cifar10": 600,
}
"""Recipe -> minutes of one CPU core that its full budget takes, roughly."""

OWN_FOLDER = {"dcgan_folder", "cyclegan_folder", "pix2pix_folder"}
"""Recipes whose data are a folder of the user's."""

SEEDS = (0, 1, 2)


def test_every_shipped_recipe_is_listed_here() -> None:
    shipped = {entry.name for entry in zoo().entries("recipe") if entry.distribution.startswith("ganzoo")}
    assert shipped == MINUTES.keys() | OWN_FOLDER


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("recipe", MINUTES)
def test_a_shipped_recipe_at_its_full_budget_is_healthy(
    recipe: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    budget = float(os.environ.get("GANZOO_FULL_BUDGET", "2"))
    if MINUTES[recipe] > budget:
        pytest.skip(f"{recipe} takes {MINUTES[recipe]} minutes: set GANZOO_FULL_BUDGET to as many, or to inf")
    if "gaussians" not in recipe and "glyphs" not in recipe:
        request.getfixturevalue("real_data")
    place = Path(os.environ.get("GANZOO_HEALTHY_RUNS", tmp_path)) / f"{recipe}-{seed}"
    if not (place / "run.json").is_file():
        try:
            ganzoo.train(recipe, seed=seed, out=place, device="cpu", quiet=True, fallback=False)
        except DatasetUnavailable as error:
            pytest.skip(error.what)
    run = ganzoo.load(place)
    assert run.status == "finished"
    assert [str(finding) for finding in examine(run).findings] == []
