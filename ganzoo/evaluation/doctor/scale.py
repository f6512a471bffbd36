"""A scale for the values of a discriminator's loss, which differ between loss functions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from ganzoo.core.interfaces import Loss

TEST_SCORES = [
    sign * size for size in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 100.0) for sign in (1, -1)
]
"""Scores at which losses are evaluated: dense where they curve, and large enough for those that saturate."""

EXTREME_SCORE = 1000.0
"""A loss that still falls between the largest test score and this one counts as unbounded."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Two reference values of a discriminator's loss, found by evaluating the loss function.

    guessing: the smallest loss with equal scores for real and generated samples (log 2 for the original GAN, 2 for the
    hinge loss, 1/4 for least squares); winning: the smallest loss with any scores.
    """

    guessing: float
    winning: float

    @property
    def unit(self) -> float:
        """What guessing costs, above the smallest loss."""
        return self.guessing - self.winning

    def normalised(self, loss: float) -> float:
        """The loss relative to the scale: 0 for a perfect discriminator, 1 for guessing."""
        return (loss - self.winning) / self.unit


def scale_of(loss: Loss) -> Scale | None:
    """The scale of a loss; None if it is unbounded below, as a critic's (arXiv:1701.07875, Section 3), or not a
    function of two scores.
    """
    try:
        guessing = min(discriminator_loss(loss, score, score) for score in TEST_SCORES)
        winning = min(discriminator_loss(loss, real, fake) for real, fake in product(TEST_SCORES, TEST_SCORES))
        beyond = min(
            discriminator_loss(loss, EXTREME_SCORE, -EXTREME_SCORE),
            discriminator_loss(loss, -EXTREME_SCORE, EXTREME_SCORE),
        )
    except Exception:  # a plugin's loss may need more than scores
        return None
    unbounded = beyond < winning - 1.0
    return None if unbounded or not winning < guessing else Scale(guessing, winning)


def discriminator_loss(loss: Loss, real: float, fake: float) -> float:
    """The discriminator's loss with these two scores."""
    return loss.discriminator(torch.tensor([real]), torch.tensor([fake])).item()


def relative_gradient(loss: Loss, d_real: float, d_fake: float) -> float | None:
    """The gradient of the generator's loss by the score at D(G(z)) = d_fake, relative to that at D = 1/2.

    2 (1 - D) for -log D(G(z)), 2 D for log(1 - D(G(z))). None if it cannot be computed.
    """
    try:
        now, even = (
            gradient_size(loss, logit(d_real), logit(d_fake)),
            gradient_size(loss, torch.zeros(1), torch.zeros(1)),
        )
    except Exception:
        return None
    return now / even if even > 0 else None


def gradient_size(loss: Loss, real: Tensor, fake: Tensor) -> float:
    """The absolute derivative of the generator's loss by the score of its samples."""
    with torch.enable_grad():
        score = fake.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss.generator(score, real), score)
    return float(gradient.abs().sum())


def logit(probability: float) -> Tensor:
    """The score (1,) of a probability, which is clamped to keep it finite."""
    return torch.tensor([probability]).clamp(1e-7, 1 - 1e-7).logit()
