"""Gradients of ranks on one machine, as torchrun starts them: added up in memory that they share, or sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere ranks share no memory")

LAST_ASKED_IN_THE_THIRD = [move == 2 for move in range(8)]

NOT_FOR_ALL = ["apart", "too large for rank 0", "too many for the last"]
"""Where one rank is said to be on a machine of its own, or cannot have the memory, or no more pipes."""


@dataclass(frozen=True)
class Averaged:
    """What the ranks of averaging_driver.py found, but for the last, which was killed in the end."""

    ranks: int
    seen: list[dict[str, Any]]


@pytest.fixture(scope="module", params=[2, 3])
def averaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Averaged:
    """Two add up whole rows, and three a share of them each."""
    ranks, folder = request.param, tmp_path_factory.mktemp("averaged")
    launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}"]
    done = subprocess.run(
        [*launcher, str(Path(__file__).with_name("averaging_driver.py")), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    files = [folder / f"rank-{rank}.json" for rank in range(ranks - 1)]
    assert all(file.exists() for file in files), done.stdout + done.stderr
    return Averaged(ranks, [json.loads(file.read_text()) for file in files])


def test_means_are_the_sum_of_shares_in_the_order_of_ranks_bit_for_bit(averaged: Averaged) -> None:
    """Of players in turn and twice in a row, with odd sizes, channels_last, and gradients that are missing."""
    for seen in averaged.seen:
        assert seen["together"]["common"] == [True, True]
        assert seen["together"]["worst"] == 0


def test_no_rank_writes_over_what_another_still_reads(averaged: Averaged) -> None:
    assert [seen["overwritten"] for seen in averaged.seen] == [0] * (averaged.ranks - 1)


@pytest.mark.parametrize("why", NOT_FOR_ALL)
def test_all_send_where_one_rank_cannot_share_memory(averaged: Averaged, why: str) -> None:
    """Three numbers of some 1 are added up in another order: that is a few times 1e-7."""
    for seen in averaged.seen:
        assert seen[why]["common"] == [False, False]
        assert seen[why]["worst"] <= (0 if averaged.ranks == 2 else 1e-6)


@pytest.mark.parametrize("way", ["together", *NOT_FOR_ALL])
def test_what_one_rank_was_asked_all_know_in_the_same_move(averaged: Averaged, way: str) -> None:
    assert [seen[way]["asked"] for seen in averaged.seen] == [LAST_ASKED_IN_THE_THIRD] * (averaged.ranks - 1)


def test_the_memory_has_no_name_that_could_be_left_behind_and_ends_with_its_use(averaged: Averaged) -> None:
    for seen in averaged.seen:
        assert seen["together"]["memory"] == ["/memfd:ganzoo (deleted)"] * 2
        assert (seen["left open"], seen["left mapped"]) == (0, [])


def test_a_rank_that_is_killed_is_noticed_by_all_in_the_same_move(averaged: Averaged) -> None:
    for seen in averaged.seen:
        assert seen["moves"] == 50
        assert "no longer" in seen["gone"]
