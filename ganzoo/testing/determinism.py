"""Where a network's random numbers come from: torch's default stream, in training, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.core.conditions import conditions_of
from ganzoo.testing.failure import Failure, require
from ganzoo.testing.network import Network
from ganzoo.testing.streams import only_torchs_stream, require_other_streams, start_stream, streams


def call(module: nn.Module, *inputs: Tensor) -> Any:
    """What it makes of its inputs: the first, and a value of each of its conditions, by their names."""
    first, *conditions = inputs
    return module(first, **dict(zip(conditions_of(module), conditions, strict=True)))


def outputs(module: nn.Module, *inputs: Tensor, seed: int = 0) -> list[Tensor]:
    """The tensors that it makes of its inputs, its random numbers drawn from `seed`: one, or a list of them.

    Raises: Failure where it makes anything else.
    """
    start_stream(seed)
    made = call(module, *(given.clone() for given in inputs))  # one that writes into them shall not mislead others
    if isinstance(made, Tensor):
        return [made]
    if isinstance(made, list | tuple) and made and all(isinstance(each, Tensor) for each in made):
        return list(made)
    raise Failure(f"forward returns a {type(made).__name__}.", "return a tensor, or a list of them.")


def output(module: nn.Module, *inputs: Tensor, seed: int = 0) -> Tensor:
    """The same as one tensor: several stand side by side (N, numbers of all)."""
    return joined(outputs(module, *inputs, seed=seed))


def joined(made: Tensor | Sequence[Tensor]) -> Tensor:
    """One tensor as it is; several side by side, (N, numbers of all)."""
    if isinstance(made, Tensor) or len(made) == 1:
        return made if isinstance(made, Tensor) else made[0]
    return torch.cat([each.reshape(len(each), -1).float() for each in made], dim=1)


def is_built_alike(network: Network) -> None:
    """The same seed builds the same network: its first weights come from torch's default stream and nowhere else."""
    with only_torchs_stream("building it"):
        one, other = network.build(seed=3), network.build(seed=3)
        after, _, _ = streams()
        network.build(seed=4)
    require_other_streams(after, streams()[0], "building it")
    for name, tensor in one.state_dict().items():
        require(
            torch.equal(tensor, other.state_dict()[name]),
            f"two networks built with one seed differ in {name}.",
            "draw first weights with torch.nn.init or torch.randn, without a generator of your own.",
        )


def same_in_evaluation(network: Network) -> None:
    """In evaluation mode the same input gives the same output, and nothing random is drawn."""
    module = network.build().eval()
    inputs = network.inputs(module, 3)
    with torch.no_grad():
        first = output(module, *inputs)
        before = streams()
        again = joined(call(module, *(given.clone() for given in inputs)))
    remedy = "what is random in training (dropout, noise) asks `self.training` first."
    require(torch.equal(first, again), "the same input gave two outputs in evaluation mode.", remedy)
    require(streams() == before, "forward draws random numbers in evaluation mode.", remedy)


def same_in_training(network: Network) -> None:
    """In training the same seed gives the same output: forward draws from torch's default stream and nowhere else."""
    one, other = network.build(seed=3), network.build(seed=3)
    inputs = network.inputs(one, 3)
    with only_torchs_stream("forward"), torch.no_grad():
        first, second = output(one, *inputs), output(other, *inputs)
        after, _, _ = streams()
        output(one, *inputs, seed=1)
    require_other_streams(after, streams()[0], "a forward pass")
    require(
        torch.equal(first, second),
        "two equal networks on the same seed gave two outputs in training.",
        "draw from torch's default stream, and keep what changes from call to call in a registered buffer.",
    )
