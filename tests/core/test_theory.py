"""What the papers prove, on densities that are known: the optimal discriminator, the equilibrium, the divergences.

The statistical bounds are worked out here, before anything is trained. A discriminator of 1-D samples with the logit
w . phi(x), phi(x) = (1, x, x^2), holds the optimal one for any two normal densities, since log p_data / p_g is then a
polynomial of degree 2. Trained to the minimum of our discriminator loss on n real and n generated samples, w is the
maximum-likelihood estimate of a logistic regression on 2n samples (our loss is the mean of both cross-entropies, hence
the mean negative log-likelihood over the 2n). With H = E[D*(1 - D*) phi phi^T], expected under (p_data + p_g) / 2, and
delta = w - w*:

 (1) 2n delta^T H delta is chi-squared with 3 degrees of freedom as n grows (drawing equally many of both kinds, not a
     coin for each, only makes the constant term more certain). It exceeds Q = 30.66 once in a million times.
 (2) The sigmoid changes by at most 1/4 of its argument, and by Cauchy-Schwarz |phi(x) . delta| is at most
     sqrt(phi(x)^T H^-1 phi(x)) sqrt(delta^T H delta). So for all x at once

         |D(x) - D*(x)| <= 1/4 sqrt(phi(x)^T H^-1 phi(x)) sqrt(Q / 2n) * SLACK.

 (3) SLACK = 2 pays for n being finite: the loss is self-concordant, so that its curvature between w* and w is at least
     exp(-R) times that at w*, R being the largest |phi . delta| on the samples, and the curvature on the samples is
     within a few per cent of H. exp(R) <= 2 up to R = 0.69; the test looks at R.
 (4) Where p_g = p_data, w* = 0 and the loss at w* is log 2 exactly. Twice the log-likelihood ratio,
     2 * 2n (log 2 - loss(w)), is chi-squared with 3 degrees of freedom (Wilks), so 0 <= log 2 - loss(w) <= Q / 4n.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import integrate, stats
from torch import Tensor, nn

from ganzoo.core.interfaces import Loss
from ganzoo.core.losses import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein
from ganzoo.core.optimizers import adam
from ganzoo.core.regularizers import R1
from ganzoo.core.schedules import Cosine

Q = float(stats.chi2.isf(1e-6, df=3))
SLACK = 2.0
N = 50_000
Normal = tuple[float, float]  # mean, standard deviation
Array = NDArray[np.float64]


class Quadratic(nn.Module):
    """Scores w . (1, x, x^2) of samples (N, 1)."""

    def __init__(self, start: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, samples: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(samples), samples, samples**2], dim=1) @ self.weight


def draw(normal: Normal, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return normal[0] + normal[1] * torch.randn(N, 1, generator=random, dtype=torch.float64)


def quantiles(normal: Normal, n: int = 200_001) -> Tensor:
    """n points (n, 1) that stand for the density: the mean over them is an integral, without chance."""
    return torch.from_numpy(stats.norm(*normal).ppf((np.arange(n) + 0.5) / n))[:, None]


def optimal_weight(data: Normal, generated: Normal) -> Tensor:
    """w* of (1, x, x^2): log p_data(x) - log p_g(x)."""
    (m, s), (g, t) = data, generated
    constant = math.log(t / s) - m**2 / (2 * s**2) + g**2 / (2 * t**2)
    return torch.tensor([constant, m / s**2 - g / t**2, 1 / (2 * t**2) - 1 / (2 * s**2)], dtype=torch.float64)


def optimal(data: Normal, generated: Normal, x: Array) -> Array:
    """D*(x), Eq. 2 of arXiv:1406.2661, from the densities themselves."""
    p_data, p_g = stats.norm(*data).pdf(x), stats.norm(*generated).pdf(x)
    return np.asarray(p_data / (p_data + p_g))


def curvature(data: Normal, generated: Normal) -> Array:
    """H of (1), by quadrature."""

    def entry(x: float, i: int, j: int) -> float:
        p_data, p_g = stats.norm.pdf(x, *data), stats.norm.pdf(x, *generated)
        return float(p_data * p_g / (2 * (p_data + p_g)) * x ** (i + j))  # D*(1 - D*)(p_data + p_g) / 2

    return np.array([[integrate.quad(entry, -12, 12, args=(i, j), limit=200)[0] for j in range(3)] for i in range(3)])


def jensen_shannon(data: Normal, generated: Normal) -> float:
    """JSD(p_data || p_g) in nats, by quadrature."""

    def density(x: float) -> float:
        p, q = stats.norm.pdf(x, *data), stats.norm.pdf(x, *generated)
        middle = (p + q) / 2
        return float((p * math.log(p / middle) + q * math.log(q / middle)) / 2)

    return float(integrate.quad(density, -12, 12, limit=200)[0])


def train(discriminator: nn.Module, loss: Loss, real: Tensor, fake: Tensor, steps: int = 300) -> Tensor:
    """Adam on the whole sample with a falling rate. Returns the gradient at the end: what is left to train."""
    optimizer, schedule = adam(discriminator.parameters(), lr=0.05, betas=(0.9, 0.99)), Cosine()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.05 * schedule(step / steps)
        optimizer.zero_grad()
        loss.discriminator(discriminator(real), discriminator(fake)).backward()
        optimizer.step()
    weight = next(discriminator.parameters())
    (gradient,) = torch.autograd.grad(loss.discriminator(discriminator(real), discriminator(fake)), weight)
    return gradient


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
@pytest.mark.parametrize(
    ("data", "generated"),
    [((1.0, 1.0), (0.0, 1.0)), ((0.0, 0.7), (0.5, 1.0)), ((-0.5, 1.0), (-0.5, 1.0))],
    ids=["shifted", "narrower", "equal"],
)
def test_a_trained_discriminator_approaches_the_ratio_of_densities(loss: Loss, data: Normal, generated: Normal) -> None:
    real, fake = draw(data, seed=1), draw(generated, seed=2)
    discriminator = Quadratic(start=(1.0, -1.0, 0.3))
    h, w_star = curvature(data, generated), optimal_weight(data, generated)
    gradient = train(discriminator, loss, real, fake).numpy()
    # What training left undone, in the same units as (1): nothing beside Q.
    assert 2 * N * gradient @ np.linalg.solve(h, gradient) < 1e-3 * Q

    x = np.linspace(min(data[0], generated[0]) - 3, max(data[0], generated[0]) + 3, 201)
    phi = np.stack([np.ones_like(x), x, x**2], axis=1)
    reach = np.sqrt(np.einsum("ni,ij,nj->n", phi, np.linalg.inv(h), phi))
    bound = 0.25 * reach * math.sqrt(Q / (2 * N)) * SLACK
    with torch.no_grad():
        found = discriminator(torch.from_numpy(x)[:, None]).sigmoid().numpy()
        everything = torch.cat([real, fake])
        spread = (discriminator(everything) - discriminator_of(w_star)(everything)).abs().max()
    assert spread < 0.69  # (3)
    assert np.all(np.abs(found - optimal(data, generated, x)) <= bound)
    middle = np.abs(x - np.mean([data[0], generated[0]])) < 1
    assert bound[middle].max() < 0.05  # the bound says something: where the samples are, D is known to a few per cent


def discriminator_of(weight: Tensor) -> Quadratic:
    discriminator = Quadratic()
    with torch.no_grad():
        discriminator.weight.copy_(weight)
    return discriminator


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_at_equilibrium_the_loss_approaches_log_2_and_v_minus_log_4(loss: Loss) -> None:
    same = (0.3, 1.2)
    real, fake = draw(same, seed=3), draw(same, seed=4)
    discriminator = Quadratic(start=(1.0, -1.0, 0.3))
    before = loss.discriminator(discriminator(real), discriminator(fake)).item()
    train(discriminator, loss, real, fake)
    after = loss.discriminator(discriminator(real), discriminator(fake)).item()
    assert before > math.log(2) + 0.1
    assert -1e-7 <= math.log(2) - after <= Q / (4 * N)  # (4)
    assert -2 * after == pytest.approx(-math.log(4), abs=Q / (2 * N))


@pytest.mark.parametrize(("data", "generated"), [((1.0, 1.0), (0.0, 1.0)), ((0.0, 0.6), (0.5, 1.0))])
def test_the_optimal_discriminators_v_is_minus_log_4_plus_twice_the_jensen_shannon_divergence(
    data: Normal, generated: Normal
) -> None:
    # Theorem 1 of arXiv:1406.2661; the midpoint rule over 200,001 quantiles is off by less than 1e-4 in the tails.
    best = discriminator_of(optimal_weight(data, generated))
    loss = Minimax().discriminator(best(quantiles(data)), best(quantiles(generated)))
    v = -2 * loss.item()
    assert v == pytest.approx(-math.log(4) + 2 * jensen_shannon(data, generated), abs=1e-4)


def test_any_other_discriminator_costs_at_least_twice_its_mean_squared_error() -> None:
    # The excess loss is the mean Kullback-Leibler divergence of coins D*(x) and D(x), which by Pinsker's inequality is
    # at least 2 (D - D*)^2: this is how a loss near its minimum says that D is near D*.
    data, generated = (1.0, 1.0), (0.0, 1.0)
    real, fake = quantiles(data), quantiles(generated)
    best = discriminator_of(optimal_weight(data, generated))
    least = NonSaturating().discriminator(best(real), best(fake))
    random = torch.Generator().manual_seed(5)
    for _ in range(20):
        other = discriminator_of(best.weight + 0.3 * torch.randn(3, generator=random, dtype=torch.float64))
        excess = NonSaturating().discriminator(other(real), other(fake)) - least
        errors = [(other(x).sigmoid() - best(x).sigmoid()).square().mean() for x in (real, fake)]
        assert excess >= 2 * (errors[0] + errors[1]) / 2 - 1e-5
        assert excess > 0


def test_against_the_optimal_discriminator_the_minimax_generator_descends_the_jensen_shannon_divergence() -> None:
    # C(G) = max_D V = -log 4 + 2 JSD, and at the maximum only V's own dependence on G has a slope (envelope theorem).
    data, shift, step = (1.0, 1.0), 0.2, 1e-3
    best = discriminator_of(optimal_weight(data, (shift, 1.0)))
    theta = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    Minimax().generator(best(theta + quantiles((0.0, 1.0)))).backward()
    rise = jensen_shannon(data, (shift + step, 1.0)) - jensen_shannon(data, (shift - step, 1.0))
    assert theta.grad is not None
    assert theta.grad.item() == pytest.approx(2 * rise / (2 * step), abs=1e-4)


def test_the_non_saturating_generator_has_the_same_fixed_point() -> None:
    # At p_g = p_data the optimal D is 1/2 everywhere: neither generator has anywhere to go.
    best = discriminator_of(optimal_weight((0.4, 1.0), (0.4, 1.0)))
    for loss in (Minimax(), NonSaturating()):
        theta = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
        loss.generator(best(theta + quantiles((0.0, 1.0)))).backward()
        assert theta.grad is not None
        assert abs(theta.grad.item()) < 1e-12


def test_minus_the_best_critics_loss_is_the_wasserstein_distance() -> None:
    # For two normals of one width the best 1-Lipschitz critic is x itself, or -x.
    data, generated = (1.5, 0.8), (0.2, 0.8)
    real, fake = quantiles(data, 4001), quantiles(generated, 4001)
    distance = stats.wasserstein_distance(real[:, 0].numpy(), fake[:, 0].numpy())
    assert -Wasserstein().discriminator(real[:, 0], fake[:, 0]).item() == pytest.approx(distance, rel=1e-9)
    assert distance == pytest.approx(1.3, rel=1e-9)


def test_the_best_least_squares_scores_weigh_the_targets_by_the_densities() -> None:
    # Eq. 5 of arXiv:1611.04076: D* = (b p_data + a p_g) / (p_data + p_g). The loss is quadratic in the scores, so that
    # a vanishing slope in every direction shows the minimum; (1, x, x^2) and D* itself are the directions.
    data, generated = (1.0, 1.0), (0.0, 1.0)
    loss = LeastSquares(a=-1.0, b=2.0, c=2.0)
    points = [quantiles(data)[:, 0], quantiles(generated)[:, 0]]
    ratios = [torch.from_numpy(optimal(data, generated, x.numpy())) for x in points]
    bend = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    scores = [
        2.0 * ratio - 1.0 * (1 - ratio) + torch.stack([torch.ones_like(x), x, x**2, ratio], dim=1) @ bend
        for x, ratio in zip(points, ratios, strict=True)
    ]
    loss.discriminator(*scores).backward()
    assert bend.grad is not None
    assert bend.grad.abs().max() < 1e-3  # the slope of a wrong D*, off by 0.01, is 0.02


@pytest.mark.parametrize(
    ("loss", "best_score", "discriminators", "generators"),
    [
        (Minimax(), 0.0, math.log(2), -math.log(2)),
        (NonSaturating(), 0.0, math.log(2), math.log(2)),
        (LeastSquares(), 0.5, 1 / 4, 1 / 8),
        (LeastSquares(a=-1.0, b=1.0, c=0.0), 0.0, 1.0, 0.0),
        (Hinge(), 0.0, 2.0, 0.0),
        (Wasserstein(), 0.0, 0.0, 0.0),
        (Relativistic(), 0.0, math.log(2), math.log(2)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Loss) else None,
)
def test_each_loss_has_its_value_at_equilibrium_and_no_score_is_better(
    loss: Loss, best_score: float, discriminators: float, generators: float
) -> None:
    same = torch.full((101,), best_score, dtype=torch.float64)
    assert loss.discriminator(same, same).item() == pytest.approx(discriminators, abs=1e-12)
    assert loss.generator(same, same).item() == pytest.approx(generators, abs=1e-12)
    random = torch.Generator().manual_seed(6)
    for _ in range(20):  # real and generated samples are the same, so both get the same scores, whatever they are
        scores = same + torch.randn(101, generator=random, dtype=torch.float64)
        assert loss.discriminator(scores, scores).item() >= discriminators - 1e-12


def simulate(penalty: Callable[[nn.Module, Tensor, Tensor], Tensor | None]) -> float:
    """The Dirac-GAN of arXiv:1801.04406, Section 2: data at 0, a generator at theta, D(x) = psi x. Where theta ends."""
    psi = nn.Linear(1, 1, bias=False).double()
    theta = nn.Parameter(torch.tensor([[0.5]], dtype=torch.float64))
    nn.init.constant_(psi.weight, 0.5)
    loss, zero = NonSaturating(), torch.zeros(1, 1, dtype=torch.float64)
    for _ in range(400):
        discriminators = loss.discriminator(psi(zero), psi(theta.detach()))
        added = penalty(psi, zero, theta.detach())
        (slope,) = torch.autograd.grad(discriminators if added is None else discriminators + added, psi.weight)
        (pull,) = torch.autograd.grad(loss.generator(psi(theta)), theta)
        with torch.no_grad():
            psi.weight -= 0.1 * slope
            theta -= 0.1 * pull
    return math.hypot(theta.item(), psi.weight.item())


def test_r1_makes_the_dirac_gan_converge_which_circles_without_it() -> None:
    # Linearised at the equilibrium, our update is psi' = -theta / 4 - gamma psi, theta' = psi / 2 (our discriminator's
    # loss is half the paper's sum). Without a penalty the eigenvalues are +-0.354 i, and explicit steps of 0.1 grow by
    # sqrt(1 + 0.1^2 / 8) = 1.0006 each: the distance to the equilibrium cannot shrink. With gamma = 0.5 they are
    # -0.25 +- 0.25 i, and 400 steps shrink it by |1 + 0.1 (-0.25 + 0.25 i)|^400 = 4.5e-5.
    start = math.hypot(0.5, 0.5)
    assert simulate(lambda *_: None) > 0.7 * start  # it circles on an ellipse of axes 1 : sqrt(2)
    assert simulate(R1(weight=0.5).penalty) < 1e-3 * start
