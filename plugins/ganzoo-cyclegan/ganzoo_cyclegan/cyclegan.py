"""The game of CycleGAN (Zhu et al., 2017, arXiv:1703.10593): two translators that undo each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganzoo import Batch, Draw, Game, Move, OptionError, Parts, PlayerRole, Preview
from ganzoo_cyclegan.pool import ImagePool

Weight = Annotated[float, Interval(ge=0.0, le=1e6)]


class CycleGAN(Game):
    """G translates a to b, F b to a; D_A and D_B tell real from translated; what comes back should be what went.

    The generators G and F are one player, the discriminators D_A and D_B the other: their losses are sums, so that this
    is the same as a player each.

    adversarial: weight of the two adversarial terms. 2 is the paper's objective with `least-squares`, which carries the
        factor 1/2 of LSGAN (arXiv:1611.04076, Eq. 9) that the generators' part of CycleGAN's loss has not.
    cycle: the paper's lambda (Eq. 3), weight of |F(G(a)) - a| + |G(F(b)) - b|.
    identity: weight of |G(b) - b| + |F(a) - a| as a share of `cycle` (Section 5.2): half of it keeps colours in
        photographs and paintings. It needs domains of one shape.
    pool: how many translated images the discriminators are shown again (Section 4).
    Raises: OptionError for an identity term between domains of different shapes.
    """

    needs = ("a", "b")
    directions = ("a2b", "b2a")

    def __init__(
        self,
        parts: Parts,
        *,
        adversarial: Weight = 2.0,
        cycle: Weight = 10.0,
        identity: Weight = 0.5,
        pool: Annotated[int, Interval(ge=0, le=10_000)] = 50,
    ) -> None:
        super().__init__()
        a, b = parts.shapes["a"], parts.shapes["b"]
        if identity and a != b:
            raise OptionError(
                f"the identity term needs domains of one shape, and these are a {a} and b {b}.",
                remedy="Set game.identity = 0.0, or dataset.channels.",
            )
        self.a2b = parts.translator(sample_shape=b, input_shape=a)
        self.b2a = parts.translator(sample_shape=a, input_shape=b)
        self.judge_a, self.judge_b = parts.discriminator(sample_shape=a), parts.discriminator(sample_shape=b)
        self.pool_a, self.pool_b = ImagePool(pool, a), ImagePool(pool, b)
        self.loss = parts.loss()
        self.adversarial, self.cycle, self.identity = adversarial, cycle, identity

    def players(self) -> Mapping[str, nn.Module]:
        """Both discriminators, and both generators."""
        return {
            "discriminators": nn.ModuleDict({"a": self.judge_a, "b": self.judge_b}),
            "generators": nn.ModuleDict({"a2b": self.a2b, "b2a": self.b2a}),
        }

    def roles(self) -> Mapping[str, PlayerRole]:
        """Which is which; the discriminators' loss is the sum of two adversarial ones, of D_A and of D_B."""
        return {
            "discriminators": PlayerRole("discriminator", losses=2),
            "generators": PlayerRole("generator", losses=2),
        }

    def play(self, draw: Draw) -> Iterator[Move]:
        """The discriminators learn from the pool; then the generators, which made its newest images, from them."""
        batch = draw()
        a, b = batch["a"], batch["b"]
        fake_b, fake_a = self.a2b(a), self.b2a(b)  # they stand still during the first move: these serve both
        yield self.discriminators_move(a, b, self.pool_a(fake_a), self.pool_b(fake_b))
        yield self.generators_move(a, b, fake_a, fake_b)

    def discriminators_move(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Move:
        """Each tells the real images of its domain from translated ones."""
        real_a, real_b = self.judge_a(a), self.judge_b(b)
        seen_a, seen_b = self.judge_a(fake_a), self.judge_b(fake_b)
        loss = self.loss.discriminator(real_a, seen_a) + self.loss.discriminator(real_b, seen_b)
        return Move("discriminators", loss, {"d_real": chance(real_a, real_b), "d_fake": chance(seen_a, seen_b)})

    def generators_move(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Move:
        """Both fool the discriminators, bring back what the other one made, and leave alone what needs no change."""
        real_a, real_b = (self.judge_a(a), self.judge_b(b)) if self.loss.needs_real_scores else (None, None)
        fooled = self.loss.generator(self.judge_a(fake_a), real_a) + self.loss.generator(self.judge_b(fake_b), real_b)
        returned = l1_loss(self.b2a(fake_b), a) + l1_loss(self.a2b(fake_a), b)
        loss = self.adversarial * fooled + self.cycle * returned
        said = {"fool": fooled.detach(), "cycle": returned.detach()}
        if self.identity:
            kept = l1_loss(self.a2b(b), b) + l1_loss(self.b2a(a), a)
            loss = loss + self.cycle * self.identity * kept
            said["identity"] = kept.detach()
        return Move("generators", loss, said)

    @torch.no_grad()
    def translate(self, images: Tensor, direction: str) -> Tensor:
        """Images (n, C, H, W) of one domain -> the same in the other."""
        made: Tensor = (self.a2b if direction == "a2b" else self.b2a)(images)
        return made

    @torch.no_grad()
    def preview(self, batch: Batch) -> Mapping[str, Preview]:
        """Threes: A, G(A), F(G(A)), and B, F(B), G(F(B))."""
        a, b = batch["a"], batch["b"]
        fake_b, fake_a = self.a2b(a), self.b2a(b)
        return {"a2b": beside(a, fake_b, self.b2a(fake_b)), "b2a": beside(b, fake_a, self.a2b(fake_a))}


def chance(*scores: Tensor) -> Tensor:
    """The mean chance of being real that several discriminators' scores stand for, as contracts have it."""
    return torch.stack([each.detach().sigmoid().mean() for each in scores]).mean()


def beside(*pictures: Tensor) -> Preview:
    """Grey and coloured images of one size, k times (n, C, H, W) -> a grid in which the k-ths stand side by side."""
    channels = max(images.shape[1] for images in pictures)
    together = torch.stack([images.expand(-1, channels, -1, -1) for images in pictures], dim=1)
    n, k = together.shape[:2]
    return Preview(together.flatten(0, 1), columns=k * max(1, round(math.sqrt(n / k))))
