"""What networks are conditioned on: keys of the batch, which are the names of `forward`'s parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn


class Conditioned(nn.Module):
    """A network that says what it is conditioned on.

    conditions: keys of the batch, by default the names of `forward`'s parameters after the first. A network for which
    it is an option (`conditional = true`) sets `self.conditions` in its constructor.
    """

    conditions: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in vars(cls) and "conditions" not in vars(cls):
            cls.conditions = parameters_after_first(cls.forward)


def parameters_after_first(forward: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a method's parameters after `self` and the first, which are a network's conditions."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = [each.name for each in inspect.signature(forward).parameters.values() if each.kind in named]
    return tuple(parameters[2:])


def conditions_of(network: nn.Module) -> tuple[str, ...]:
    """The keys of the batch that a network is conditioned on; none for a module that does not say."""
    return tuple(getattr(network, "conditions", ()))


def conditioned(network: nn.Module, first: Tensor, batch: Mapping[str, Tensor]) -> Any:
    """`network(first, ...)` with its conditions from `batch`. first: latents or samples (N, ...)."""
    keys = conditions_of(network)
    return network(first, **{key: batch[key] for key in keys}) if keys else network(first)


class Given(nn.Module):
    """A conditional network with its conditions given, for what calls it with samples or latents alone."""

    def __init__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = network
        self.batch = {key: batch[key] for key in conditions_of(network)}

    def forward(self, first: Tensor) -> Any:
        """first (N, ...) -> what the network makes of it."""
        return conditioned(self.network, first, self.batch)

    def __getattr__(self, name: str) -> Any:
        """What the network offers beside its forward, such as `latents`."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)


def given(network: nn.Module, batch: Mapping[str, Tensor]) -> nn.Module:
    """The network as what takes samples or latents alone: itself where it has no conditions."""
    return Given(network, batch) if conditions_of(network) else network
