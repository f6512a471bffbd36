"""What each rank does for test_averaging.py, under torchrun: it averages made-up gradients in every way there is.

It writes what it found to rank-<rank>.json in the folder that it is given. What is expected is computed here, by each
rank for itself: a rank's gradients are functions of its number.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganzoo.training.distributed import join_process_group
from ganzoo.training.distributed.collectives import RankLost
from ganzoo.training.distributed.gradient_averaging import FlatGradientAverage
from ganzoo.training.distributed.shared_memory import SharedMemorySum


def parameters_of(player: int) -> list[nn.Parameter]:
    """Odd sizes, one in channels_last, and one that never has a gradient: the last."""
    convolution = torch.zeros(5, 3, 3, 3).to(memory_format=torch.channels_last)
    shapes = [(7 + player,), (3, 5), (1,), (301, 7), (11,)]
    return [nn.Parameter(convolution), *(nn.Parameter(torch.zeros(shape)) for shape in shapes)]


def gradients_of(parameters: list[nn.Parameter], rank: int, move: int) -> list[Tensor]:
    noise = torch.Generator().manual_seed(100 * move + rank)
    return [torch.randn(parameter.shape, generator=noise) for parameter in parameters[:-1]]


def differences(players: list[list[nn.Parameter]], averages: list[FlatGradientAverage]) -> tuple[float, list[bool]]:
    """By how much, over some moves, any mean differs from the sum of shares in the order of ranks; and, of each move,
    whether anybody was asked to stop, which the last rank was in the third.

    Each mean is then written to, as an optimizer does that clips: no other rank may see that.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    worst, stop_requested = 0.0, []
    for move, player in enumerate([0, 0, 1, 1, 1, 0, 1, 0]):
        parameters, average = players[player], averages[player]
        for parameter, gradient in zip(parameters, gradients_of(parameters, rank, move), strict=False):
            parameter.grad = gradient
        if move == 5 and rank == 0:
            parameters[1].grad = None
        average(stop_requested=(move, rank) == (2, size - 1))
        stop_requested.append(average.total.stop_requested)
        assert (parameters[1].grad is None) == (move == 5 and rank == 0)
        assert parameters[-1].grad is None
        every = [gradients_of(parameters, other, move) for other in range(size)]
        for index, shares in enumerate(zip(*every, strict=True)):
            mean = parameters[index].grad
            expected = shares[0] * (1 / size)
            if (move, index) == (5, 1):
                expected.zero_()
            for gradient in shares[1:]:
                expected += gradient * (1 / size)
            if mean is not None:
                assert mean.stride() == parameters[index].stride()
                worst = max(worst, (mean - expected).abs().max().item())
                mean.mul_(1 + rank)
    return worst, stop_requested


def overwritten(moves: int = 300) -> int:
    """In how many moves a mean is not what it should be while ranks keep each other waiting, each now and then."""
    rank, size = dist.get_rank(), dist.get_world_size()
    parameter = nn.Parameter(torch.zeros(200_003))
    average, gradient, wrong = FlatGradientAverage([parameter]), torch.arange(200_003) % 16 * float(size), 0
    for move in range(moves):
        for late in (move // 3 % (size + 1), move // 5 % (size + 1)):  # before the move, and after it
            if late == rank:
                torch.linalg.inv(torch.eye(100))
            if parameter.grad is None:
                parameter.grad = gradient + float(move * size)
                average()
        wrong += not torch.equal(parameter.grad, gradient + move * size)
        parameter.grad = None
    return wrong


def opened() -> int:
    """How many files and pipes this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def mapped() -> list[str]:
    """The memory that this process has in common with others, as Linux names it."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split(maxsplit=5)[-1] for line in lines if "memfd:ganzoo" in line]


@contextmanager
def limited(kind: int, limit: int, applies: bool) -> Iterator[None]:
    """Inside, this process may not have more of something."""
    before = resource.getrlimit(kind)
    if applies:
        resource.setrlimit(kind, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def averaged() -> dict[str, object]:
    players = [parameters_of(player) for player in range(2)]
    averages = [FlatGradientAverage(parameters) for parameters in players]
    worst, stop_requested = differences(players, averages)
    shared = [isinstance(average.total, SharedMemorySum) for average in averages]
    return {"common": shared, "worst": worst, "asked": stop_requested, "memory": mapped() if any(shared) else []}


def main(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's word to those that are left comes with RankLost
    ranks = join_process_group()
    rank, size, before = ranks.rank, ranks.size, opened()
    seen: dict[str, object] = {"together": averaged(), "overwritten": overwritten()}

    os.environ["LOCAL_WORLD_SIZE"] = str(size if rank else 1)
    seen["apart"] = averaged()
    os.environ["LOCAL_WORLD_SIZE"] = str(size)
    with limited(resource.RLIMIT_FSIZE, 100, rank == 0):
        seen["too large for rank 0"] = averaged()
    with limited(resource.RLIMIT_NOFILE, 3, rank == size - 1):
        seen["too many for the last"] = averaged()
    gc.collect()
    seen["left open"] = opened() - before
    seen["left mapped"] = mapped()

    parameter = nn.Parameter(torch.zeros(1000))
    average = FlatGradientAverage([parameter])
    try:
        for move in range(100):
            if move == 50 and rank == size - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            parameter.grad = torch.ones_like(parameter)
            average()
            seen["moves"] = move + 1
    except RankLost as gone:
        seen["gone"] = str(gone)
    (folder / f"rank-{rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
