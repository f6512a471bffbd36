"""Do the numbers that a run goes on from stay numbers? Weights, running statistics and optimizers' states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from ganzoo.core.loop import Player


class FiniteState:
    """Looks for NaN and infinity in all that a checkpoint holds of the players.

    A loss can be huge and finite: its gradient's square is infinite in Adam's second moment (arXiv:1412.6980,
    Algorithm 1), and every later step is divided by it. Such a player never moves again, and no loss says so.
    Buffers that are not finite from the beginning, such as the mask of an attention, are left out, and so are single
    numbers, which an optimizer may begin with infinity.
    """

    def __init__(self, players: Mapping[str, Player]) -> None:
        self.players = players
        self.left_out = {
            (name, key)
            for name, player in players.items()
            for key, buffer in player.module.named_buffers()
            if buffer.is_floating_point() and not bool(buffer.isfinite().all())
        }

    def largest(self) -> float:
        """The largest absolute value of all; not finite where one is not. The host waits for the device once."""
        return largest(tensor for _, tensor in self.tensors())

    def largest_of_each(self) -> dict[str, float]:
        """The same by what it is of: "weights/generator", "optimizer/generator.exp_avg_sq"."""
        groups: dict[str, list[Tensor]] = {}
        for name, tensor in self.tensors():
            groups.setdefault(name, []).append(tensor)
        return {name: largest(iter(tensors)) for name, tensors in groups.items()}

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Each tensor that must be finite, with the name of what it is a part of."""
        for name, player in self.players.items():
            for parameter in player.module.parameters():
                yield f"weights/{name}", parameter.detach()
            for key, buffer in player.module.named_buffers():
                if buffer.is_floating_point() and (name, key) not in self.left_out:
                    yield f"statistics/{name}", buffer
            for state in player.optimizer.state.values():
                for key, value in state.items():
                    if isinstance(value, Tensor) and value.is_floating_point() and value.ndim:
                        yield f"optimizer/{name}.{key}", value


@torch.no_grad()
def largest(tensors: Iterator[Tensor]) -> float:
    """The largest absolute value in the tensors, NaN where there is one: a reduction of all at once."""
    filled = [tensor for tensor in tensors if tensor.numel()]
    return float(get_total_norm(filled, norm_type=torch.inf)) if filled else 0.0
