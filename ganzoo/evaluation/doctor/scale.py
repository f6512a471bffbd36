"""What the numbers that a loss logs are worth: scores have no unit, and each loss has its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from ganzoo.core.interfaces import Loss

SCORES = [
    sign * size for size in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 100.0) for sign in (1, -1)
]
"""Scores that a discriminator might give: dense where losses bend, and far enough out for those that flatten there."""

FAR = 1000.0
"""A loss that still falls between the farthest of them and this has no bottom."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Two marks on a discriminator's loss, found by asking the loss itself, whichever plugin it is from.

    guessing: the least it costs to give real and generated samples the same score (log 2 for the first GAN's, 2 for the
    hinge loss, 1/4 for least squares); winning: the least it can cost at all.
    """

    guessing: float
    winning: float

    def standing(self, loss: float) -> float:
        """Where a discriminator stands: 0 where it wins as far as it can, 1 where it might as well guess."""
        return (loss - self.winning) / (self.guessing - self.winning)


def scale_of(loss: Loss) -> Scale | None:
    """The scale of a loss; None where it has no bottom, as a critic's (which is meant to win: arXiv:1701.07875, Section
    3), or is no function of two scores.
    """
    try:
        guessing = min(cost(loss, score, score) for score in SCORES)
        winning = min(cost(loss, real, fake) for real, fake in product(SCORES, SCORES))
        beyond = min(cost(loss, FAR, -FAR), cost(loss, -FAR, FAR))
    except Exception:  # a plugin's loss may ask for more than scores; it then has no scale
        return None
    bottomless = beyond < winning - 1.0
    return None if bottomless or not winning < guessing else Scale(guessing, winning)


def cost(loss: Loss, real: float, fake: float) -> float:
    """What a discriminator pays that gives those two scores."""
    return loss.discriminator(torch.tensor([real]), torch.tensor([fake])).item()


def passed_on(loss: Loss, d_real: float, d_fake: float) -> float | None:
    """How much of its gradient a loss passes on to a generator whose samples get D(G(z)) = d_fake, against what it
    passes on where D is 1/2: for -log D(G(z)) 2 (1 - D), for log(1 - D(G(z))) 2 D. None where it cannot be told.
    """
    try:
        now, even = slope(loss, logit(d_real), logit(d_fake)), slope(loss, torch.zeros(1), torch.zeros(1))
    except Exception:
        return None
    return now / even if even > 0 else None


def slope(loss: Loss, real: Tensor, fake: Tensor) -> float:
    """The size of the derivative of the generator's loss by the score of its samples."""
    with torch.enable_grad():
        score = fake.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss.generator(score, real), score)
    return float(gradient.abs().sum())


def logit(probability: float) -> Tensor:
    """The score (1,) behind a probability, kept finite."""
    return torch.tensor([probability]).clamp(1e-7, 1 - 1e-7).logit()
