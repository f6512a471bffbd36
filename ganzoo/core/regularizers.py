"""What keeps a discriminator in bounds: penalties on its gradient, and weight clipping.

A penalty is computed in float32 with autocast off, since it differentiates a gradient. It looks at each sample's own
score; where a discriminator gives several, at the mean of its patches and the sum of its scales, as the losses do.
Batch statistics in the network
would mix the samples' gradients: use layer or instance norm there (arXiv:1704.00028, Section 4).
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ganzoo.core.interfaces import Regularizer
from ganzoo.core.losses import full_precision
from ganzoo.core.noise import joint
from ganzoo.core.scores import scales
from ganzoo.errors import GanzooError

Weight = Annotated[float, Interval(ge=0.0, le=1e6)]
Every = Annotated[int, Interval(ge=1, le=2**20)]


class LazyPenalty(Regularizer):
    """A penalty that is computed at every k-th move of its player and then counts k-fold.

    Over k moves the sum of gradients is the same, at a fraction of the price (StyleGAN2, arXiv:1912.04958, Appendix B).
    Under plain gradient descent so is the pull. Adam and RMSprop divide a gradient by a running root mean square that
    it raised itself: the one large gradient is divided by more than those between, and a lazy penalty does not pull as
    one at every move does (docs/theory.md has figures). The first move has it. Implement `of`.

    weight: the paper's factor; every: k.
    """

    def __init__(self, weight: float, every: int) -> None:
        super().__init__()
        self.weight = weight
        self.every = every
        self.calls = 0  # since the last penalty; no buffer, which would have to be fetched from the GPU at every move

    @abstractmethod
    def of(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty of weight 1, a scalar. real, fake: detached, float32 or more."""

    def penalty(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        """The penalty times weight and `every` at every k-th call, and None at those between."""
        due = self.calls == 0
        self.calls = (self.calls + 1) % self.every  # it comes back to where it was, so that a captured round does
        if not due or self.weight == 0.0:
            return None
        with without_autocast(real.device):
            return (self.weight * self.every) * self.of(network, full_precision(real), full_precision(fake))

    def get_extra_state(self) -> Tensor:
        """The count of calls since the last penalty, as checkpoints keep it."""
        return torch.tensor(self.calls, dtype=torch.int64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """The inverse of `get_extra_state`."""
        self.calls = int(state) % self.every


class GradientPenalty(LazyPenalty):
    """The gradient penalty of WGAN-GP (Gulrajani et al., 2017, arXiv:1704.00028), Eq. 3.

    weight * E[(||grad D(x)|| - 1)^2], x drawn uniformly on the line between a real and a generated sample, the norm
    taken over all of a sample's dimensions. Real and fake batches have one shape.

    weight: the paper's lambda.
    one_sided: punish only norms above 1 (WGAN-LP, Petzka et al., 2018, arXiv:1709.08894).
    every: computed at every so many moves, and counted as many times.
    """

    def __init__(self, *, weight: Weight = 10.0, one_sided: bool = False, every: Every = 1) -> None:
        super().__init__(weight, every)
        self.one_sided = one_sided

    def of(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """E[(||grad D(x)|| - 1)^2] between real and fake. Raises: GanzooError where their shapes differ."""
        if real.shape != fake.shape:
            raise GanzooError(
                f"gradient-penalty looks between pairs of samples: real ones are {tuple(real.shape)}, generated ones "
                f"{tuple(fake.shape)}.",
                remedy="In the game's play: give it as many generated samples as real ones, of one shape.",
            )
        one_a_sample = [1] * len(real.shape[1:])
        share = joint(torch.rand, len(real), *one_a_sample, dtype=real.dtype, device=real.device)
        between = torch.lerp(fake, real, share)  # share of the real sample, one number for each sample
        norms: Tensor = torch.linalg.vector_norm(gradient(network, between).flatten(1), dim=1)
        excess = norms - 1.0
        if self.one_sided:
            excess = excess.relu()
        return excess.square().mean()


class R1(LazyPenalty):
    """The R1 penalty of Mescheder et al. (2018, arXiv:1801.04406), Eq. 9, on real samples.

    weight / 2 * E[||grad D(x)||^2], D being the score: where the data are, the discriminator shall be flat.
    The paper's losses sum the two cross-entropies where `minimax` and `non-saturating` take their mean: beside these
    two, half of a published gamma is the same balance. Beside `relativistic` and `hinge` it is the same number.

    weight: the paper's gamma; every: computed at every so many moves, and counted as many times.
    """

    def __init__(self, *, weight: Weight = 10.0, every: Every = 1) -> None:
        super().__init__(weight, every)

    def of(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """1/2 E[||grad D(x)||^2] over real samples."""
        return half_square_gradient(network, real)


class R2(LazyPenalty):
    """The R2 penalty of Mescheder et al. (2018, arXiv:1801.04406), Eq. 10: R1, on generated samples.

    weight: the paper's gamma, beside `minimax` and `non-saturating` half of it (see R1); every: computed at every so
    many moves, and counted as many times.
    """

    def __init__(self, *, weight: Weight = 10.0, every: Every = 1) -> None:
        super().__init__(weight, every)

    def of(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """1/2 E[||grad D(x)||^2] over generated samples."""
        return half_square_gradient(network, fake)


class WeightClip(Regularizer):
    """Weight clipping of WGAN (Arjovsky et al., 2017, arXiv:1701.07875), Algorithm 1, line 7: after each critic step.

    limit: every parameter of the critic is brought back into [-limit, limit]; the paper's c.
    """

    def __init__(self, *, limit: Annotated[float, Interval(gt=0.0, le=1e6)] = 0.01) -> None:
        super().__init__()
        self.limit = limit

    @torch.no_grad()
    def constrain(self, network: nn.Module) -> None:
        """Clamps all parameters of `network` in place, in two kernels."""
        parameters: list[Tensor] = list(network.parameters())
        torch._foreach_clamp_min_(parameters, -self.limit)
        torch._foreach_clamp_max_(parameters, self.limit)


def half_square_gradient(network: nn.Module, samples: Tensor) -> Tensor:
    """1/2 E[||grad D(x)||^2] over `samples` (N, ...)."""
    return gradient(network, samples).square().sum() * (0.5 / len(samples))


def gradient(network: nn.Module, samples: Tensor) -> Tensor:
    """The gradient of each sample's score by the sample, with the samples' shape, itself differentiable."""
    samples = samples.detach().requires_grad_()
    # a sample's score is the mean of its patches', and the sum of its scales'
    each = [scores.sum() * (len(samples) / scores.numel()) for scores in scales(network(samples))]
    (slope,) = torch.autograd.grad(sum(each[1:], start=each[0]), samples, create_graph=True)
    return slope


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which nothing on `device` runs under autocast."""
    if not torch.amp.is_autocast_available(device.type):  # the meta device has none, and refuses to be told so
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
