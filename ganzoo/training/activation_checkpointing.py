"""Memory for time: what a network computes on its way forward is not kept for the way back, but computed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ganzoo.core.interfaces import Discriminator, Generator, Translator

NETWORKS = (Generator, Translator, Discriminator)


def networks_of(game: nn.Module) -> Iterator[nn.Module]:
    """The game's generators, translators and discriminators, not those that are a part of another."""
    for child in game.children():
        if isinstance(child, NETWORKS):
            yield child
        else:
            yield from networks_of(child)


def recompute(network: nn.Module) -> None:
    """Lets a network keep its inputs alone for a backward pass, which plays its `forward` a second time.

    The weights end up the same: the second time sees the random numbers and the buffers (sums of batch norm, vectors of
    spectral norm) that the first one saw, and leaves the buffers as it found them.
    """
    forward = network.forward

    def light(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        seen = {place: buffer.clone() for place, buffer in _buffers(network).items()}

        def surroundings() -> tuple[AbstractContextManager[None], Holding]:
            return nullcontext(), Holding(network, seen)

        return checkpoint(forward, *inputs, use_reentrant=False, context_fn=surroundings, **named)

    setattr(network, "forward", light)  # noqa: B010  # on the instance: state and names stay what they are


class Holding:
    """Inside, a network has copies of buffers that it once saw; afterwards its own again. May be entered repeatedly."""

    def __init__(self, network: nn.Module, seen: dict[tuple[nn.Module, str], Tensor]) -> None:
        self.network = network
        self.seen = seen

    def __enter__(self) -> None:
        self.own = _buffers(self.network)
        for (module, name), buffer in self.seen.items():
            setattr(module, name, buffer.clone())

    def __exit__(self, *_: object) -> None:
        for (module, name), buffer in self.own.items():
            setattr(module, name, buffer)


def _buffers(network: nn.Module) -> dict[tuple[nn.Module, str], Tensor]:
    return {
        (module, name): buffer for module in network.modules() for name, buffer in module.named_buffers(recurse=False)
    }
