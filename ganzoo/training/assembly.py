"""From a recipe and its loaded data to the live state of a run, at step 0."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from ganzoo.core.data import Source
from ganzoo.datasets.obtain import Obtained
from ganzoo.recipe.dry_run import DryRun
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.freezing import freeze
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_game
from ganzoo.training.activation_checkpointing import checkpoint_activations, networks_of
from ganzoo.training.device_data import DeviceData
from ganzoo.training.distributed import SINGLE_RANK, Ranks
from ganzoo.training.fine_tuning import StartWeights, load_start
from ganzoo.training.state import Training
from ganzoo.training.streamed_data import StreamedData

if TYPE_CHECKING:
    from ganzoo.metrics.during_training import Evaluation


def assemble(
    recipe: Recipe,
    obtained: Obtained,
    rehearsal: DryRun,
    device: torch.device,
    evaluation: Evaluation | None = None,
    ranks: Ranks = SINGLE_RANK,
    weights: StartWeights | None = None,
) -> Training:
    """The live state of a run of `recipe` on loaded data, at step 0, its networks drawn from the present stream.

    weights: what they begin with in the place of those. Raises: RecipeError where nothing of them fits.
    """
    game = build_game(recipe, obtained.info).to(device)
    began = load_start(weights, recipe, game.players()) if weights else {}
    frozen = freeze(recipe, game.players())
    info, train = obtained.info, recipe.train
    keys = dict.fromkeys(game.needs)
    data: DeviceData | StreamedData
    order: Any = {"batch_size": train.batch_size, "seed": train.seed, "device": device, "paired": info.paired}
    order |= {"shard": (ranks.rank, ranks.size), "to_unit": FieldKinds(info).to_unit}
    if isinstance(obtained.data, Source):
        data = StreamedData(obtained.data, keys, workers=train.workers, **order)
    else:
        data = DeviceData(obtained.data, keys, **order)
    draws = rehearsal.draws_per_round
    training = Training(recipe, game, data, 0, evaluation, ranks)
    training.draws = draws
    training.total_steps = training.budget()
    training.began = began | ({"frozen": frozen} if frozen else {})
    if train.checkpoint_activations:
        for network in networks_of(game):
            checkpoint_activations(network)
    return training


def evaluation_of(
    recipe: Recipe, obtained: Obtained, rehearsal: DryRun, device: torch.device, *, quiet: bool = False
) -> Evaluation | None:
    """What [evaluate] asks for, ready, so that what is wrong with it is known before anything is written.

    quiet: whether to keep to itself what it is doing, which may be learning to tell digits apart for a minute.
    """
    if recipe.evaluate is None:
        return None
    from ganzoo.metrics.during_training import Evaluation

    say = teller("evaluate", quiet=quiet)
    seed, conditions = recipe.train.seed, rehearsal.conditions
    return Evaluation(recipe.evaluate, obtained, conditions=conditions, seed=seed, device=device, say=say)


def teller(subject: str, *, quiet: bool) -> Callable[[str], None]:
    """What says what takes a while, on standard error; or keeps it to itself."""

    def say(what: str) -> None:
        if not quiet:
            print(f"[{subject}] {what} ...", file=sys.stderr)

    return say
