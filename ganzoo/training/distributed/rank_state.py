"""What the ranks of a run have in common, and what each has of its own.

Weights and optimizer states are the same everywhere: all begin with those of rank 0, and take the same steps. Batch
statistics, a pool of images, random streams and the sums of what moves log are each rank's, and lie in the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ganzoo.training.distributed.ranks import Ranks


def check_weights(ranks: Ranks, weights: Iterable[Tensor], step: int) -> None:
    """Raises: TrainingFailed where the ranks have no longer the same weights, FailedElsewhere on all but rank 0."""
    if not ranks.several:
        return
    digest = hashlib.sha256()
    for tensor in weights:
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    ranks.check_same(
        f"step {step}: the weights",
        digest.hexdigest(),
        remedy="A network or a game that changes weights by itself has to do so alike on every rank; the last "
        "checkpoint is from before.",
    )


def gather_own(
    ranks: Ranks, game: nn.Module, state: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Tensor]], list[Any]]:
    """What the ranks after the first have of their own, on rank 0: as "rank-1" the tensors of `game` that no optimizer
    changes, and each one's JSON-able `state`, in their order. Nothing on the others, and where there is one rank.
    """
    if not ranks.several:
        return {}, []
    own = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in game.state_dict(keep_vars=True).items()
        if not isinstance(value, nn.Parameter)
    }
    states = [json.loads(content) for content in ranks.gathered(json.dumps(state).encode())[1:]]
    tensors = {f"rank-{rank}": load(content) for rank, content in enumerate(ranks.gathered(save(own))) if rank}
    return {name: held for name, held in tensors.items() if held}, states


def take_own(ranks: Ranks, game: nn.Module, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Gives `game` the tensors that `gather_own` found on this rank; those of rank 0 are not kept apart."""
    if not ranks.first:
        game.load_state_dict(tensors.get(f"rank-{ranks.rank}", {}), strict=False)
