"""The two-player game of Goodfellow et al. (2014, arXiv:1406.2661), Algorithm 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganzoo.core.game import Draw, Game, Move, Parts
from ganzoo.core.interfaces import Batch, Loss, Regularizer


class TwoPlayer(Game):
    """One generator against one discriminator (or critic), under any loss and any regularizers on the shelves.

    n_critic: discriminator moves for each generator move, every one on fresh real samples and fresh latents (the
        paper's k).
    """

    def __init__(self, parts: Parts, *, n_critic: Annotated[int, Ge(1)] = 1) -> None:
        super().__init__()
        self.generator = parts.generator()
        self.discriminator = parts.discriminator()
        self.loss: Loss = parts.loss()
        self.regularizers = nn.ModuleList(parts.regularizers())
        self.n_critic = n_critic

    def players(self) -> Mapping[str, nn.Module]:
        """The discriminator and the generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def play(self, draw: Draw) -> Iterator[Move]:
        """The textbook's six steps, each marked; where a `yield` is, the engine updates the player named."""
        for _ in range(self.n_critic):
            real = draw()["image"]  # 1. real samples
            fake = self.sample(len(real))  # 2. generated ones; the generator stands still, so no gradients
            yield self.discriminator_move(real, fake)  # 3. the discriminator learns to tell them apart
            self.constrain()
        fake = self.generator(self.generator.latents(len(real)))  # 4. fresh latents, fresh samples
        real_scores = self.discriminator(real) if self.loss.needs_real_scores else None
        fake_scores = self.discriminator(fake)  # 5. what does the new discriminator say of them?
        yield Move("generator", self.loss.generator(fake_scores, real_scores))  # 6. the generator learns to fool it

    def discriminator_move(self, real: Tensor, fake: Tensor) -> Move:
        """real, fake (N, *sample_shape) -> the discriminator's move: the loss, plus every penalty on the shelf."""
        real_scores, fake_scores = self.scores(real, fake)
        loss = self.loss.discriminator(real_scores, fake_scores)
        for regularizer in self.rules():
            penalty = regularizer.penalty(self.discriminator, real, fake)
            loss = loss if penalty is None else loss + penalty
        return Move("discriminator", loss, self.said(real_scores.detach(), fake_scores.detach()))

    def said(self, real_scores: Tensor, fake_scores: Tensor) -> Mapping[str, Tensor]:
        """What a discriminator's move logs of its detached scores: D(x), D(G(z)), and what the loss makes of them."""
        shown = {"d_real": real_scores.sigmoid().mean(), "d_fake": fake_scores.sigmoid().mean()}
        return {**self.loss.metrics(real_scores, fake_scores), **shown}

    def scores(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's scores of both, in one pass where it looks at each sample by itself."""
        if getattr(self.discriminator, "per_sample", False) and len(real) == len(fake):
            real_scores, fake_scores = self.discriminator(torch.cat((real, fake))).chunk(2)
            return real_scores, fake_scores
        return self.discriminator(real), self.discriminator(fake)

    def constrain(self) -> None:
        """Applies what holds the discriminator's weights in bounds, right after its step."""
        for regularizer in self.rules():
            regularizer.constrain(self.discriminator)

    def rules(self) -> tuple[Regularizer, ...]:
        """The regularizers, as what they are (a ModuleList only knows that they are modules)."""
        return tuple(rule for rule in self.regularizers if isinstance(rule, Regularizer))

    @torch.no_grad()
    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """n samples (n, *sample_shape) of the generator, from fresh latents."""
        samples: Tensor = self.generator(self.generator.latents(n))
        return samples

    def preview(self, batch: Batch) -> Mapping[str, Tensor]:
        """As many samples as the batch has real ones."""
        return {"samples": self.sample(len(batch["image"]))}
