"""After how many seconds of training is a recipe's FID as good as asked for, and when is that of a tutorial's loop?

    python benchmarks/quality_time.py RECIPE_OR_RUN ... [--target 100 50 ...] [--plain] [--score fid]
                                      [--extractor digits] [--samples 2000] [--every 250] [--limit 600] [--cpu-time]
                                      [--set KEY=VALUE ...] [--device cpu] [--threads N]

A recipe is trained until its score reaches the last target, its budget is spent, or --limit seconds of training are
over. --plain trains beside it the loop that a tutorial would write (`plain_loops.py`) over the same networks, from the
same first weights, with the same rates; only `vanilla_mnist`, `dcgan_mnist` and `wgan_gp_mnist` have one. The two take
turns in one process, `--every` steps at a time, and are then scored in the same way: so many samples from the same
latents, in evaluation mode, against the test split. ganzoo shows the averages of its recipe's [ema], and a tutorial has
none: --set ema.decay=0.0 takes ganzoo's away. The time that scoring takes is nobody's. A run's directory is only read.

Columns of targets are seconds of training, and the step: of the first score that was as low, so that they are a little
late, by --every steps at the most; "not in" says for how long one was trained that did not get there, and "x" how many
times sooner ganzoo was. One seed is one seed: another (--set train.seed=1) moves a time as much as a recipe does.

--cpu-time counts the process's time instead of the wall's, for a machine where others are at work; it only means
something with one thread.
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
from plain_loops import Play, learns_the_same, loop_over
from rich.console import Console
from rich.table import Table
from step_speed import ganzoo_loop, processor, waited_for
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
from ganzoo.training.device import choose_device
from ganzoo.training.launch import assemble, evaluation_of
from ganzoo.training.runners.choice import choose_runner


@dataclass(slots=True)
class TrainingHistory:
    """What is known of one training: a row a score, with `step`, `seconds` and the score by its name."""

    recipe: str
    data: str
    loop: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def reached(self, score: str, target: float) -> dict[str, Any] | None:
        """The first row whose score is as low as the target."""
        return next((row for row in self.rows if row.get(score, math.inf) <= target), None)

    @property
    def milliseconds(self) -> str:
        """A step's, in the mean."""
        return f"{1e3 * self.rows[-1]['seconds'] / self.rows[-1]['step']:.1f}" if self.rows else "-"


@dataclass(slots=True)
class Contestant:
    """A loop in training. samples: what its generator makes now, to be scored; streams: its own random ones."""

    course: TrainingHistory
    play: Play
    samples: Callable[[], tuple[Tensor, Batch]]
    evaluation: Evaluation
    streams: dict[str, Tensor]
    steps: int = 0
    seconds: float = 0.0

    def turn(self, steps: int, clock: Callable[[], float]) -> None:
        """So many steps by the clock, and a score off it. Raises: TrainingFailed."""
        restore_random_states(self.streams, self.evaluation.device)
        began = clock()
        self.play(steps)
        self.seconds += clock() - began
        self.streams = random_states(self.evaluation.device)
        self.steps += steps
        scores = self.evaluation.scores(*self.samples())
        self.course.rows.append({"step": self.steps, "seconds": self.seconds, **scores})
        told = ", ".join(f"{name} {value:.1f}" for name, value in scores.items()) or "no score: not finite"
        said = f"{self.course.recipe}, {self.course.loop}: step {self.steps:,}, {self.seconds:,.1f} s, {told}"
        print(said, file=sys.stderr, flush=True)


def decided(name: str, options: argparse.Namespace) -> Recipe:
    """The recipe, with the scores that are asked for."""
    scores = [f"evaluate.{key}" for key in (f"every={options.every}", f"n={options.samples}", "split=test")]
    scores += [f'evaluate.metrics=["{options.score}"]', f'evaluate.extractor="{options.extractor}"']
    return read_recipe(name, overrides=[*options.set, *scores])


def train(recipe: Recipe, options: argparse.Namespace, courses: list[TrainingHistory]) -> None:
    """Adds ganzoo's training of a recipe to the courses, and with --plain, where there is one, the tutorial's."""
    device = choose_device(options.device)
    obtained = obtain(recipe.dataset, recipe.fallback, data_root(options.data_root), allow_fallback=True)
    rehearsal = dry_run(recipe, obtained.info)
    obtained = obtained.load(device, recipe.train.data)
    evaluation = evaluation_of(recipe, obtained, rehearsal, device)
    assert evaluation is not None  # the overrides ask for it
    found = []
    if options.plain and learns_the_same(recipe, obtained.info):
        found.append(plain_contestant(recipe, obtained, evaluation))
    elif options.plain:
        print(f"{recipe.name}: no plain loop is the same algorithm; ganzoo's is trained alone.", file=sys.stderr)
    seed_everything(recipe.train.seed)
    training = assemble(recipe, obtained, rehearsal, device, evaluation)
    streams = random_states(device)
    training.runner = choose_runner(training)

    def samples() -> tuple[Tensor, Batch]:
        with training.shown():
            return evaluation.samples(training.game)

    course = TrainingHistory(recipe.name, obtained.choice.entry.name, f"ganzoo, {training.runner.name}")
    play = waited_for(ganzoo_loop(training), device)
    found.append(Contestant(course, play, samples, evaluation, streams))
    courses += [contestant.course for contestant in found]
    try:
        compete(found, training.total_steps, options)
    finally:
        training.data.close()


def plain_contestant(recipe: Recipe, obtained: Obtained, evaluation: Evaluation) -> Contestant:
    """The tutorial's loop, from the weights that ganzoo begins with."""
    device = evaluation.device
    seed_everything(recipe.train.seed)
    game = build_game(recipe, obtained.info).to(device)

    def samples() -> tuple[Tensor, Batch]:
        game.eval()
        try:
            return evaluation.samples(game)
        finally:
            game.train()

    play = waited_for(loop_over(game, recipe, obtained.examples, device), device)
    course = TrainingHistory(recipe.name, obtained.choice.entry.name, "plain loop")
    return Contestant(course, play, samples, evaluation, random_states(device))


def compete(found: list[Contestant], total: int, options: argparse.Namespace) -> None:
    """Turns for each until it is at the last target, its budget is spent, its time is over, or its numbers broke."""
    clock = time.process_time if options.cpu_time else time.perf_counter
    left = list(found)
    while left:
        for contestant in tuple(left):
            try:
                contestant.turn(min(options.every, total - contestant.steps), clock)
                broken = options.score not in contestant.course.rows[-1]
            except TrainingFailed as error:
                print(f"{contestant.course.recipe}, {contestant.course.loop}: {error}", file=sys.stderr)
                broken = True
            there = contestant.course.reached(options.score, min(options.target))
            if broken or there or contestant.steps >= total or contestant.seconds >= options.limit:
                left.remove(contestant)


def read(directory: str, options: argparse.Namespace) -> TrainingHistory:
    """A run that has such scores. Raises: GanzooError for one that has others, or none."""
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


def result(courses: list[TrainingHistory], options: argparse.Namespace) -> Table:
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
    for course in courses:
        plain = course if course.loop == "plain loop" else plain if plain and plain.recipe == course.recipe else None
        cells = [cell(course, plain, options.score, target) for target in targets]
        best = min((row[options.score] for row in course.rows if options.score in row), default=math.nan)
        table.add_row(course.recipe, course.data, course.loop, *cells, f"{best:.1f}", course.milliseconds)
    return table


def cell(course: TrainingHistory, plain: TrainingHistory | None, score: str, target: float) -> str:
    """When a target was reached, and how many times sooner than by the plain loop."""
    row = course.reached(score, target)
    if row is None:
        return f"not in {course.rows[-1]['seconds']:,.0f} s" if course.rows else "not at all"
    slower = plain.reached(score, target) if plain and plain is not course else None
    times = f", {slower['seconds'] / row['seconds']:.1f} x" if slower else ""
    return f"{row['seconds']:,.1f} s ({row['step']:,}){times}"


def follow(options: argparse.Namespace, courses: list[TrainingHistory]) -> None:
    """Adds everything's course to the courses, the recipes as they are being trained. Raises: GanzooError."""
    if not all(0 < target < math.inf for target in options.target) or options.every < 1 or not options.limit > 0:
        raise GanzooError("--target, --every and --limit are numbers above 0.")
    if options.cpu_time and torch.get_num_threads() > 1:
        raise GanzooError("--cpu-time means something with --threads 1 only.")
    runs = [what for what in options.what if (Path(what) / "run.json").exists()]
    if options.plain and runs:
        raise GanzooError(f"--plain trains beside a recipe, and {runs[0]} is a run, which is only read.")
    recipes = [decided(what, options) for what in options.what if what not in runs]  # what is wrong is said at once
    courses += [read(run, options) for run in runs]
    for recipe in recipes:
        train(recipe, options, courses)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, after Ctrl-C as far as it has come. Exit status 2: the input was wrong."""
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
    courses: list[TrainingHistory] = []
    status = 0
    try:
        follow(options, courses)
    except GanzooError as error:
        print(error, file=sys.stderr)
        status = error.exit_status
    except KeyboardInterrupt:
        status = 130
    if any(course.rows for course in courses):  # what is known already is not lost
        Console(width=150).print(result(courses, options))
    return status


if __name__ == "__main__":
    sys.exit(main())
