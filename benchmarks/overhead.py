"""What does it cost to look: rows, grids, checkpoints and the display, at a recipe's defaults?

    python benchmarks/overhead.py [--model vanilla_mnist ...] [--times 7] [--device cpu] [--threads N] [--cpu-time]

Each thing is done so many times in a run of the recipe that has played a few steps; the table shows the median time of
one, how often the recipe asks for it, and the share of a step's time that this is.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console as Terminal
from rich.table import Table
from step_speed import MODELS, a_training, processor

from ganzoo.datasets.obtain import obtain
from ganzoo.datasets.root import data_root
from ganzoo.display.console import Console
from ganzoo.plugins import zoo
from ganzoo.recipe import read_recipe
from ganzoo.runs.checkpoint import save_checkpoint, step_name
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.run import Run
from ganzoo.training.facts import facts_of
from ganzoo.training.session import Session

STEPS = 20
"""Of training, timed together."""


def median(work: Callable[[], object], times: int, clock: Callable[[], float]) -> float:
    """Seconds of one, the first left out."""
    taken = []
    for _ in range(times + 1):
        start = clock()
        work()
        taken.append(clock() - start)
    return statistics.median(taken[1:])


def costs(model: str, options: argparse.Namespace, folder: Path, clock: Callable[[], float]) -> Table:
    """The table for one recipe."""
    device = torch.device(options.device)
    recipe = read_recipe(model)
    obtained = obtain(recipe.dataset, recipe.fallback, data_root(options.data_root), allow_fallback=True).load()
    torch.manual_seed(0)
    training = a_training(model, obtained, device, [])
    files = RunDirectory(folder)
    files.samples.mkdir()
    files.checkpoints.mkdir()
    files.metrics.touch()
    files.write_facts(facts_of(recipe, obtained, training))
    run = Run(files, recipe=recipe)
    events = zoo().events_manager()
    events.register(Console(plain=True))
    events.hook.ganzoo_run_started(run=run)

    def some_steps() -> None:
        end = training.step + STEPS
        while training.step < end:
            training.advance(end - training.step)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def checkpoint() -> None:
        path = files.checkpoint(training.step)
        save_checkpoint(path, training.checkpoint())
        shutil.rmtree(files.checkpoints / step_name(training.step))

    session = Session(training, run, events)

    some_steps()
    step = median(some_steps, options.times, clock) / STEPS
    train = recipe.train
    counted = (("a row", session.log, train.log_every), ("a grid", session.draw_grids, train.sample_every))
    table = Table(title=f"{model}, a step of {step * 1e3:.2f} ms\n{processor(device)}")
    for column in ("what", "ms", "every so many steps", "% of wall time"):
        table.add_column(column, justify="left" if column == "what" else "right")
    whole = 0.0
    for what, work, every in (*counted, ("a checkpoint", checkpoint, train.checkpoint_every)):
        training.advance(1)  # or there is nothing to log
        took = median(work, options.times, clock)
        share = took / every / step if every else 0.0
        whole += share
        table.add_row(what, f"{took * 1e3:.1f}", f"{every:,}", f"{100 * share:.2f}")
    table.add_row("all of it", "", "", f"{100 * whole:.2f}")
    return table


def main() -> None:
    """Prints a table for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["vanilla_mnist"], metavar="RECIPE", help=", ".join(MODELS))
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--data-root", default=None)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    for model in options.model:
        with tempfile.TemporaryDirectory() as folder:
            Terminal(width=100).print(costs(model, options, Path(folder), clock))


if __name__ == "__main__":
    main()
