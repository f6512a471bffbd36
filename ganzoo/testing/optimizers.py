"""Optimizers (factories of torch's) and schedules."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from safetensors.torch import load, save
from torch import nn

from ganzoo.core.interfaces import Schedule
from ganzoo.runs.checkpoint import pack_optimizer, unpack_optimizer
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, require
from ganzoo.testing.streams import start_stream
from ganzoo.testing.subject import Subject


def optimizer_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of an optimizer."""
    factory = Check(str(subject), "makes a torch optimizer", makes_an_optimizer, lambda: subject, needs=needs)
    yield factory
    yield Check(str(subject), "changes every parameter", changes_parameters, lambda: subject, needs=[*needs, factory])
    yield Check(str(subject), "goes on after a resume", resumes, lambda: subject, needs=[*needs, factory])


def schedule_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a schedule."""
    yield Check(str(subject), "is a course of factors", gives_factors, lambda: subject, needs=needs)
    yield Check(str(subject), "depends on progress alone", depends_on_progress, lambda: subject, needs=needs)


def network() -> nn.Module:
    """Something to optimise."""
    start_stream(5)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def step(module: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    """One step on made-up data, as the engine makes it."""
    start_stream(seed)
    optimizer.zero_grad(set_to_none=True)
    module(torch.randn(8, 3)).square().mean().backward()
    optimizer.step()


def makes_an_optimizer(subject: Subject) -> None:
    """Called with parameters and options it returns a torch optimizer over all of them, each group with its lr.

    The parameters may be a generator, as `module.parameters()` is.
    """
    parameters = list(network().parameters())
    for given in (parameters, iter(parameters)):
        made = subject.build(given)
        if not isinstance(made, torch.optim.Optimizer):
            raise Failure(f"it returns a {type(made).__name__}.", "return a torch.optim.Optimizer.")
        held = {id(parameter) for group in made.param_groups for parameter in group["params"]}
        require(held == set(map(id, parameters)), "it does not hold all the parameters that it was given.")
        require(all("lr" in group for group in made.param_groups), "a group has no lr.", "schedules set it.")


def changes_parameters(subject: Subject) -> None:
    """A step changes every parameter that has a gradient, to finite values."""
    module = network()
    optimizer = subject.build(module.parameters())
    before = [parameter.detach().clone() for parameter in module.parameters()]
    for seed in range(2):
        step(module, optimizer, seed)
    for old, new in zip(before, module.parameters(), strict=True):
        require(not torch.equal(old, new), "after two steps a parameter is as it was.")
        require(new.isfinite().all(), "after two steps a parameter is not finite.")


def resumes(subject: Subject) -> None:
    """Its state is tensors and plain numbers, and saved and loaded it takes the same next steps, bit for bit."""
    first, second = network(), network()
    one = subject.build(first.parameters())
    for seed in range(3):
        step(first, one, seed)
    tensors, rest = pack_optimizer(one)
    second.load_state_dict(first.state_dict())
    other = subject.build(second.parameters())
    unpack_optimizer(other, load(save({name: tensor.contiguous() for name, tensor in tensors.items()})), rest)
    for seed in range(3, 6):
        step(first, one, seed)
        step(second, other, seed)
    same = all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    remedy = "keep everything in `optimizer.state` and in the groups, where state_dict finds it."
    require(same, "after saving and loading, it takes other steps.", remedy)


PROGRESS = tuple(number / 20 for number in range(21))


def gives_factors(subject: Subject) -> None:
    """At every progress from 0 to 1 it gives a finite factor on the learning rate, never below 0 and not always 0."""
    schedule: Schedule = subject.build()
    factors = [schedule(progress) for progress in PROGRESS]
    for progress, factor in zip(PROGRESS, factors, strict=True):
        number = isinstance(factor, int | float) and math.isfinite(factor) and factor >= 0
        require(number, f"at progress {progress:g} the factor is {factor!r}.", "return a float, 0 or more.")
    require(any(factors), "the factor is always 0: nothing would be learned.")


def depends_on_progress(subject: Subject) -> None:
    """It is a pure function of progress: a resumed run asks a new one, and not from the beginning."""
    schedule: Schedule = subject.build()
    forward = [schedule(progress) for progress in PROGRESS]
    backward = [schedule(progress) for progress in reversed(PROGRESS)][::-1]
    afresh = [subject.build(seed=9)(progress) for progress in PROGRESS]
    remedy = "no counter, no state and no randomness in __call__: only `progress` and options."
    require(forward == backward == afresh, "the factor depends on what was asked before, or on who is asked.", remedy)
