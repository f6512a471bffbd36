"""CPU seconds a step of each entry of a suite, and the steps that fit into a budget: how suites' `steps` were chosen.

    python benchmarks/suite_cost.py mnist-small --seconds 160

One thread. All entries are trained in one process, a few steps each in turn, so that other load on the machine affects
all of them equally; the figure is the median over the turns of `time.process_time`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from ganzoo.core.random_streams import seed_everything
from ganzoo.datasets.obtain import obtain
from ganzoo.datasets.root import data_root
from ganzoo.evaluation.suites.reading import read_suite
from ganzoo.evaluation.suites.suite import Entry
from ganzoo.recipe.dry_run import dry_run
from ganzoo.training.assembly import assemble
from ganzoo.training.state import Training

TURNS = 9
TURN_SECONDS = 0.5


def training_of(entry: Entry, root: Path) -> Training:
    """An entry's training at step 0, warmed up by a few steps."""
    obtained = obtain(entry.recipe.dataset, None, root, allow_fallback=False)
    rehearsal = dry_run(entry.recipe, obtained.info)
    seed_everything(0)
    training = assemble(entry.recipe, obtained.load(), rehearsal, torch.device("cpu"))
    for _ in range(4):
        training.advance()
    return training


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite")
    parser.add_argument("--seconds", type=float, default=160.0, help="the budget of a run, in CPU seconds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    suite = read_suite(given.suite)
    root = data_root(None)
    trainings = {entry.name: training_of(entry, root) for entry in suite.entries}
    costs: dict[str, list[float]] = {name: [] for name in trainings}
    for _ in range(TURNS):
        for name, training in trainings.items():
            began, steps = time.process_time(), 0
            while time.process_time() - began < TURN_SECONDS or steps % 4:  # whole rounds of a lazy penalty
                training.advance()
                steps += 1
            costs[name].append((time.process_time() - began) / steps)
    table = Table(title=f"{suite.name}, one thread of {platform.processor() or platform.machine()}", box=None)
    for heading in ("entry", "CPU ms a step", "least", "most", f"steps in {given.seconds:g} s", "steps in the suite"):
        table.add_column(heading, justify="left" if heading == "entry" else "right")
    for entry in suite.entries:
        seen = costs[entry.name]
        middle = statistics.median(seen)
        numbers = (f"{middle * 1e3:.1f}", f"{min(seen) * 1e3:.1f}", f"{max(seen) * 1e3:.1f}")
        steps_now = trainings[entry.name].total_steps
        table.add_row(entry.name, *numbers, f"{given.seconds / middle:,.0f}", f"{steps_now:,}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
