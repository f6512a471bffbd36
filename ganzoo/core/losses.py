"""The objectives of the papers, as functions of the discriminator's scores.

A score is a logit, D(x) = sigmoid(score), so log D(x) = -softplus(-score) and log(1 - D(x)) = -softplus(score): no
sigmoid is ever taken before a logarithm, and value and gradient stay finite however sure the discriminator is.
Each function takes scores of any shape, returns the mean over all of them, and computes in float32 (float64 if the
scores are), under autocast too. docs/theory.md has every formula with its value at equilibrium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganzoo.core.interfaces import Loss
from ganzoo.errors import GanzooError, OptionError

Target = Annotated[float, Interval(ge=-100.0, le=100.0)]


class Minimax(Loss):
    """The original game of Goodfellow et al. (2014, arXiv:1406.2661), Eq. 1, in which the generator's loss saturates.

    V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))]. The discriminator minimises -V / 2, the mean of its two
    cross-entropies: log 2 where real and generated samples cannot be told apart, and then V = -2 * loss = -log 4
    (Theorem 1). The generator minimises E[log(1 - D(G(z)))], whose gradient fades while the discriminator wins.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """-V / 2."""
        return cross_entropy(real, fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """E[log(1 - D(G(z)))], at most 0; -log 2 at equilibrium."""
        return -softplus(full_precision(fake)).mean()


class NonSaturating(Loss):
    """The game that Goodfellow et al. (2014, arXiv:1406.2661), Section 3, advise: the generator maximises log D(G(z)).

    The discriminator's loss is that of `Minimax`, log 2 at equilibrium; the generator's is -E[log D(G(z))], whose
    gradient is strong where the discriminator wins.

    label_smoothing: the share s by which the target of real samples falls short of 1, on that side alone (Salimans et
        al., 2016, arXiv:1606.03498, Section 3.4); the optimal D(x) then is (1 - s) p_data / (p_data + p_g).
    """

    def __init__(self, *, label_smoothing: Annotated[float, Interval(ge=0.0, lt=0.5)] = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """The mean of the cross-entropies of real and generated samples."""
        loss = cross_entropy(real, fake)
        if self.label_smoothing:
            # (1 - s) softplus(-r) + s softplus(r) = softplus(-r) + s r
            loss = loss + (0.5 * self.label_smoothing) * full_precision(real).mean()
        return loss

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-E[log D(G(z))], at least 0; log 2 at equilibrium."""
        return softplus(-full_precision(fake)).mean()


class LeastSquares(Loss):
    """LSGAN (Mao et al., 2017, arXiv:1611.04076), Eq. 2; the defaults are its 0-1 coding, Eq. 9.

    The scores themselves, without a sigmoid, are regressed on a for generated and b for real samples; the generator
    wants its samples to score c. With a = -1, b = 1, c = 0 the generator minimises Pearson's chi-squared divergence
    (Eq. 8). At equilibrium the best score is (a + b) / 2, which costs (b - a)^2 / 4: a quarter in the 0-1 coding.

    a: target of generated samples; b: of real ones; c: what the generator wants of its samples.
    Raises: OptionError if a equals b (nothing to tell apart) or c (nothing for the generator to mend).
    """

    def __init__(self, *, a: Target = 0.0, b: Target = 1.0, c: Target = 1.0) -> None:
        if a in (b, c):
            raise OptionError(
                f"least-squares: the target a = {a} of generated samples must differ from b = {b} and from c = {c}.",
                remedy="The paper uses a = 0, b = 1, c = 1, or a = -1, b = 1, c = 0.",
            )
        self.a, self.b, self.c = a, b, c

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]."""
        return half_square_error(real, self.b) + half_square_error(fake, self.a)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """1/2 E[(D(G(z)) - c)^2]."""
        return half_square_error(fake, self.c)


class Hinge(Loss):
    """The hinge loss of Geometric GAN (Lim and Ye, 2017, arXiv:1705.02894), as SNGAN (arXiv:1802.05957) uses it, too.

    The discriminator minimises E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], scores being D itself: past the margin of
    1 a sample no longer pulls. At equilibrium every constant score in [-1, 1] is best and costs 2.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], at least 0."""
        return relu(1.0 - full_precision(real)).mean() + relu(1.0 + full_precision(fake)).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-E[D(G(z))]."""
        return -full_precision(fake).mean()


class Wasserstein(Loss):
    """WGAN (Arjovsky et al., 2017, arXiv:1701.07875), Eq. 2 and Algorithm 1: the critic estimates a distance.

    The critic minimises E[f(G(z))] - E[f(x)]; minus that is the Wasserstein-1 distance, up to a factor, if f is kept
    Lipschitz: put `weight-clip` (the paper's way) or `gradient-penalty` beside it. 0 at equilibrium. The estimate is
    logged as "wasserstein", without the penalty that is a part of the logged loss.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[f(G(z))] - E[f(x)]."""
        return full_precision(fake).mean() - full_precision(real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-E[f(G(z))]."""
        return -full_precision(fake).mean()

    def metrics(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """The estimate E[f(x)] - E[f(G(z))], which falls as samples get better (Section 3): "wasserstein"."""
        return {"wasserstein": -self.discriminator(real, fake)}


class Relativistic(Loss):
    """The relativistic pairing loss, RSGAN (Jolicoeur-Martineau, 2018, arXiv:1807.00734), that R3GAN builds on.

    The k-th real and the k-th generated sample of a batch are a pair, and only their difference counts: the
    discriminator wants the real one to score higher, the generator wants the opposite. Both losses are log 2 at
    equilibrium.

    Real and fake scores have one shape. Raises: GanzooError where they have not: of (4,) and (4, 1) torch would compare
    each with each, which is another loss.
    """

    needs_real_scores = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """-E[log sigmoid(D(x) - D(G(z)))]."""
        check_paired(real, fake)
        return softplus(full_precision(fake) - full_precision(real)).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """-E[log sigmoid(D(G(z)) - D(x))]. Raises: GanzooError where the game gave no real scores."""
        if real is None:
            raise GanzooError(
                "a relativistic loss compares generated samples with real ones, and the game gave it no real scores.",
                remedy="In the game's play: loss.generator(fake_scores, real_scores) where loss.needs_real_scores.",
            )
        check_paired(real, fake)
        return softplus(full_precision(real) - full_precision(fake)).mean()


def check_paired(real: Tensor, fake: Tensor) -> None:
    """Raises: GanzooError unless scores that are compared pair by pair have one shape."""
    if real.shape != fake.shape:
        raise GanzooError(
            f"a relativistic loss compares scores pair by pair: real ones are {tuple(real.shape)}, fake ones "
            f"{tuple(fake.shape)}.",
            remedy="In the game's play: score as many generated samples as real ones, by the same discriminator.",
        )


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """The mean of E[-log D(x)] and E[-log(1 - D(G(z)))]: what telling real from generated costs, in nats a sample."""
    return 0.5 * (softplus(-full_precision(real)).mean() + softplus(full_precision(fake)).mean())


def half_square_error(scores: Tensor, target: float) -> Tensor:
    """1/2 E[(score - target)^2]."""
    return 0.5 * (full_precision(scores) - target).square().mean()


def full_precision(values: Tensor) -> Tensor:
    """The same values in float32 or more: bfloat16, as networks give it under autocast, is too coarse."""
    return values if values.dtype == torch.float64 else values.float()
