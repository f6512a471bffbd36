"""Where a network's random numbers come from: torch's default stream, in training, and nowhere else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.testing.failure import Failure, require
from ganzoo.testing.streams import only_torchs_stream, require_other_streams, start_stream, streams
from ganzoo.testing.subject import Network


def output(module: nn.Module, *inputs: Tensor, seed: int = 0) -> Tensor:
    """What it makes of its inputs, its random numbers drawn from `seed`. Raises: Failure where that is no tensor."""
    start_stream(seed)
    made = module(*(given.clone() for given in inputs))  # one that writes into them shall not mislead other questions
    if not isinstance(made, Tensor):
        raise Failure(f"forward returns a {type(made).__name__}.", "return one tensor.")
    return made


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
        again = module(*(given.clone() for given in inputs))
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
