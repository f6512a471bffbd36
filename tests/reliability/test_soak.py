"""Long runs hold no more at their end than near their beginning: memory, open files, threads, tensors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from ganzoo.recipe import read_recipe

if TYPE_CHECKING:
    from tests.reliability.conftest import Row

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent

GLYPHS = ["dataset.name=glyphs", "train.log_every=5", "train.checkpoint_every=20", "train.sample_every=20"]
POINTS = ["train.log_every=5", "train.checkpoint_every=20", "train.sample_every=20"]
RUNS = [
    ("wgan_gp_gaussians", [*POINTS, "train.runner=eager"]),
    ("vanilla_mnist", [*GLYPHS, "train.runner=eager"]),
    ("cgan_mnist", [*GLYPHS, "train.runner=eager", "evaluate.every=20", "evaluate.n=200", 'evaluate.metrics=["fid"]']),
    (
        "relativistic_gaussians",
        [*POINTS, "train.runner=eager", "evaluate.every=500", 'evaluate.metrics=["gaussian-modes"]'],
    ),
    ("wgan_gp_mnist", [*GLYPHS, "train.runner=eager"]),
    ("vanilla_mnist", [*GLYPHS, "train.runner=compile", "train.precision=bf16"]),
    ("wgan_gp_gaussians", [*POINTS, "train.runner=compile"]),
    ("dcgan_mnist", [*GLYPHS, "train.runner=compile"]),
    ("cyclegan_glyphs", ["train.log_every=1", "train.checkpoint_every=20", "train.sample_every=20"]),
]
"""What is played: points and images, from latents and from domain to domain; eager and compiled; with averages,
penalties, conditions and scores on the way."""

SECONDS = int(os.environ.get("GANZOO_SOAK_SECONDS", "900"))
"""How long each run of the long form trains: two hours and a quarter in all, two runs at a time."""

GROWTH = 48 * 1024
"""KiB that the median of the last third may lie over that of the second: malloc keeps as much for itself."""


def readings(run: int, limits: list[str], folder: Path) -> list[dict[str, int]]:
    """Plays a run of the list in a process of its own. limits: a number of steps, and overrides."""
    recipe, overrides = RUNS[run]
    command = [sys.executable, str(HERE / "soak_driver.py"), recipe, str(folder / f"run-{run}"), *limits, *overrides]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["status"] in ("finished", "stopped")
    rows: list[dict[str, int]] = answer["rows"]
    return rows


@pytest.mark.parametrize("run", range(len(RUNS)), ids=str)
def test_the_recipes_of_the_long_form_can_be_read(run: int) -> None:
    recipe, overrides = RUNS[run]
    assert read_recipe(recipe, overrides=overrides).name == recipe


@pytest.mark.row("A long run holds no more at its end", quick=1, long=len(RUNS))
@pytest.mark.timeout(4 * 3600)
def test_a_long_run_holds_no_more_at_its_end_than_before(row: Row, tmp_path: Path) -> None:
    limits = ["60"] if row.planned == 1 else ["100000000", f"train.stop.seconds={SECONDS}"]
    with ThreadPoolExecutor(2) as pool:
        played = [pool.submit(readings, run, limits, tmp_path) for run in row]
    for run in row:
        with row.case(" ".join([RUNS[run][0], *RUNS[run][1]])):
            rows = played[run].result()
            third = len(rows) // 3
            assert third >= 2, f"only {len(rows)} rows"
            for what, allowed in (("resident", GROWTH), ("files", 1), ("threads", 0), ("tensors", 20)):
                before, after = (median(each[what] for each in part) for part in (rows[third:-third], rows[-third:]))
                assert after <= before + allowed, f"{what}: {before:,.0f}, then {after:,.0f}"
