"""Consistency checks within the tables [train], [train.stop] and [evaluate], after their values were checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ganzoo.recipe.keys import Key
from ganzoo.recipe.messages import describe_value
from ganzoo.recipe.model import Evaluate, Start, Stop, Train

Inconsistency = tuple[Key, str, str]
"""(key, problem, remedy)."""


def check_budget(train: Mapping[str, Any], place: Callable[[Key], str]) -> Iterator[Inconsistency]:
    """Checks that [train] has exactly one budget. place: gives the place of a key."""
    if "epochs" in train and "steps" in train:
        what = f"train.steps and train.epochs ({place(('train', 'epochs'))}) are two budgets."
        yield ("train", "steps"), what, "Keep one: epochs for passes over the data, steps for rounds."
    elif "epochs" not in train and "steps" not in train:
        yield ("train",), "train has no budget.", "Write epochs = 10 or steps = 20000."


def check_stop(stop: Stop) -> Iterator[Inconsistency]:
    """Checks that [train.stop] has a metric if and only if it has a target or a patience."""
    where: Key = ("train", "stop")
    if stop.metric is None:
        for name in ("target", "patience"):
            if getattr(stop, name) is not None:
                what = f"train.stop.{name} needs train.stop.metric."
                yield (*where, name), what, 'Write metric = "loss/generator" or another logged name.'
    elif stop.target is None and stop.patience is None:
        what = "train.stop.metric needs train.stop.target or train.stop.patience."
        yield (*where, "metric"), what, "Write target = 0.1, or patience = 20 for 20 rows without a new best."


def check_start(start: Start) -> Iterator[Inconsistency]:
    """Checks that [start] has an effect, and that `players` comes with `from`."""
    if start.source is None and start.players is not None:
        yield (
            ("start", "players"),
            "start.players needs start.from.",
            'Write from = "runs/...", whose weights they are.',
        )
    elif start.source is None and not start.freeze:
        what = "start has neither start.from nor start.freeze."
        yield ("start",), what, 'Write from = "runs/..." to begin with the weights of a run.'


def check_evaluate(evaluate: Evaluate, train: Train | None) -> Iterator[Inconsistency]:
    """Checks that [evaluate] scores at steps with a row, and that `best` is one of its scores."""
    if train and (not train.log_every or evaluate.every % train.log_every):
        what = f"evaluate.every should be a multiple of train.log_every ({train.log_every}), whose rows hold scores"
        rows = train.log_every and max(1, round(evaluate.every / train.log_every)) * train.log_every
        remedy = f"Write every = {rows}." if rows else "Write log_every = 50 in [train]."
        yield ("evaluate", "every"), f"{what}; found {evaluate.every}.", remedy
    if evaluate.best is not None and evaluate.best not in evaluate.scores:
        what = f"evaluate.best should be one of the scores; found {describe_value(evaluate.best)}."
        yield ("evaluate", "best"), what, f"There are: {', '.join(evaluate.scores)}."
