"""Each loss against its paper's formula, written plainly, and against the extremes that a training run reaches."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext

import pytest
import torch
from torch import Tensor

from ganzoo.core.interfaces import Loss
from ganzoo.core.losses import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein
from ganzoo.errors import GanzooError, OptionError

Formula = Callable[[Tensor, Tensor], Tensor]


def probability(score: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-score))


def value(real: Tensor, fake: Tensor) -> Tensor:
    """V(D, G), Eq. 1 of arXiv:1406.2661."""
    return torch.log(probability(real)).mean() + torch.log(1 - probability(fake)).mean()


def smoothed(real: Tensor, fake: Tensor) -> Tensor:
    """-V / 2 with the targets 0.9 and 0."""
    d_real, d_fake = probability(real), probability(fake)
    return -(0.9 * torch.log(d_real) + 0.1 * torch.log(1 - d_real)).mean() / 2 - torch.log(1 - d_fake).mean() / 2


# Loss -> the plain formulas of its paper: what the discriminator minimises, what the generator minimises.
FORMULAS: dict[str, tuple[Loss, Formula, Formula]] = {
    "minimax": (Minimax(), lambda r, f: -value(r, f) / 2, lambda r, f: torch.log(1 - probability(f)).mean()),
    "non-saturating": (NonSaturating(), lambda r, f: -value(r, f) / 2, lambda r, f: -torch.log(probability(f)).mean()),
    "smoothed": (NonSaturating(label_smoothing=0.1), smoothed, lambda r, f: -torch.log(probability(f)).mean()),
    "least-squares": (
        LeastSquares(),
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda r, f: ((f - 1) ** 2).mean() / 2,
    ),
    "pearson": (
        LeastSquares(a=-1.0, b=1.0, c=0.0),
        lambda r, f: ((r - 1) ** 2).mean() / 2 + ((f + 1) ** 2).mean() / 2,
        lambda r, f: (f**2).mean() / 2,
    ),
    "hinge": (
        Hinge(),
        lambda r, f: -torch.minimum(r - 1, 0 * r).mean() - torch.minimum(-f - 1, 0 * f).mean(),
        lambda r, f: -f.mean(),
    ),
    "wasserstein": (Wasserstein(), lambda r, f: -(r.mean() - f.mean()), lambda r, f: -f.mean()),
    "relativistic": (
        Relativistic(),
        lambda r, f: -torch.log(probability(r - f)).mean(),
        lambda r, f: -torch.log(probability(f - r)).mean(),
    ),
}
every_loss = pytest.mark.parametrize("name", FORMULAS)


def scores(shape: tuple[int, ...], spread: float, seed: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Two batches, uniform in [-spread, spread], with the ends themselves among them."""
    random = torch.Generator().manual_seed(seed)
    real, fake = (spread * (2 * torch.rand(shape, generator=random, dtype=torch.float64) - 1) for _ in range(2))
    real.view(-1)[0], real.view(-1)[1], fake.view(-1)[0], fake.view(-1)[1] = spread, -spread, -spread, spread
    return real.to(dtype).requires_grad_(), fake.to(dtype).requires_grad_()


@every_loss
@pytest.mark.parametrize("spread", [0.5, 10.0])
@pytest.mark.parametrize("shape", [(64,), (8, 1, 5, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradient_are_those_of_the_papers_formula(
    name: str, spread: float, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    # Scores up to 10, differences up to 20: beyond that 1 - D(x) itself keeps less than 1e-7 in float64, and the plain
    # formula, not ours, would be the one that is wrong. Decimal arithmetic takes over below.
    loss, *formulas = FORMULAS[name]
    for ours, formula in zip((loss.discriminator, lambda r, f: loss.generator(f, r)), formulas, strict=True):
        real, fake = scores(shape, spread, seed=3, dtype=dtype)
        plain_real, plain_fake = (s.detach().double().requires_grad_() for s in (real, fake))
        expected = formula(plain_real, plain_fake)
        expected.backward()
        found = ours(real, fake)
        found.backward()
        assert found.dtype == dtype
        # A mean of terms of both signs may be near 0: rounding is relative to the terms, so to the spread.
        torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-7 * spread)
        for mine, plain in ((real, plain_real), (fake, plain_fake)):
            if plain.grad is None:
                assert mine.grad is None
            else:
                assert mine.grad is not None
                # Smoothing adds a term of the other sign, so that a gradient may be near 0 by itself.
                atol = 1e-7 / mine.numel() if name == "smoothed" else 1e-12
                torch.testing.assert_close(mine.grad.double(), plain.grad, rtol=1e-6, atol=atol)


@pytest.mark.parametrize("score", [-1e4, -700.0, -100.0, -36.0, -1e-3, 0.0, 1e-3, 36.0, 100.0, 700.0, 1e4])
def test_cross_entropies_are_right_where_a_sigmoid_would_round_to_0_or_1(score: float) -> None:
    with localcontext() as context:
        context.prec = 350  # 1 - D(x) is about 10^-304 at a score of 700; at 1e4 it is 0 in any float
        odds = Decimal(score).exp()
        log_d, log_not_d = float((odds / (1 + odds)).ln()), float((1 / (1 + odds)).ln())
        d, not_d = float(odds / (1 + odds)), float(1 / (1 + odds))
    checks = [
        # loss of a batch of one score, its value, its gradient
        (lambda s: Minimax().generator(s), log_not_d, -d),
        (lambda s: NonSaturating().generator(s), -log_d, -not_d),
        (lambda s: Minimax().discriminator(s, -s), -log_d, -not_d),
        (lambda s: Relativistic().discriminator(s, torch.zeros_like(s)), -log_d, -not_d),
        (lambda s: Relativistic().generator(s, torch.zeros_like(s)), -log_d, -not_d),
    ]
    for loss, expected, slope in checks:
        one = torch.tensor([score], dtype=torch.float64, requires_grad=True)
        found = loss(one)
        found.backward()
        assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-300)
        assert one.grad is not None
        assert one.grad.item() == pytest.approx(slope, rel=1e-6, abs=1e-300)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_of_ten_thousand_give_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    loss = FORMULAS[name][0]
    for ours in (loss.discriminator, lambda r, f: loss.generator(f, r)):
        real, fake = scores((64,), 1e4, seed=5, dtype=dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = ours(real, fake)
        found.backward()
        assert found.dtype == torch.float32
        assert found.isfinite()
        assert fake.grad is not None
        assert fake.grad.isfinite().all()
        assert real.grad is None or bool(real.grad.isfinite().all())


@every_loss
def test_bfloat16_scores_are_averaged_in_float32(name: str) -> None:
    loss = FORMULAS[name][0]
    real, fake = scores((512,), 3.0, seed=7, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = torch.stack([loss.discriminator(real, fake), loss.generator(fake, real)])
    wide = torch.stack([loss.discriminator(real.float(), fake.float()), loss.generator(fake.float(), real.float())])
    assert torch.equal(found, wide)


@every_loss
def test_both_players_pull_fake_scores_in_opposite_directions(name: str) -> None:
    loss = FORMULAS[name][0]
    real, fake = scores((16,), 0.4, seed=11, dtype=torch.float64)  # inside the margins of hinge and least squares
    (for_discriminator,) = torch.autograd.grad(loss.discriminator(real, fake).sum(), fake)
    (for_generator,) = torch.autograd.grad(loss.generator(fake, real).sum(), fake)
    if name == "pearson":  # its generator wants 0, its discriminator -1
        positive = fake > 0
        assert (for_discriminator[positive] * for_generator[positive] > 0).all()
        assert (for_discriminator[~positive] * for_generator[~positive] < 0).all()
    elif name == "least-squares":  # its discriminator wants 0, its generator 1
        positive = fake > 0
        assert (for_discriminator[positive] > 0).all()
        assert (for_generator < 0).all()
    else:
        assert (for_discriminator > 0).all()
        assert (for_generator < 0).all()


def test_the_saturating_generator_stands_still_where_the_discriminator_wins_and_the_other_does_not() -> None:
    fake = torch.full((4,), -30.0, requires_grad=True)
    (saturated,) = torch.autograd.grad(Minimax().generator(fake), fake)
    (strong,) = torch.autograd.grad(NonSaturating().generator(fake), fake)
    assert saturated.abs().max() < 1e-12
    assert torch.allclose(strong, torch.full((4,), -0.25))


def test_a_hinge_pulls_no_sample_that_is_past_its_margin() -> None:
    real, fake = torch.tensor([1.5, 0.5], requires_grad=True), torch.tensor([-1.5, -0.5], requires_grad=True)
    Hinge().discriminator(real, fake).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert real.grad.tolist() == [0.0, -0.5]
    assert fake.grad.tolist() == [0.0, 0.5]


def test_a_relativistic_loss_sees_differences_alone() -> None:
    real, fake = scores((32,), 5.0, seed=13, dtype=torch.float64)
    loss = Relativistic()
    assert torch.allclose(loss.discriminator(real + 7, fake + 7), loss.discriminator(real, fake), rtol=1e-12)
    assert torch.allclose(loss.generator(fake + 7, real + 7), loss.generator(fake, real), rtol=1e-12)


def test_a_relativistic_loss_without_real_scores_says_what_the_game_must_do() -> None:
    assert Relativistic.needs_real_scores
    with pytest.raises(GanzooError, match="no real scores") as raised:
        Relativistic().generator(torch.zeros(3))
    assert "needs_real_scores" in raised.value.remedy


@pytest.mark.parametrize(("one", "other"), [((4,), (4, 1)), ((4, 1, 1, 1), (4,)), ((4,), (3,)), ((4,), (1,))])
def test_a_relativistic_loss_refuses_scores_that_are_no_pairs(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    loss = Relativistic()
    for real, fake in ((torch.zeros(one), torch.zeros(other)), (torch.zeros(other), torch.zeros(one))):
        for compute in (lambda: loss.discriminator(real, fake), lambda: loss.generator(fake, real)):  # noqa: B023
            with pytest.raises(GanzooError, match="pair by pair"):
                compute()


@pytest.mark.parametrize(
    "loss", [Minimax(), NonSaturating(label_smoothing=0.1), LeastSquares(), Hinge(), Wasserstein()]
)
def test_the_other_losses_take_each_side_by_itself(loss: Loss) -> None:
    real, fake = torch.randn(4), torch.randn(4)
    assert torch.allclose(loss.discriminator(real, fake[:, None]), loss.discriminator(real, fake))
    assert loss.discriminator(real, torch.randn(3)).ndim == 0


def test_wasserstein_logs_the_critics_estimate_without_the_penalty() -> None:
    real, fake = scores((64,), 3.0, 5, torch.float32)
    metrics = Wasserstein().metrics(real, fake)
    assert set(metrics) == {"wasserstein"}
    torch.testing.assert_close(metrics["wasserstein"], real.mean() - fake.mean())
    assert Wasserstein().metrics(real.bfloat16(), fake.bfloat16())["wasserstein"].dtype == torch.float32


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), LeastSquares(), Hinge(), Relativistic()])
def test_other_losses_log_nothing_of_their_own(loss: Loss) -> None:
    assert loss.metrics(torch.ones(4), torch.zeros(4)) == {}


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), LeastSquares(), Hinge(), Wasserstein()])
def test_other_losses_need_no_real_scores_for_the_generator(loss: Loss) -> None:
    fake = torch.linspace(-2, 2, 9)
    assert not loss.needs_real_scores
    assert torch.equal(loss.generator(fake), loss.generator(fake, torch.ones(9)))


@pytest.mark.parametrize("targets", [{"a": 1.0}, {"a": 0.5, "c": 0.5}])
def test_least_squares_targets_that_leave_nothing_to_learn_are_refused(targets: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="must differ"):
        LeastSquares(**targets)


def test_patches_count_like_samples() -> None:
    real, fake = scores((4, 1, 3, 3), 3.0, seed=17, dtype=torch.float64)
    for loss, *_ in FORMULAS.values():
        assert torch.allclose(loss.discriminator(real, fake), loss.discriminator(real.flatten(), fake.flatten()))
