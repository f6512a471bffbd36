"""Runs, their helpers and suites are killed or asked to end; what they end with is what nobody's interference gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Row

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="each case is a process that is forked"),
    pytest.mark.timeout(24 * 3600),
]


def environment() -> dict[str, str]:
    """One thread, and this checkout first."""
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def play(name: str, row: Row, folder: Path) -> None:
    """Plays the cases of a row in the driver, and records them."""
    command = [sys.executable, str(HERE / "kills_driver.py"), name, str(folder), str(row.planned)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        said, complaints = driver.communicate()
    lines = [json.loads(line) for line in said.splitlines()]
    assert len(lines) == row.planned, complaints
    for seed, line in zip(row, lines, strict=True):
        with row.case(f"case {seed}, {line['what']}"):
            assert not line["wrong"], line["wrong"]


@pytest.mark.row("A run killed before one of its file operations", quick=3, long=340)
def test_a_run_killed_before_any_file_operation_ends_bit_for_bit_the_same(row: Row, tmp_path: Path) -> None:
    play("operations", row, tmp_path)


@pytest.mark.row("A run killed at a random moment", quick=1, long=200)
def test_a_run_killed_at_a_random_moment_ends_bit_for_bit_the_same(row: Row, tmp_path: Path) -> None:
    play("moments", row, tmp_path)


@pytest.mark.row("A run asked to end by SIGINT, SIGTERM or SIGHUP", quick=3, long=60)
def test_a_run_asked_to_end_writes_a_checkpoint_and_goes_on(row: Row, tmp_path: Path) -> None:
    play("signals", row, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")
@pytest.mark.row("A worker that streams data, or its run, killed", quick=1, long=60)
def test_a_run_that_lost_a_worker_says_so_and_goes_on(row: Row, tmp_path: Path) -> None:
    play("workers", row, tmp_path)


@pytest.mark.row("A suite killed before one of its file operations", quick=1, long=250)
def test_a_suite_killed_at_any_stage_ends_with_the_same_table(row: Row, tmp_path: Path) -> None:
    play("suites", row, tmp_path)


@pytest.mark.slow
@pytest.mark.row("A rank killed", quick=1, long=20)
def test_a_run_that_lost_a_rank_goes_on(row: Row, tmp_path: Path) -> None:
    play("ranks", row, tmp_path)
