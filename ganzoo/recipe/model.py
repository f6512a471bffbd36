"""A recipe after every check: what a run is assembled from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, Len

from ganzoo.plugins import Entry

Seed = Annotated[int, Interval(ge=0, lt=2**63)]


@dataclass(frozen=True, slots=True)
class Choice:
    """A component and its options, every default spelled out; `filled` names those that the data will fill in.

    table: the recipe's table that chose it ("generator", "optimizer.discriminator", "regularizer[0]").
    """

    table: str
    entry: Entry
    options: Mapping[str, Any]
    filled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """The [train] table: the budget, and what is written when. One of `epochs` and `steps` is given.

    epochs: passes over the data; steps: rounds of the game's `play`; batch_size: real samples a draw;
    seed: of everything random; precision: "bf16" runs the networks under autocast; runner: how a round is played, the
    same in all but speed ("auto": by the device, the game and the steps); checkpoint_activations: networks compute a
    second time what the backward pass needs, in the place of keeping it;
    log_every, sample_every, checkpoint_every: in steps, 0 for never (checkpoints at the start and end stay);
    samples: how many a grid shows; keep: how many checkpoints stay on disk;
    data: where the real samples live; workers: processes that read them where they are streamed. These two change where
    and how fast a run goes, and nothing of what it computes.
    on_nan: what follows on values that are not finite: "stop", or "rollback" to the last good checkpoint, with every
    learning rate multiplied by rollback_lr_factor, rollback_times at most.
    """

    epochs: Annotated[int, Ge(1)] | None = None
    steps: Annotated[int, Ge(1)] | None = None
    batch_size: Annotated[int, Interval(ge=1, le=2**20)] = 64
    seed: Seed = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    runner: Literal["auto", "eager", "compile", "cudagraph"] = "auto"
    checkpoint_activations: bool = False
    log_every: Annotated[int, Ge(0)] = 50
    sample_every: Annotated[int, Ge(0)] = 400
    samples: Annotated[int, Interval(ge=1, le=1024)] = 64
    checkpoint_every: Annotated[int, Ge(0)] = 1000
    keep: Annotated[int, Ge(1)] = 3
    data: Literal["auto", "device", "stream"] = "auto"
    workers: Annotated[int, Interval(ge=0, le=256)] | None = None
    on_nan: Literal["stop", "rollback"] = "stop"
    rollback_times: Annotated[int, Interval(ge=1, le=100)] = 3
    rollback_lr_factor: Annotated[float, Interval(gt=0.0, lt=1.0)] = 0.5
    stop: Stop | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The [train.stop] table: reasons to end before the budget is spent, looked at whenever a row is logged.

    seconds: of training, summed over resumes; metric: a logged name ("loss/generator", "d_real"), with `target`
    (stop once it is reached) or `patience` (stop after so many rows without a new best); direction: the better way.
    """

    seconds: Annotated[float, Gt(0)] | None = None
    metric: Annotated[str, Len(1)] | None = None
    target: float | None = None
    patience: Annotated[int, Ge(1)] | None = None
    direction: Literal["down", "up"] = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The [start] table: the weights that training begins with, and what of the networks does not learn.

    source (`from` in a recipe): a run, the folder of one of its checkpoints, or a .safetensors file; players: whose
    weights are taken from it, by default those of all players that it has and the game has; ema: whether averaged
    weights are taken, of players that have any; freeze: modules and parameters that stay as they are, by their path
    under a player ("discriminator.network.0").
    """

    source: Annotated[str, Len(1)] | None = None
    players: Annotated[tuple[str, ...], Len(1)] | None = None
    ema: bool = True
    freeze: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ema:
    """The [ema] table: exponential moving averages of players' weights, which grids and samples use.

    decay: the share of the old average kept at each step, less of it early on, where the memory is a ninth of the steps
    so far; players: whose weights; every: steps between updates (the decay is raised to that power, so that the
    average's memory in steps is the same); warmup: steps before which the memory is shorter still, in proportion to the
    steps so far; statistics: whether the statistics of batch norms are averaged as the weights are, or copied.
    """

    defaults_of_older_runs: ClassVar[Mapping[str, Any]] = {"warmup": 0, "statistics": False}

    decay: Annotated[float, Interval(ge=0.0, lt=1.0)] = 0.999
    players: tuple[str, ...] = ("generator",)
    every: Annotated[int, Ge(1)] = 1
    warmup: Annotated[int, Ge(0)] = 1000
    statistics: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """The [evaluate] table: scores of a run while it trains, in the rows of metrics.jsonl, and its best checkpoint.

    every: steps between two, a multiple of train.log_every; metrics: names, or tables with a name and options;
    n: generated samples, the same latents every time; split: of the real data; extractor: a name or a table, without
    which it is the one that suits the data; best: the score that decides which checkpoint is the best, by default the
    first one. scores: the names of all, which the metrics say and no recipe.
    """

    every: Annotated[int, Ge(1)]
    metrics: tuple[Choice, ...] = ()
    n: Annotated[int, Interval(ge=2, le=1_000_000)] = 2000
    split: Literal["test", "train"] = "test"
    extractor: Choice | None = None
    best: Annotated[str, Len(1)] | None = None
    scores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an effective value comes from, for `ganzoo show`: "mine.toml:7", "--set a=1", "default of ganzoo 0.1.0".

    is_default: nobody wrote it.
    """

    text: str
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One run, decided. Two recipes are equal if they play the same run, wherever they were written.

    name: of its file; description: the author's line. clip_norms: player -> the largest norm of its gradient, from
    [optimizer.PLAYER] clip_norm. values: the whole recipe as a TOML-able mapping, every default spelled out; origins:
    each leaf's key path ("generator.hidden", "regularizer[0].weight") -> where it comes from; places: the key path of
    everything that was written, tables too -> where ("mine.toml:7"); file: the recipe's.
    """

    name: str = field(compare=False)
    description: str
    game: Choice
    generator: Choice | None
    discriminator: Choice | None
    loss: Choice | None
    regularizers: tuple[Choice, ...]
    augmentations: tuple[Choice, ...] = ()
    dataset: Choice
    fallback: Choice | None
    optimizers: Mapping[str, Choice]
    schedules: Mapping[str, Choice]
    clip_norms: Mapping[str, float] = field(default_factory=dict)
    start: Start | None = None
    ema: Ema | None
    train: Train
    evaluate: Evaluate | None = None
    values: Mapping[str, Any] = field(repr=False)
    origins: Mapping[str, Origin] = field(repr=False, compare=False)
    places: Mapping[str, str] = field(repr=False, compare=False, default_factory=dict)
    file: str = field(compare=False, default="")

    def place(self, path: str) -> str:
        """Where a key stands, or else the first that is inside it, or else the nearest around it, or else the file."""
        inside = (place for key, place in self.places.items() if path and key.startswith((f"{path}.", f"{path}[")))
        if path not in self.places and (first := next(inside, None)):
            return first
        while path:
            if path in self.places:
                return self.places[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.file or self.name

    def choices(self) -> Iterator[Choice]:
        """Every component that the recipe names, in the order of its tables."""
        single = (self.game, self.generator, self.discriminator, self.loss, *self.regularizers, *self.augmentations)
        yield from (choice for choice in (*single, self.dataset, self.fallback) if choice)
        yield from self.optimizers.values()
        yield from self.schedules.values()
        if self.evaluate:
            yield from self.evaluate.metrics
            if self.evaluate.extractor:
                yield self.evaluate.extractor
