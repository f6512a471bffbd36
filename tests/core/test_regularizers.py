"""Penalties against their papers' formulas, closed forms and finite differences; laziness; clipping."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo.core.regularizers import R1, R2, GradientPenalty, LazyPenalty, WeightClip
from ganzoo.errors import GanzooError


class Linear(nn.Module):
    """D(x) = w . x for samples of any shape: its gradient is w everywhere."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, samples: Tensor) -> Tensor:
        return (samples * self.weight).flatten(1).sum(1)


def network(dtype: torch.dtype = torch.float64) -> nn.Module:
    """A smooth discriminator of (3, 2, 2) images."""
    torch.manual_seed(2)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))
    return layers.to(dtype)


def samples(dtype: torch.dtype = torch.float64, shape: tuple[int, ...] = (6, 3, 2, 2)) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(4)
    real, fake = (torch.randn(shape, generator=random, dtype=torch.float64).to(dtype) for _ in range(2))
    return real, fake


def slope(critic: nn.Module, sample: Tensor) -> Tensor:
    """The gradient of one sample's score by that sample, as a vector."""
    sample = sample.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(sample[None]).squeeze(), sample, create_graph=True)
    return gradient.reshape(-1)


def plain_gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Eq. 3 of arXiv:1704.00028 with lambda = 10, one sample after the other."""
    total = torch.zeros((), dtype=torch.float64)
    for x, x_tilde, epsilon in zip(real, fake, torch.rand(len(real), dtype=torch.float64), strict=True):
        gradient = slope(critic, epsilon * x + (1 - epsilon) * x_tilde)
        total = total + (torch.sqrt((gradient**2).sum()) - 1) ** 2
    return 10.0 * total / len(real)


def plain_one_sided(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The one-sided penalty of arXiv:1709.08894 with lambda = 10."""
    total = torch.zeros((), dtype=torch.float64)
    for x, x_tilde, epsilon in zip(real, fake, torch.rand(len(real), dtype=torch.float64), strict=True):
        norm = torch.sqrt((slope(critic, epsilon * x + (1 - epsilon) * x_tilde) ** 2).sum())
        total = total + torch.maximum(norm - 1, 0 * norm) ** 2
    return 10.0 * total / len(real)


def plain_r1(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Eq. 9 of arXiv:1801.04406 with gamma = 10."""
    return 10.0 / 2 * torch.stack([(slope(critic, x) ** 2).sum() for x in real]).mean()


def plain_r2(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Eq. 10 of arXiv:1801.04406 with gamma = 10."""
    return 10.0 / 2 * torch.stack([(slope(critic, x) ** 2).sum() for x in fake]).mean()


PENALTIES = {
    "gradient-penalty": (lambda: GradientPenalty(), plain_gradient_penalty),
    "one-sided": (lambda: GradientPenalty(one_sided=True), plain_one_sided),
    "r1": (lambda: R1(), plain_r1),
    "r2": (lambda: R2(), plain_r2),
}
every_penalty = pytest.mark.parametrize("name", PENALTIES)


def gradients(penalty: Tensor, critic: nn.Module) -> list[Tensor]:
    found = torch.autograd.grad(penalty, list(critic.parameters()), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(critic.parameters(), found, strict=True)]


@every_penalty
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_value_and_gradient_are_those_of_the_papers_formula(name: str, scale: float) -> None:
    build, formula = PENALTIES[name]
    critic = network()
    with torch.no_grad():
        critic.get_parameter("3.weight").mul_(scale)  # gradients far below 1, near 1, and far above
    real, fake = samples()
    torch.manual_seed(8)
    expected = formula(critic, real, fake)
    torch.manual_seed(8)
    found = build().penalty(critic, real, fake)
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0.0)
    for mine, plain in zip(gradients(found, critic), gradients(expected, critic), strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-6, atol=1e-12)


@every_penalty
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    regularizer, critic = PENALTIES[name][0](), network()
    with torch.no_grad():
        critic.get_parameter("3.weight").mul_(3.0)
    real, fake = samples()

    def penalty() -> Tensor:
        torch.manual_seed(8)
        found = regularizer.penalty(critic, real, fake)
        assert found is not None
        return found

    for parameter, gradient in zip(critic.parameters(), gradients(penalty(), critic), strict=True):
        flat, step = parameter.data.view(-1), 1e-6
        for index in range(len(flat)):
            before = flat[index].item()
            flat[index] = before + step
            above = penalty().item()
            flat[index] = before - step
            below = penalty().item()
            flat[index] = before
            # A central difference is off by step^2 and by rounding / step: about 1e-8 of values around 10.
            assert gradient.view(-1)[index].item() == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("shape", [(2,), (1, 28, 28)])
@pytest.mark.parametrize("size", [0.25, 1.0, 3.0])
def test_a_linear_critic_is_punished_by_the_norm_of_its_weights(shape: tuple[int, ...], size: float) -> None:
    torch.manual_seed(1)
    weight = torch.randn(shape)
    critic = Linear(size * weight / weight.norm())
    real, fake = samples(torch.float32, (5, *shape))
    expected = {
        GradientPenalty(weight=7.0): 7.0 * (size - 1) ** 2,
        GradientPenalty(weight=7.0, one_sided=True): 7.0 * max(size - 1, 0.0) ** 2,
        R1(weight=7.0): 3.5 * size**2,
        R2(weight=7.0): 3.5 * size**2,
    }
    for regularizer, value in expected.items():
        found = regularizer.penalty(critic, real, fake)
        assert found is not None
        # In float32 the norm is right to about 1e-6; near 1 its distance from 1 is right to that, not better.
        assert found.item() == pytest.approx(value, rel=1e-5, abs=1e-10)


def test_the_gradient_penalty_looks_at_one_point_between_each_pair() -> None:
    seen: list[Tensor] = []
    critic = Linear(torch.ones(3, 2, 2, dtype=torch.float64))
    critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    real, fake = samples(shape=(512, 3, 2, 2))
    torch.manual_seed(6)
    GradientPenalty().penalty(critic, real, fake)
    shares = ((seen[0] - fake) / (real - fake)).flatten(1)
    assert torch.allclose(shares, shares[:, :1].expand_as(shares))  # one share for all of a sample's dimensions
    assert shares.min() >= -1e-9
    assert shares.max() <= 1 + 1e-9
    # Uniform on [0, 1]: the mean of 512 is 1/2 with a standard error of 0.0128; five of them are 0.064.
    assert abs(shares[:, 0].mean().item() - 0.5) < 0.064
    assert shares[:, 0].unique().numel() == 512


def test_r1_looks_at_real_samples_and_r2_at_generated_ones() -> None:
    for regularizer, of_real in ((R1(), True), (R2(), False)):
        seen: list[Tensor] = []
        critic = Linear(torch.ones(3, 2, 2, dtype=torch.float64))
        critic.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0].detach()))
        real, fake = samples()
        regularizer.penalty(critic, real, fake)
        assert torch.equal(seen[0], real if of_real else fake)
        assert not real.requires_grad
        assert not fake.requires_grad


@every_penalty
def test_a_constant_discriminator_gets_finite_gradients(name: str) -> None:
    critic = network(torch.float32)
    with torch.no_grad():
        critic.get_parameter("3.weight").zero_()  # the norm of a zero gradient has no derivative
    found = PENALTIES[name][0]().penalty(critic, *samples(torch.float32))
    assert found is not None
    assert found.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients(found, critic))


@every_penalty
def test_penalties_are_float32_under_autocast(name: str) -> None:
    critic = network(torch.float32)
    real, fake = samples(torch.float32)
    fake = fake.bfloat16()  # as a generator gives it under autocast
    torch.manual_seed(8)
    expected = PENALTIES[name][0]().penalty(critic, real, fake.float())
    torch.manual_seed(8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = PENALTIES[name][0]().penalty(critic, real, fake)
    assert found is not None
    assert expected is not None
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@every_penalty
def test_a_penalty_can_be_rehearsed_on_the_meta_device(name: str) -> None:
    with torch.device("meta"):
        critic = network(torch.float32)
        found = PENALTIES[name][0]().penalty(critic, torch.empty(6, 3, 2, 2), torch.empty(6, 3, 2, 2))
        assert found is not None
        found.backward(inputs=[p for n, p in critic.named_parameters() if n != "3.bias"])
    assert found.device.type == "meta"


def test_patches_of_one_sample_count_as_their_mean() -> None:
    torch.manual_seed(3)
    patches = nn.Conv2d(3, 1, 1).double()  # (N, 3, 2, 2) -> (N, 1, 2, 2) scores

    class Mean(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return patches(inputs).flatten(1).mean(1)

    for regularizer in (R1(), R2()):
        torch.testing.assert_close(
            regularizer.penalty(patches, *samples()), regularizer.penalty(Mean(), *samples()), rtol=1e-12, atol=0.0
        )


@every_penalty
def test_a_lazy_penalty_comes_every_fourth_time_and_counts_four_times(name: str) -> None:
    build = PENALTIES[name][0]
    lazy, critic = build(), network()
    lazy.every = 4
    torch.manual_seed(8)
    found = [lazy.penalty(critic, *samples()) for _ in range(9)]
    torch.manual_seed(8)
    plain = build().penalty(critic, *samples())
    assert [value is not None for value in found] == [True, False, False, False] * 2 + [True]
    assert found[0] is not None
    assert plain is not None
    torch.testing.assert_close(found[0], 4 * plain, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("build", [GradientPenalty, R1, R2])
def test_every_and_weight_are_options(build: type[LazyPenalty]) -> None:
    regularizer = build(weight=2.5, every=16)  # type: ignore[call-arg]
    assert (regularizer.weight, regularizer.every) == (2.5, 16)


def test_a_resumed_lazy_penalty_goes_on_with_its_count() -> None:
    critic = network()

    def pattern(regularizers: nn.ModuleList, calls: int) -> list[bool]:
        return [regularizers[0].penalty(critic, *samples()) is not None for _ in range(calls)]

    whole = pattern(nn.ModuleList([R1(every=3)]), 12)
    first, second = nn.ModuleList([R1(every=3)]), nn.ModuleList([R1(every=3)])
    before = pattern(first, 5)
    state = first.state_dict()
    assert all(isinstance(value, Tensor) for value in state.values())  # checkpoints hold tensors alone
    second.load_state_dict(state)
    assert before + pattern(second, 7) == whole


def test_a_weight_of_zero_costs_nothing() -> None:
    critic = network()
    critic.register_forward_pre_hook(lambda module, inputs: pytest.fail("the network was called"))
    for regularizer in (GradientPenalty(weight=0.0), R1(weight=0.0), R2(weight=0.0)):
        assert regularizer.penalty(critic, *samples()) is None


def test_weight_clip_brings_every_parameter_back_and_leaves_the_others_alone() -> None:
    critic = network(torch.float32)
    before = [parameter.detach().clone() for parameter in critic.parameters()]
    clip = WeightClip(limit=0.05)
    clip.constrain(critic)
    for parameter, old in zip(critic.parameters(), before, strict=True):
        assert torch.equal(parameter, old.clamp(-0.05, 0.05))
        assert parameter.requires_grad
    assert any((old.abs() > 0.05).any() for old in before)
    assert any((old.abs() < 0.05).any() for old in before)
    assert clip.penalty(critic, *samples()) is None


def test_penalties_do_not_constrain() -> None:
    critic = network()
    before = [parameter.detach().clone() for parameter in critic.parameters()]
    for regularizer in (GradientPenalty(), R1(), R2()):
        regularizer.constrain(critic)
    assert all(torch.equal(now, old) for now, old in zip(critic.parameters(), before, strict=True))


@pytest.mark.parametrize("other", [(5, 3, 2, 2), (1, 3, 2, 2), (6, 3, 2, 1)])
def test_a_gradient_penalty_refuses_samples_that_are_no_pairs(other: tuple[int, ...]) -> None:
    real, fake = samples()[0], samples(shape=other)[1]
    with pytest.raises(GanzooError, match="pairs of samples"):
        GradientPenalty().penalty(network(), real, fake)


def mean_slope(every: int, make: type[torch.optim.Optimizer], **options: Any) -> float:
    """Where the slope w of a linear critic settles, whose loss is -w and whose R1 penalty has the weight 1: w = 1."""
    critic = Linear(torch.ones(1, dtype=torch.float64))
    optimizer = make(critic.parameters(), **options)
    penalty, real = R1(weight=1.0, every=every), torch.zeros(2, 1, dtype=torch.float64)
    slopes = []
    for _ in range(4000):
        due = penalty.penalty(critic, real, real)
        optimizer.zero_grad()
        (-critic.weight.sum() + (0.0 if due is None else due)).backward()
        optimizer.step()
        slopes.append(critic.weight.item())
    return sum(slopes[2000:]) / 2000


def test_a_lazy_penalty_pulls_as_much_under_gradient_descent_and_less_under_adam() -> None:
    """docs/theory.md says so: Adam divides a gradient by a running root mean square that it raised itself."""
    for every in (1, 4, 16):
        assert mean_slope(every, torch.optim.SGD, lr=1e-3) == pytest.approx(1.0, abs=0.02)
    at_every, at_4th, at_16th = (
        mean_slope(every, torch.optim.Adam, lr=1e-3, betas=(0.0, 0.99)) for every in (1, 4, 16)
    )
    assert at_every == pytest.approx(1.0, abs=1e-3)
    assert (at_4th, at_16th) == (pytest.approx(1.0035, abs=0.001), pytest.approx(1.0185, abs=0.002))
    assert mean_slope(16, torch.optim.Adam, lr=1e-3, betas=(0.0, 0.9)) > 1.05  # the shorter the memory, the less
