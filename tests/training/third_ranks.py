"""A plugin for test_distributed.py: a network with what ranks do not share, and a game that gets into trouble."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import torch
from torch import Tensor, nn

from ganzoo import Component, Draw, Generator, Move, Parts, hookimpl
from ganzoo.core.two_player import TwoPlayer


@hookimpl
def ganzoo_components() -> list[Component]:
    return [
        Component("generator", "noisy", "third_ranks:Noisy"),
        Component("game", "troubled", "third_ranks:Troubled"),
    ]


class Noisy(Generator):
    """Batch norm, whose statistics are each rank's, and dropout, whose draws are."""

    def __init__(self, *, latent_dim: int = 2) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.net = nn.Sequential(
            nn.Linear(latent_dim, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
        )

    def forward(self, latents: Tensor) -> Tensor:
        made: Tensor = self.net(latents)
        return made


class Troubled(TwoPlayer):
    """Something happens to rank 1 in its sixth round: what the environment variable TROUBLE says."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.trouble = os.environ.get("TROUBLE", "") if os.environ.get("RANK") == "1" else ""
        self.rounds = 0

    def play(self, draw: Draw) -> Iterator[Move]:
        self.rounds += 1
        now = self.trouble if self.rounds == 6 else ""
        if now == "raises":
            raise RuntimeError("this rank cannot go on")
        if now == "is asked to stop":
            # this rank and its workers, as torchrun does it: what comes from the rank itself would end its workers
            subprocess.run(["kill", "-TERM", "--", f"-{os.getpid()}"], check=True, start_new_session=True)
        if now == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if now == "loses a worker":
            psutil.Process().children()[0].kill()
        if now == "drifts":
            with torch.no_grad():
                next(self.generator.parameters()).add_(0.1)
        for move in super().play(draw):
            yield Move(move.player, move.loss * torch.nan) if now == "is not a number" else move
