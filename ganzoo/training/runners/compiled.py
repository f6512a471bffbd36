"""Rounds whose networks are compiled by torch.compile; everything between the networks stays eager."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from ganzoo.core.game import Game
from ganzoo.plugins import error_text
from ganzoo.training.runners.eager import training_step
from ganzoo.training.runners.graph_probe import FrozenPlayers, FrozenPlayersGame, players_to_freeze, probe_game
from ganzoo.training.runners.runner import Runner, UnsupportedByRunner

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class CompiledNetworksRunner(Runner):
    """Plays one round at a time with compiled networks.

    A compiled backward pass computes every gradient that it was traced with, so players that do not move are frozen:
    each network has a compiled variant with gradients and one without. A network that is differentiated twice stays
    eager: torch.compile refuses it, and some versions silently drop the second gradient (pytorch issues 91469 and
    181581).

    Raises: UnsupportedByRunner if no network can be compiled.
    """

    name = "compile"

    def __init__(self, training: Training, reason: str) -> None:
        super().__init__(training, reason)
        probe = probe_game(training)
        names = [name for name in probe.networks if name not in probe.differentiated_twice]
        if not names:
            raise UnsupportedByRunner(
                "every network is under a gradient penalty, which torch.compile cannot differentiate"
            )
        self.networks = [training.game.get_submodule(name) for name in names]
        self.game = cast(Game, FrozenPlayersGame(training, players_to_freeze(training, probe)))
        compile_networks(self.networks)
        try:
            with training.rehearsed(), warnings.catch_warnings():
                # torch.compile reads the gradient of every tensor that it traces, which triggers this warning.
                warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
                training_step(training, self.game)
        except Exception as error:
            restore_networks(self.networks)
            raise UnsupportedByRunner(f"torch.compile failed: {first_line(error)}") from error
        if probe.differentiated_twice:
            twice = ", ".join(sorted(probe.differentiated_twice))
            self.reason += f"; not compiled, for a penalty differentiates it twice: {twice}"

    @property
    def frozen(self) -> FrozenPlayers:
        """For each move the players that are frozen."""
        return cast(FrozenPlayersGame, self.game).frozen

    def advance(self, max_rounds: int) -> None:
        """One round."""
        training_step(self.training, self.game)

    def evaluation_context(self) -> AbstractContextManager[object]:
        """Networks run eagerly: grids have another batch size and would trigger a recompilation."""
        stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
        return stance


def compile_networks(networks: Sequence[nn.Module]) -> None:
    """Replaces each network's `forward` by a compiled one; names of weights stay the same.

    Compilation happens at the first call. Dropout uses eager random numbers (`fallback_random`), so that all runners
    give the same run.
    """
    for network in networks:
        forward = torch.compile(network.forward, dynamic=False, options={"fallback_random": True})
        setattr(network, "forward", forward)  # noqa: B010  # on the instance


def restore_networks(networks: Sequence[nn.Module]) -> None:
    """Undoes `compile_networks`."""
    for network in networks:
        vars(network).pop("forward", None)


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, with its type; the type alone if there is no message."""
    filled = (line.strip() for line in error_text(error).splitlines() if line.strip())
    return ": ".join([type(error).__name__, *list(filled)[:1]])
