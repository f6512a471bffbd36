"""Seconds of training until a recipe reaches a target FID, compared with a loop as in tutorials.

    python benchmarks/quality_time.py RECIPE_OR_RUN ... [--target 100 50 ...] [--plain] [--score fid]
                                      [--extractor digits] [--samples 2000] [--every 250] [--limit 600] [--cpu-time]
                                      [--set KEY=VALUE ...] [--device cpu] [--threads N]

A recipe is trained until its score reaches the last target, its budget is spent, or --limit seconds of training are
over. --plain also trains a loop as in tutorials (`plain_loops.py`) over the same networks, with the same initial
weights and learning rates; only `vanilla_mnist`, `dcgan_mnist` and `wgan_gp_mnist` have one. The two alternate in one
process, `--every` steps at a time, and are scored in the same way: --samples samples from the same latents, in
evaluation mode, against the test split. ganzoo's samples come from the averaged weights of its recipe's [ema], which
the plain loop does not have: --set ema.decay=0.0 disables averaging. The time for scoring is not counted. A run's
directory is only read.

The columns of targets show the seconds of training and the step of the first score at or below the target, at most
--every steps too late; "not in" shows the time of trainings that did not reach it, and "x" the speed-up of ganzoo. The
figures are for one seed: another (--set train.seed=1) changes a time as much as another recipe does.

--cpu-time counts the process's CPU time instead of wall time, for a machine with other load; it is only meaningful with
one thread.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from plain_loops import Play, is_same_algorithm, plain_loop_over
from rich.console import Console
from rich.table import Table
from step_speed import ganzoo_loop, processor, synchronized
from torch import Tensor

import ganzoo
from ganzoo import GanzooError
from ganzoo.core.data import Batch
from ganzoo.core.random_streams import random_states, restore_random_states, seed_everything
from ganzoo.datasets.obtain import Obtained, obtain
from ganzoo.datasets.root import data_root
from ganzoo.errors import TrainingFailed
from ganzoo.metrics.during_training import Evaluation
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_dataset, build_game
from ganzoo.training.assembly import assemble, evaluation_of
from ganzoo.training.device import choose_device
from ganzoo.training.runners.choice import choose_runner


@dataclass(slots=True)
class TrainingHistory:
    """The scores of one training: a row for each score, with `step`, `seconds` and the score by its name."""

    recipe: str
    data: str
    loop: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def reached(self, score: str, target: float) -> dict[str, Any] | None:
        """The first row whose score is as low as the target."""
        return next((row for row in self.rows if row.get(score, math.inf) <= target), None)

    @property
    def milliseconds(self) -> str:
        """The mean time of a step in milliseconds."""
        return f"{1e3 * self.rows[-1]['seconds'] / self.rows[-1]['step']:.1f}" if self.rows else "-"


@dataclass(slots=True)
class TimedLoop:
    """A loop in training. samples: draws samples to be scored; streams: its random states."""

    history: TrainingHistory
    play: Play
    samples: Callable[[], tuple[Tensor, Batch]]
    evaluation: Evaluation
    streams: dict[str, Tensor]
    steps: int = 0
    seconds: float = 0.0

    def turn(self, steps: int, clock: Callable[[], float]) -> None:
        """Trains `steps` steps, which are timed, and scores the result, which is not. Raises: TrainingFailed."""
        restore_random_states(self.streams, self.evaluation.device)
        began = clock()
        self.play(steps)
        self.seconds += clock() - began
        self.streams = random_states(self.evaluation.device)
        self.steps += steps
        scores = self.evaluation.scores(*self.samples())
        self.history.rows.append({"step": self.steps, "seconds": self.seconds, **scores})
        result = ", ".join(f"{name} {value:.1f}" for name, value in scores.items()) or "no score: not finite"
        message = f"{self.history.recipe}, {self.history.loop}: step {self.steps:,}, {self.seconds:,.1f} s, {result}"
        print(message, file=sys.stderr, flush=True)


def recipe_with_scores(name: str, options: argparse.Namespace) -> Recipe:
    """The recipe, with an [evaluate] table for the requested score."""
    scores = [f"evaluate.{key}" for key in (f"every={options.every}", f"n={options.samples}", "split=test")]
    scores += [f'evaluate.metrics=["{options.score}"]', f'evaluate.extractor="{options.extractor}"']
    return read_recipe(name, overrides=[*options.set, *scores])


def train(recipe: Recipe, options: argparse.Namespace, histories: list[TrainingHistory]) -> None:
    """Adds the history of ganzoo's training of a recipe, and with --plain that of its plain loop, if there is one."""
    device = choose_device(options.device)
    obtained = obtain(recipe.dataset, recipe.fallback, data_root(options.data_root), allow_fallback=True)
    rehearsal = dry_run(recipe, obtained.info)
    obtained = obtained.load(device, recipe.train.data)
    evaluation = evaluation_of(recipe, obtained, rehearsal, device)
    assert evaluation is not None  # the overrides ask for it
    found = []
    if options.plain and is_same_algorithm(recipe, obtained.info):
        found.append(plain_timed_loop(recipe, obtained, evaluation))
    elif options.plain:
        print(f"{recipe.name}: no plain loop is the same algorithm; ganzoo's is trained alone.", file=sys.stderr)
    seed_everything(recipe.train.seed)
    training = assemble(recipe, obtained, rehearsal, device, evaluation)
    streams = random_states(device)
    training.runner = choose_runner(training)

    def samples() -> tuple[Tensor, Batch]:
        with training.shown():
            return evaluation.samples(training.game)

    history = TrainingHistory(recipe.name, obtained.choice.entry.name, f"ganzoo, {training.runner.name}")
    play = synchronized(ganzoo_loop(training), device)
    found.append(TimedLoop(history, play, samples, evaluation, streams))
    histories += [loop.history for loop in found]
    try:
        train_in_turns(found, training.total_steps, options)
    finally:
        training.data.close()


def plain_timed_loop(recipe: Recipe, obtained: Obtained, evaluation: Evaluation) -> TimedLoop:
    """The plain loop, with ganzoo's initial weights."""
    device = evaluation.device
    seed_everything(recipe.train.seed)
    game = build_game(recipe, obtained.info).to(device)

    def samples() -> tuple[Tensor, Batch]:
        game.eval()
        try:
            return evaluation.samples(game)
        finally:
            game.train()

    play = synchronized(plain_loop_over(game, recipe, obtained.examples, device), device)
    history = TrainingHistory(recipe.name, obtained.choice.entry.name, "plain loop")
    return TimedLoop(history, play, samples, evaluation, random_states(device))


def train_in_turns(found: list[TimedLoop], total: int, options: argparse.Namespace) -> None:
    """Trains in turns until each reaches the last target, its budget or time is spent, or its score is not finite."""
    clock = time.process_time if options.cpu_time else time.perf_counter
    left = list(found)
    while left:
        for loop in tuple(left):
            try:
                loop.turn(min(options.every, total - loop.steps), clock)
                broken = options.score not in loop.history.rows[-1]
            except TrainingFailed as error:
                print(f"{loop.history.recipe}, {loop.history.loop}: {error}", file=sys.stderr)
                broken = True
            there = loop.history.reached(options.score, min(options.target))
            if broken or there or loop.steps >= total or loop.seconds >= options.limit:
                left.remove(loop)


def read_history(directory: str, options: argparse.Namespace) -> TrainingHistory:
    """The history of a run with such scores. Raises: GanzooError where its scores have another protocol, or none."""
    run = ganzoo.load(directory)
    plan = run.recipe.evaluate
    rows = [row for row in run.metrics if options.score in row]
    if plan is None or not rows:
        raise GanzooError(f"{directory}: no row has a {options.score}: its recipe has no [evaluate] table with it.")
    suits = build_dataset(run.data_choice).info(data_root(options.data_root)).extractor
    extractor = plan.extractor.entry.name if plan.extractor else suits
    if (extractor, plan.n, plan.split) != (options.extractor, options.samples, "test"):
        raise GanzooError(
            f"{directory} was scored by {plan.n} samples, the extractor {extractor} and the {plan.split} split, "
            f"and not by {options.samples}, {options.extractor} and test: these do not stand in one table."
        )
    if options.cpu_time:
        raise GanzooError(f"{directory}: a run knows the wall's seconds only, and --cpu-time counts others.")
    return TrainingHistory(run.recipe.name, run.facts["dataset"]["name"], "a run, read", rows)


def result_table(histories: list[TrainingHistory], options: argparse.Namespace) -> Table:
    """Seconds and steps by target, the best score, and milliseconds a step."""
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    clock = "CPU time" if options.cpu_time else "wall time"
    title = f"seconds of training until {options.score} ({options.extractor}, {options.samples:,} samples), {clock}"
    device = choose_device(options.device)
    table = Table(title=title, caption=f"{processor(device)}, torch {torch.__version__}{load}")
    targets = sorted(options.target, reverse=True)
    for column in ("recipe", "on", "loop", *(f"{target:g}" for target in targets), "best", "ms a step"):
        table.add_column(column, justify="left" if column in ("recipe", "on", "loop") else "right")
    plain = None
    for history in histories:
        plain = history if history.loop == "plain loop" else plain if plain and plain.recipe == history.recipe else None
        cells = [cell(history, plain, options.score, target) for target in targets]
        best = min((row[options.score] for row in history.rows if options.score in row), default=math.nan)
        table.add_row(history.recipe, history.data, history.loop, *cells, f"{best:.1f}", history.milliseconds)
    return table


def cell(history: TrainingHistory, plain: TrainingHistory | None, score: str, target: float) -> str:
    """The time at which a target was reached, and the speed-up over the plain loop."""
    row = history.reached(score, target)
    if row is None:
        return f"not in {history.rows[-1]['seconds']:,.0f} s" if history.rows else "not at all"
    slower = plain.reached(score, target) if plain and plain is not history else None
    times = f", {slower['seconds'] / row['seconds']:.1f} x" if slower else ""
    return f"{row['seconds']:,.1f} s ({row['step']:,}){times}"


def train_and_read(options: argparse.Namespace, histories: list[TrainingHistory]) -> None:
    """Adds the histories of runs, and those of recipes, which are trained. Raises: GanzooError."""
    if not all(0 < target < math.inf for target in options.target) or options.every < 1 or not options.limit > 0:
        raise GanzooError("--target, --every and --limit are numbers above 0.")
    if options.cpu_time and torch.get_num_threads() > 1:
        raise GanzooError("--cpu-time means something with --threads 1 only.")
    runs = [what for what in options.what if (Path(what) / "run.json").exists()]
    if options.plain and runs:
        raise GanzooError(f"--plain trains beside a recipe, and {runs[0]} is a run, which is only read.")
    recipes = [
        recipe_with_scores(what, options) for what in options.what if what not in runs
    ]  # what is wrong is said at once
    histories += [read_history(run, options) for run in runs]
    for recipe in recipes:
        train(recipe, options, histories)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, after Ctrl-C with the results so far. Exit status 2: the input was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="RECIPE_OR_RUN")
    parser.add_argument("--target", nargs="+", type=float, default=[100.0, 50.0])
    parser.add_argument("--plain", action="store_true", help="beside a tutorial's loop")
    parser.add_argument("--score", default="fid", choices=("fid", "kid"), help="lower is better in both")
    parser.add_argument("--extractor", default="digits")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--every", type=int, default=250, metavar="STEPS", help="a multiple of train.log_every")
    parser.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="of training, for each loop")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of ganzoo run")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--data-root", default=None)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    histories: list[TrainingHistory] = []
    status = 0
    try:
        train_and_read(options, histories)
    except GanzooError as error:
        print(error, file=sys.stderr)
        status = error.exit_status
    except KeyboardInterrupt:
        status = 130
    if any(history.rows for history in histories):  # what is known already is not lost
        Console(width=150).print(result_table(histories, options))
    return status


if __name__ == "__main__":
    sys.exit(main())
