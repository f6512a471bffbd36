"""How long do the quick commands take, alone and with a hundred plugins installed, and a run until its first step?

    python benchmarks/startup.py [--runs 10] [--plugins 100] [--model vanilla_mnist] [--only commands|run]

Each command is started so many times after a warm-up; the first table shows the median wall time, and whether torch was
imported. The hundred plugins are distributions of one module each, written into a temporary folder on PYTHONPATH.

The second table is that of a run on the CPU, from the start of Python to the row of its first step: what torch takes to
be imported; what its compiler takes, which torch's optimizers import when the first of them is made, in any program;
and the rest, which is ganzoo's: everything else that it imports, reading recipe and data, the rehearsal, the directory
with its first checkpoint and grid, the step.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

COMMANDS = (["--help"], ["list"], ["list", "--json"], ["list", "recipes"])

PLUGIN = """
from ganzoo import Component, hookimpl


@hookimpl
def ganzoo_components():
    return [Component("generator", "dummy-{number}", "dummy_{number}:Nothing", summary="a dummy")]
"""

METADATA = """Metadata-Version: 2.4
Name: ganzoo-dummy-{number}
Version: 1.0
Summary: a dummy
Author-email: Ada Alpha <ada@example.org>, Bo Beta <bo@example.org>
License-Expression: MIT
Project-URL: Homepage, https://example.org/dummy
Requires-Dist: ganzoo
"""

FIRST_STEP = """
import sys, time
started = time.time()
import torch
torch_is_here = time.time()
import torch._dynamo
compiler_is_here = time.time()
import ganzoo

class First:
    @ganzoo.hookimpl
    def ganzoo_metrics(self):
        print(started, torch_is_here, compiler_is_here, time.time())

recipe, out = sys.argv[1:]
quick = ["train.log_every=1"]
ganzoo.train(recipe, steps=1, device="cpu", out=out, quiet=True, observers=[First()], overrides=quick)
"""

MACHINE = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"

SHARES = ("Python itself", "import torch", "torch's compiler, which its optimizers import", "ganzoo, to the first row")


def install_dummies(target: Path, count: int) -> None:
    """Writes `count` distributions with an entry point each, as an installer would lay them out."""
    for number in range(count):
        (target / f"dummy_{number}.py").write_text(PLUGIN.format(number=number))
        info = target / f"ganzoo_dummy_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(number=number))
        (info / "entry_points.txt").write_text(f"[ganzoo]\ndummy_{number} = dummy_{number}\n")


def median_seconds(arguments: list[str], path: str, runs: int) -> float:
    """The median wall time of `ganzoo` with these arguments."""
    environment = {**os.environ, "PYTHONPATH": path}
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "ganzoo", *arguments], env=environment, capture_output=True, check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def imports_torch(arguments: list[str], path: str) -> bool:
    """Whether the command leaves torch in sys.modules."""
    probe = f"import sys; from ganzoo.cli import status_of; status_of({arguments!r}); sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": path}
    return bool(
        subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, check=False).returncode
    )


def first_step(recipe: str, folder: str) -> list[float]:
    """Seconds of each of the shares, of one start."""
    start = time.time()
    command = [sys.executable, "-c", FIRST_STEP, recipe, str(Path(folder) / f"run-{start}")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    marks = [start, *map(float, said[:4])]
    return [after - before for before, after in pairwise(marks)]


def run_table(recipe: str, runs: int) -> Table:
    """The table of a run's start."""
    with tempfile.TemporaryDirectory() as folder:
        taken = [first_step(recipe, folder) for _ in range(runs + 1)][1:]
    table = Table(title=f"{recipe} until its first step, median of {runs}, {MACHINE}")
    for column in ("share", "seconds"):
        table.add_column(column, justify="left" if column == "share" else "right")
    for name, values in zip(SHARES, zip(*taken, strict=True), strict=True):
        table.add_row(name, f"{statistics.median(values):.2f}")
    table.add_row("all of it", f"{statistics.median(map(sum, taken)):.2f}")
    return table


def command_table(runs: int, plugins: int) -> Table:
    """The table of the quick commands."""
    table = Table(title=f"start-up, median of {runs}, {MACHINE}")
    for column in ("command", "seconds", f"with {plugins} plugins more", "imports torch"):
        table.add_column(column, justify="left" if column == "command" else "right")
    with tempfile.TemporaryDirectory() as folder:
        install_dummies(Path(folder), plugins)
        for arguments in COMMANDS:
            alone, crowded = (median_seconds(arguments, path, runs) for path in ("", folder))
            torch = imports_torch(arguments, folder)
            table.add_row(" ".join(["ganzoo", *arguments]), f"{alone:.3f}", f"{crowded:.3f}", "yes" if torch else "no")
    return table


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--plugins", type=int, default=100)
    parser.add_argument("--model", default="vanilla_mnist", metavar="RECIPE")
    parser.add_argument("--only", choices=("commands", "run"), default=None)
    options = parser.parse_args()
    console = Console(width=100)
    if options.only != "run":
        console.print(command_table(options.runs, options.plugins))
    if options.only != "commands":
        console.print(run_table(options.model, options.runs))


if __name__ == "__main__":
    main()
