"""[evaluate] at work: a light version of the same scores, while a run trains."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch
from ganzoo.core.game import Game
from ganzoo.core.random_streams import derived, own_randomness
from ganzoo.datasets.obtain import Obtained
from ganzoo.metrics.judge import Judge, UnusableSamples, draw_samples
from ganzoo.recipe.model import Evaluate
from ganzoo.runs.score import Better


class Evaluation:
    """Scores a game now and then, from the same latents against the same real samples, and knows the best so far.

    conditions: what the game's samples are made for; say: told in a few words what takes long. `state` is saved with
    checkpoints. Whatever is drawn here, training's random streams stay as they are.
    Raises: MetricError where a metric does not fit the data, or the extractor cannot be had.
    """

    def __init__(
        self,
        plan: Evaluate,
        obtained: Obtained,
        *,
        conditions: Sequence[str] = (),
        seed: int,
        device: torch.device,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.plan = plan
        self.seed = seed
        self.device = device
        self.train = obtained.data
        with own_randomness(device):
            self.judge = Judge(
                obtained.dataset,
                obtained.root,
                metrics=plan.metrics,
                conditions=conditions,
                extractor=plan.extractor,
                n=plan.n,
                split=plan.split,
                seed=seed,
                device=device,
                say=say,
            )
        self.better: dict[str, Better] = {}
        for task in self.judge.tasks:
            self.better |= task.metric.gives
        for task in self.judge.tasks:  # what cannot be computed is said now, and not after an hour
            self.judge.numbers(self.judge.real, task, 0)
        self.deciding = plan.best or next(iter(self.better))
        self.state: dict[str, Any] = {"best": None, "step": None}

    def draw(self, game: Game) -> tuple[Tensor, Batch] | None:
        """The samples to score, with their conditions, of the game as it is now, in whatever mode it is in.

        None, with a warning, where they are unusable: this step has no scores, and training goes on.
        """
        try:
            return self.samples(game)
        except UnusableSamples as error:
            warnings.warn(f"no scores at this step: {error.what}", stacklevel=2)
            return None

    def samples(self, game: Game) -> tuple[Tensor, Batch]:
        """The same. Raises: UnusableSamples."""
        return draw_samples(game, self.judge.n, derived(self.seed, 0), self.device, self.train, self.judge.kinds)

    def scores(self, raw: Tensor, conditions: Batch) -> dict[str, float]:
        """Every number of every metric, by name; one that is not finite is left out."""
        fake = self.judge.look(raw, conditions)
        found: dict[str, float] = {}
        for task in self.judge.tasks:
            found |= self.judge.numbers(fake, task, derived(self.seed, 0))
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def beats(self, scores: Mapping[str, float]) -> bool:
        """Whether the deciding score is better than the one to beat."""
        value = scores.get(self.deciding)
        best: float | None = self.state["best"]
        if value is None or best is None:
            return value is not None
        return value < best if self.better[self.deciding] == "down" else value > best

    def keep(self, scores: Mapping[str, float], step: int) -> None:
        """Makes this step's deciding score the one to beat."""
        self.state = {"best": scores[self.deciding], "step": step}
