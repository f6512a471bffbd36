"""Rounds whose networks are compiled by torch.compile; everything between the networks stays as it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from ganzoo.core.game import Game
from ganzoo.training.runners.eager import one_round
from ganzoo.training.runners.graph_probe import StandStill, Still, look, who_stands_still
from ganzoo.training.runners.runner import CannotPlay, Runner

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class Compiled(Runner):
    """Plays a round at a time through compiled networks.

    A compiled backward pass computes every gradient that it was traced with, so players that stand still are frozen;
    each network has a variant for either. A network that is differentiated twice is left as it is: torch.compile
    refuses that, and some versions lose the second gradient without a word (pytorch issues 91469 and 181581).

    Raises: CannotPlay where nothing can be compiled.
    """

    name = "compile"

    def __init__(self, training: Training, reason: str) -> None:
        super().__init__(training, reason)
        sight = look(training)
        names = [name for name in sight.networks if name not in sight.twice]
        if not names:
            raise CannotPlay("every network is under a gradient penalty, which torch.compile cannot differentiate")
        self.networks = [training.game.get_submodule(name) for name in names]
        self.game = cast(Game, StandStill(training, who_stands_still(training, sight)))
        compile_networks(self.networks)
        try:
            with training.rehearsed(), warnings.catch_warnings():
                # torch.compile asks every tensor that it traces for a gradient, and torch warns of it.
                warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
                one_round(training, self.game)
        except Exception as error:
            restore_networks(self.networks)
            raise CannotPlay(f"torch.compile failed: {first_line(error)}") from error
        if sight.twice:
            self.reason += f"; not compiled, for a penalty differentiates it twice: {', '.join(sorted(sight.twice))}"

    @property
    def still(self) -> Still:
        """The players that each move freezes."""
        return cast(StandStill, self.game).still

    def advance(self, most: int) -> None:
        """One round."""
        one_round(self.training, self.game)

    def aside(self) -> AbstractContextManager[object]:
        """Networks run uncompiled: a grid has another batch size, and would be compiled for itself."""
        stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
        return stance


def compile_networks(networks: Sequence[nn.Module]) -> None:
    """Lets each network's `forward` be compiled when it is first called; names of weights stay what they are.

    Dropout draws as it does uncompiled (`fallback_random`), or another runner would be another run.
    """
    for network in networks:
        forward = torch.compile(network.forward, dynamic=False, options={"fallback_random": True})
        setattr(network, "forward", forward)  # noqa: B010  # on the instance


def restore_networks(networks: Sequence[nn.Module]) -> None:
    """The inverse of `compile_networks`."""
    for network in networks:
        vars(network).pop("forward", None)


def first_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    return next(lines(error), type(error).__name__)


def lines(error: BaseException) -> Iterator[str]:
    """The lines of a message that say something."""
    yield from (f"{type(error).__name__}: {line.strip()}" for line in str(error).splitlines() if line.strip())
