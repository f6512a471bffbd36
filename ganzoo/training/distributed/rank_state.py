"""State that is equal on all ranks of a run, and state that each rank has of its own.

Weights and optimizer states are equal: all ranks start with those of rank 0 and take the same steps. Batch statistics,
image pools, random streams and sums of logged values differ between ranks; the checkpoint holds those of every rank.
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


def check_same_weights(ranks: Ranks, weights: Iterable[Tensor], step: int) -> None:
    """Raises: TrainingFailed on rank 0 and FailedElsewhere on the others if the ranks' weights differ."""
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


def gather_rank_state(
    ranks: Ranks, game: nn.Module, state: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Tensor]], list[Any]]:
    """Gathers on rank 0 the state of the other ranks.

    Returns: the tensors of each rank's `game` that no optimizer changes, as "rank-1", "rank-2", ...; and each rank's
    JSON-serialisable `state`, in the order of ranks. Both are empty on other ranks, and if there is only one.
    """
    if not ranks.several:
        return {}, []
    own = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in game.state_dict(keep_vars=True).items()
        if not isinstance(value, nn.Parameter)
    }
    states = [json.loads(content) for content in ranks.gather(json.dumps(state).encode())[1:]]
    tensors = {f"rank-{rank}": load(content) for rank, content in enumerate(ranks.gather(save(own))) if rank}
    return {name: held for name, held in tensors.items() if held}, states


def load_rank_state(ranks: Ranks, game: nn.Module, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Loads the tensors that `gather_rank_state` got from this rank; those of rank 0 are in the game's own state."""
    if not ranks.first:
        game.load_state_dict(tensors.get(f"rank-{ranks.rank}", {}), strict=False)
