"""A game with something to remember."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from ganzoo import Batch, Draw, Game, Move, Parts


class Duel(Game):
    """Discriminator and generator in turn; the generator's loss weighs less from round to round.

    fading: the factor on that weight after each round.
    """

    def __init__(self, parts: Parts, *, fading: float = 0.9) -> None:
        super().__init__()
        self.generator = parts.generator()
        self.discriminator = parts.discriminator()
        self.rules = nn.ModuleList(parts.regularizers())
        self.loss = parts.loss()
        self.fading = fading
        self.register_buffer("weight", torch.ones(()))

    def players(self) -> Mapping[str, nn.Module]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def play(self, draw: Draw) -> Iterator[Move]:
        real = draw()["real"]
        fake = self.sample(len(real))
        yield Move("discriminator", self.discriminators(real, fake), {"gap": self.gap(real, fake)})
        yield Move("generator", self.generators(len(real)))
        self.weight *= self.fading

    def discriminators(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        loss = self.loss.discriminator(self.discriminator(real), self.discriminator(fake))
        for rule in self.rules:
            penalty = rule.penalty(self.discriminator, real, fake)
            loss = loss if penalty is None else loss + penalty
        return loss

    def generators(self, n: int) -> torch.Tensor:
        fake = self.generator(self.generator.latents(n))
        return self.weight.clone() * self.loss.generator(self.discriminator(fake))

    def gap(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return (self.discriminator(real).mean() - self.discriminator(fake).mean()).detach()

    @torch.no_grad()
    def sample(self, n: int, conditions: Batch | None = None) -> torch.Tensor:
        return self.generator(self.generator.latents(n))

    def preview(self, batch: Batch) -> Mapping[str, torch.Tensor]:
        return {"samples": self.sample(len(batch["real"]))}
