"""Augmentations: changes of all that a discriminator sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ganzoo.core.noise import JointNoise
from ganzoo.testing.checks import Check
from ganzoo.testing.determinism import output
from ganzoo.testing.failure import require
from ganzoo.testing.network import FirstNetwork, Network, cases_of
from ganzoo.testing.streams import only_torchs_stream, require_other_streams, start_stream, streams
from ganzoo.testing.subject import Subject

N = 8
"""Samples in a batch."""

CALLS = 5


def augmentation_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of an augmentation."""
    first = FirstNetwork(subject, cases_of(subject))

    def check(asks: str, question: Callable[[Network], None], *before: Check) -> Check:
        return Check(str(subject), asks, question, lambda: first.network, needs=[*needs, *before])

    kept = check("keeps the shape", keeps_the_shape)
    drawn = check("draws from torch's stream", draws_from_torch, kept)
    yield from (kept, drawn)
    yield check("can be differentiated", can_be_differentiated, kept)
    yield check("draws for all ranks as one", draws_as_one, kept, drawn)
    yield check("goes on after a resume", resumes, kept, drawn)


def keeps_the_shape(network: Network) -> None:
    """Samples come out in the shape and dtype in which they went in, finite; those that went in stay as they were."""
    module = network.build()
    inputs = network.inputs(module, N)
    given = inputs[0].clone()
    made = output(module, *inputs)
    right = made.shape == given.shape and made.dtype == given.dtype
    found = f"samples {tuple(given.shape)} {given.dtype} come out as {tuple(made.shape)} {made.dtype}."
    require(right, found, "change what samples hold, and not their shape.")
    require(made.isfinite().all(), "some numbers that come out are not finite.")
    module(inputs[0], **named(module, network, N))
    require(torch.equal(inputs[0], given), "it changed its input in place.", "work on a copy: the game uses it again.")


def can_be_differentiated(network: Network) -> None:
    """A gradient reaches every sample, through which the generator learns."""
    module = network.build()
    samples, *conditions = network.inputs(module, N)
    samples = samples.requires_grad_()
    output(module, samples, *conditions).square().sum().backward()
    reached = samples.grad is not None and bool(samples.grad.flatten(1).any(dim=1).all())
    require(reached, "no gradient reaches some samples.", "no detach, no rounding, no torch.no_grad in forward.")


def draws_from_torch(network: Network) -> None:
    """The same seed gives the same samples: it draws from torch's default stream and nowhere else."""
    module, other = network.build(), network.build()
    inputs = network.inputs(module, N)
    with only_torchs_stream("forward"), torch.no_grad():
        first, second = output(module, *inputs), output(other, *inputs)
        after, _, _ = streams()
        output(module, *inputs, seed=1)
    require_other_streams(after, streams()[0], "a pass")
    require(torch.equal(first, second), "on one seed it makes two different things.", "draw with ganzoo.joint.")


def draws_as_one(network: Network) -> None:
    """Two ranks with half of a batch each change their samples as one rank with all of them would: by `joint`."""
    module = network.build()
    inputs = network.inputs(module, N)
    with torch.no_grad():
        whole = output(module, *inputs)
        halves = []
        for rank in range(2):
            noise = JointNoise(rank, 2, torch.device("cpu"))
            noise.stream.manual_seed(0)  # where `output` starts the stream of a single rank
            with noise.drawn():
                half = [each[rank * N // 2 : (rank + 1) * N // 2] for each in inputs]
                halves.append(output(network.build(), *half))
    same = torch.allclose(whole, torch.cat(halves), rtol=1e-5, atol=1e-6)
    remedy = "draw with ganzoo.joint(torch.rand, n, ...), a row for each sample."
    require(same, "two ranks with half of a batch each change it in another way than one with all of it.", remedy)


def resumes(network: Network) -> None:
    """Its state_dict holds all that the next passes depend on, what it learned from scores (`adapt`) included."""
    first, second = network.build(), network.build()
    played(first, network, range(CALLS))
    held = {name: tensor.contiguous() for name, tensor in first.state_dict().items()}
    second.load_state_dict(load(save(held)))
    more = range(CALLS, 2 * CALLS)
    same = all(map(torch.equal, played(first, network, more), played(second, network, more)))
    remedy = "keep what changes from call to call in a registered buffer."
    require(same, "after saving and loading, it changes samples in another way.", remedy)


def played(module: nn.Module, network: Network, calls: range) -> list[Tensor]:
    """What a few passes make, with scores of real samples after each."""
    made = []
    for call in calls:
        inputs = network.inputs(module, N, seed=call)
        with torch.no_grad():
            made.append(output(module, *inputs, seed=call))
        start_stream(100 + call)
        module.adapt(1.0 + torch.randn(N))  # type: ignore[operator]  # an augmentation's method
    return made


def named(module: nn.Module, network: Network, n: int) -> dict[str, Any]:
    """The values of its conditions, by name."""
    return {key: network.condition(key, n) for key in getattr(module, "conditions", ())}
