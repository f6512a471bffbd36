"""The two-player game of Goodfellow et al. (2014, arXiv:1406.2661), Algorithm 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganzoo.game import Draw, Game, Move, Parts
from ganzoo.interfaces import Batch


class TwoPlayer(Game):
    """One generator against one discriminator (or critic), under any loss and any regularizers on the shelves.

    n_critic: discriminator moves for each generator move, every one on a fresh batch and fresh latents (the paper's k).
    """

    def __init__(self, parts: Parts, *, n_critic: Annotated[int, Ge(1)] = 1) -> None:
        super().__init__()
        self.generator = parts.generator()
        self.discriminator = parts.discriminator()
        self.loss = parts.loss()
        self.regularizers = parts.regularizers()
        self.n_critic = n_critic

    def players(self) -> Mapping[str, nn.Module]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def play(self, draw: Draw) -> Iterator[Move]:
        for _ in range(self.n_critic):
            real = draw()["image"]
            with torch.no_grad():
                fake = self.generator(self.generator.latents(len(real)))
            yield self.discriminator_move(real, fake)
            self.constrain()
        yield self.generator_move(real)
