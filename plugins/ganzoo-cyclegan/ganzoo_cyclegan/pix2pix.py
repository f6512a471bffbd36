"""The game of pix2pix (Isola et al., 2017, arXiv:1611.07004): a conditional GAN that learns from pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganzoo import Batch, Draw, Game, Move, OptionError, Parts, PlayerRole, Preview
from ganzoo_cyclegan.cyclegan import Weight, beside, chance


class Pix2Pix(Game):
    """The generator translates; the discriminator sees what was given beside what was made of it, or the true answer.

    direction: what is given and what is to be made: "a2b" or "b2a".
    l1: the paper's lambda (Eq. 4), weight of the distance to the true answer.
    Raises: OptionError for domains of different sizes.
    """

    needs = ("a", "b")
    directions: ClassVar[tuple[str, ...]] = ("a2b", "b2a")

    def __init__(self, parts: Parts, *, direction: Literal["a2b", "b2a"] = "a2b", l1: Weight = 100.0) -> None:
        super().__init__()
        self.directions = (direction,)  # type: ignore[misc]  # a run learns one of the two
        self.given, self.wanted = direction.split("2")
        given, wanted = parts.shapes[self.given], parts.shapes[self.wanted]
        self.generator = parts.translator(sample_shape=wanted, input_shape=given)
        if given[1:] != wanted[1:]:
            raise OptionError(f"pix2pix lays both images on each other, and these are {given} and {wanted}.")
        self.discriminator = parts.discriminator(sample_shape=(given[0] + wanted[0], *given[1:]))
        self.loss = parts.loss()
        self.l1 = l1

    def players(self) -> Mapping[str, nn.Module]:
        """The discriminator and the generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def roles(self) -> Mapping[str, PlayerRole]:
        """Which is which, and that the generator's loss is an adversarial one and a distance."""
        return {"discriminator": PlayerRole("discriminator"), "generator": PlayerRole("generator")}

    def play(self, draw: Draw) -> Iterator[Move]:
        """One step on the discriminator, then one on the generator (Section 3.3)."""
        batch = draw()
        given, wanted = batch[self.given], batch[self.wanted]
        made = self.generator(given)  # it stands still during the first move: this serves both
        yield self.discriminator_move(given, wanted, made.detach())
        yield self.generator_move(given, wanted, made)

    def discriminator_move(self, given: Tensor, wanted: Tensor, made: Tensor) -> Move:
        """It tells the true answers from those that were made."""
        real, fake = self.judge(given, wanted), self.judge(given, made)
        return Move(
            "discriminator", self.loss.discriminator(real, fake), {"d_real": chance(real), "d_fake": chance(fake)}
        )

    def generator_move(self, given: Tensor, wanted: Tensor, made: Tensor) -> Move:
        """It fools the discriminator, and stays near the true answer (Eq. 4)."""
        real = self.judge(given, wanted) if self.loss.needs_real_scores else None
        fooled, distance = self.loss.generator(self.judge(given, made), real), l1_loss(made, wanted)
        return Move("generator", fooled + self.l1 * distance, {"fool": fooled.detach(), "l1": distance.detach()})

    def judge(self, given: Tensor, answer: Tensor) -> Tensor:
        """The discriminator's scores of an answer, beside what was given."""
        scores: Tensor = self.discriminator(torch.cat((given, answer), dim=1))
        return scores

    @torch.no_grad()
    def translate(self, images: Tensor, direction: str) -> Tensor:
        """Images (n, C, H, W) of one domain -> the same in the other."""
        made: Tensor = self.generator(images)
        return made

    @torch.no_grad()
    def preview(self, batch: Batch) -> Mapping[str, Preview]:
        """Threes: what is given, what is made of it, the true answer."""
        given, wanted = batch[self.given], batch[self.wanted]
        return {self.directions[0]: beside(given, self.generator(given), wanted)}
