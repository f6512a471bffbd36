"""Activation checkpointing: activations are recomputed in the backward pass instead of stored, to save memory."""

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
    """The game's generators, translators and discriminators, without those nested in another."""
    for child in game.children():
        if isinstance(child, NETWORKS):
            yield child
        else:
            yield from networks_of(child)


def checkpoint_activations(network: nn.Module) -> None:
    """Makes a network store only its inputs for the backward pass, which runs its `forward` a second time.

    The resulting weights are the same: the second pass uses the random numbers and buffers (statistics of batch norm,
    vectors of spectral norm) of the first, and leaves the buffers unchanged.
    """
    forward = network.forward

    def checkpointed_forward(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        saved_buffers = {place: buffer.clone() for place, buffer in _buffers(network).items()}

        def recompute_contexts() -> tuple[AbstractContextManager[None], RestoredBuffers]:
            return nullcontext(), RestoredBuffers(network, saved_buffers)

        return checkpoint(forward, *inputs, use_reentrant=False, context_fn=recompute_contexts, **named)

    setattr(network, "forward", checkpointed_forward)  # noqa: B010  # on the instance, so that the state dict's names stay the same


class RestoredBuffers:
    """Inside, a network has copies of saved buffers; on leaving, its own again. Reusable."""

    def __init__(self, network: nn.Module, saved_buffers: dict[tuple[nn.Module, str], Tensor]) -> None:
        self.network = network
        self.saved_buffers = saved_buffers

    def __enter__(self) -> None:
        self.own = _buffers(self.network)
        for (module, name), buffer in self.saved_buffers.items():
            setattr(module, name, buffer.clone())

    def __exit__(self, *_: object) -> None:
        for (module, name), buffer in self.own.items():
            setattr(module, name, buffer)


def _buffers(network: nn.Module) -> dict[tuple[nn.Module, str], Tensor]:
    return {
        (module, name): buffer for module in network.modules() for name, buffer in module.named_buffers(recurse=False)
    }
