"""The optimizers: the updates of their papers, in one kernel where there is one, and resumed exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo.core.optimizers import adam, adamw, rmsprop, sgd
from ganzoo.errors import OptionError
from ganzoo.runs.checkpoint import pack_optimizer, unpack_optimizer

Build = Callable[..., torch.optim.Optimizer]
every_optimizer = pytest.mark.parametrize("build", [adam, adamw, rmsprop, sgd])


def network(device: str = "cpu") -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4, device=device), nn.Tanh(), nn.Linear(4, 1, device=device))


def steps(module: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    """Steps first..last on batches that depend on the step alone."""
    for step in range(first, last):
        inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad(set_to_none=True)
        module(inputs.to(next(module.parameters()).device)).square().mean().backward()
        optimizer.step()


def weights(module: nn.Module) -> list[list[float]]:
    return [parameter.flatten().tolist() for parameter in module.parameters()]


def reference(name: str, gradients: list[float], options: dict[str, Any]) -> list[float]:
    """One weight that starts at 1.0, under the papers' updates written out."""
    weight, path = 1.0, []
    average = square = mean = step_before = 0.0
    decay = options["weight_decay"]
    for count, raw in enumerate(gradients, start=1):
        gradient = raw if name == "adamw" else raw + decay * weight
        if name in ("adam", "adamw"):
            beta1, beta2 = options["betas"]
            if name == "adamw":
                weight -= options["lr"] * decay * weight
            average = beta1 * average + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient**2
            m_hat, v_hat = average / (1 - beta1**count), square / (1 - beta2**count)
            weight -= options["lr"] * m_hat / (v_hat**0.5 + options["eps"])
        elif name == "rmsprop":
            square = options["alpha"] * square + (1 - options["alpha"]) * gradient**2
            mean = options["alpha"] * mean + (1 - options["alpha"]) * gradient
            spread = square - mean**2 if options["centered"] else square
            step_before = options["momentum"] * step_before + gradient / (spread**0.5 + options["eps"])
            weight -= options["lr"] * step_before
        else:
            step_before = options["momentum"] * step_before + gradient if count > 1 else gradient
            ahead = gradient + options["momentum"] * step_before if options["nesterov"] else step_before
            weight -= options["lr"] * ahead
        path.append(weight)
    return path


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (adam, {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-6, "weight_decay": 0.0}),
        (adam, {"lr": 0.01, "betas": (0.0, 0.9), "eps": 1e-8, "weight_decay": 0.1}),
        (adamw, {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-8, "weight_decay": 0.1}),
        (rmsprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.1, "momentum": 0.5, "centered": False}),
        (rmsprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.0, "momentum": 0.0, "centered": True}),
        (sgd, {"lr": 0.01, "momentum": 0.0, "nesterov": False, "weight_decay": 0.1}),
        (sgd, {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0}),
    ],
)
def test_the_updates_are_those_written_out(build: Build, options: dict[str, Any]) -> None:
    gradients = [0.3, -1.2, 0.7, 0.01, -0.4, 2.0]
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = build([weight], **options)
    for gradient, expected in zip(gradients, reference(build.__name__, gradients, options), strict=True):
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        assert weight.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("build", [adam, adamw, sgd])
def test_the_step_is_one_kernel_where_torch_has_one(build: Build) -> None:
    assert build(network().parameters()).param_groups[0]["fused"] is True


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adam_steps_as_torchs_does_bit_for_bit_through_missing_gradients_and_changing_rates(dtype: torch.dtype) -> None:
    ours, theirs = network().to(dtype), network().to(dtype)
    options = {"lr": 1e-2, "betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": 0.1}
    optimizers = (adam(ours.parameters(), **options), torch.optim.Adam(theirs.parameters(), fused=True, **options))
    for step in range(8):
        for module, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.param_groups[0]["lr"] = 1e-2 / (1 + step)
            optimizer.zero_grad()
            inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(step), dtype=dtype)
            module(inputs).square().mean().backward()
            if step == 4:
                next(module.parameters()).grad = None
            optimizer.step()
    assert weights(ours) == weights(theirs)
    assert pack_optimizer(optimizers[0])[1]["groups"] == pack_optimizer(optimizers[1])[1]["groups"]


@every_optimizer
def test_a_step_can_be_rehearsed_on_the_meta_device(build: Build) -> None:
    module = network("meta")
    steps(module, build(module.parameters()), 0, 2)
    assert all(parameter.is_meta for parameter in module.parameters())


@every_optimizer
def test_parameters_may_come_from_an_iterator(build: Build) -> None:
    module = network()
    optimizer = build(parameter for parameter in module.parameters())
    before = weights(module)
    steps(module, optimizer, 0, 1)
    assert all(now != old for now, old in zip(weights(module), before, strict=True))


@every_optimizer
def test_a_resumed_optimizer_takes_the_same_steps(build: Build) -> None:
    whole = network()
    steps(whole, build(whole.parameters(), lr=1e-2), 0, 10)

    first, second = network(), network()
    optimizer = build(first.parameters(), lr=1e-2)
    steps(first, optimizer, 0, 4)
    resumed = build(second.parameters(), lr=1e-2)
    second.load_state_dict(first.state_dict())
    unpack_optimizer(resumed, *pack_optimizer(optimizer))
    steps(second, resumed, 4, 10)
    assert weights(second) == weights(whole)


@every_optimizer
def test_the_learning_rate_can_be_changed_between_steps(build: Build) -> None:
    module = network()
    optimizer = build(module.parameters())
    before = weights(module)
    optimizer.param_groups[0]["lr"] = 0.0
    steps(module, optimizer, 0, 3)
    assert weights(module) == before


def test_the_defaults_are_those_that_gans_are_known_for() -> None:
    group = adam(network().parameters()).param_groups[0]
    assert (group["lr"], tuple(group["betas"]), group["weight_decay"]) == (2e-4, (0.5, 0.999), 0.0)
    assert rmsprop(network().parameters()).param_groups[0]["lr"] == 5e-5


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(OptionError, match="momentum above 0"):
        sgd(network().parameters(), nesterov=True)


def test_hooks_are_called_once_a_step_whoever_else_uses_torchs_adam() -> None:
    torch.optim.Adam([torch.nn.Parameter(torch.ones(2))])  # from now on torch's own class calls hooks too
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = adam([weight])
    called = []
    optimizer.register_step_post_hook(lambda *_: called.append(weight.clone()))
    for _ in range(2):
        weight.grad = torch.ones(2)
        optimizer.step()
    assert len(called) == 2
