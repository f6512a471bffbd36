"""Start-up times: of quick commands, without and with a hundred plugins, and of a run until its first step.

    python benchmarks/startup.py [--runs 10] [--plugins 100] [--model vanilla_mnist] [--only commands|run]

Each command is started --runs times after a warm-up; the first table shows the median wall time, and whether torch was
imported. The plugins are distributions of one module each, written into a temporary folder on PYTHONPATH.

The second table is for a run on the CPU, from the start of Python to the row of its first step: the import of torch;
the import of its compiler, which torch's optimizers trigger when the first of them is constructed, in any program; and
the rest, which is ganzoo's, with its parts. Where wall time is much larger than the processor's, the machine had other
load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

COMMANDS = (["--help"], ["list"], ["list", "--json"], ["list", "recipes"])

PLUGIN = """
from ganzoo import Component, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("generator", "dummy-{number}", "dummy_{number}:Nothing", summary="a dummy"),
        Component("command", "dummy-{number}", "dummy_{number}:nothing", summary="a dummy"),
    ]
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
import functools, json, sys, time

def now():
    return time.time(), time.process_time()

def since(start):
    return [after - before for before, after in zip(start, now())]

taken = {"Python itself": [time.time() - float(sys.argv[3]), time.process_time()]}
start = now()
import torch
taken["import torch"] = since(start)
start = now()
import torch._dynamo
taken["torch's compiler, which its optimizers import"] = since(start)
begin = start = now()
import ganzoo.training.launch
own = {"imports": since(start)}

def measured(name, home, function):
    called = getattr(home, function)
    @functools.wraps(called)
    def wrapper(*args, **options):
        start = now()
        result = called(*args, **options)
        own[name] = since(start)
        return result
    setattr(home, function, wrapper)

for name, home, function in (
    ("plugins and recipe", ganzoo.training.launch, "read_recipe"),
    ("rehearsal on the meta device", ganzoo.training.launch, "dry_run"),
    ("data", ganzoo.training.launch.Obtained, "load"),
    ("networks and optimizers", ganzoo.training.launch, "assemble"),
    ("checkpoint of step 0", ganzoo.training.launch, "save_checkpoint"),
    ("grid of step 0", ganzoo.training.launch.Session, "draw_grids"),
    ("first step", ganzoo.training.launch.Training, "advance"),
):
    measured(name, home, function)

class First:
    @ganzoo.hookimpl
    def ganzoo_metrics(self):
        taken["ganzoo, to the first row"] = since(begin)
        print(json.dumps([taken, own]))

recipe, out = sys.argv[1:3]
quick = ["train.log_every=1"]
ganzoo.train(recipe, steps=1, device="cpu", out=out, quiet=True, observers=[First()], overrides=quick)
"""

MACHINE = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"

Seconds = Sequence[float]
"""Wall time and CPU time."""


OWN = "ganzoo, to the first row"


def environment(path: str | None = None) -> dict[str, str]:
    """The environment, with bytecode caching enabled, as for an installed ganzoo. path: PYTHONPATH."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept if path is None else {**kept, "PYTHONPATH": path}


def install_dummies(target: Path, count: int) -> None:
    """Writes `count` distributions with an entry point each, in the layout of installed packages."""
    for number in range(count):
        (target / f"dummy_{number}.py").write_text(PLUGIN.format(number=number))
        info = target / f"ganzoo_dummy_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(number=number))
        (info / "entry_points.txt").write_text(f"[ganzoo]\ndummy_{number} = dummy_{number}\n")


def median_seconds(arguments: list[str], path: str, runs: int) -> float:
    """The median wall time of `ganzoo` with these arguments."""
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        command = [sys.executable, "-m", "ganzoo", *arguments]
        subprocess.run(command, env=environment(path), capture_output=True, check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def imports_torch(arguments: list[str], path: str) -> bool:
    """Whether the command leaves torch in sys.modules."""
    probe = (
        f"import sys; from ganzoo.cli import exit_status; exit_status({arguments!r}); sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", probe]
    return bool(subprocess.run(command, env=environment(path), capture_output=True, check=False).returncode)


def first_step(recipe: str, folder: str) -> list[dict[str, Seconds]]:
    """The shares of one start, and the parts of ganzoo's share."""
    start = time.time()
    command = [sys.executable, "-c", FIRST_STEP, recipe, str(Path(folder) / f"run-{start}"), str(start)]
    output = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout
    shares, own = json.loads(output.splitlines()[-1])
    rest = [all_of_it - sum(parts) for all_of_it, *parts in zip(shares[OWN], *own.values(), strict=True)]
    return [shares, {**own, "the rest": rest}]


def run_table(recipe: str, runs: int) -> Table:
    """The table of a run's start."""
    with tempfile.TemporaryDirectory() as folder:
        taken = [first_step(recipe, folder) for _ in range(runs + 1)][1:]
    table = Table(title=f"{recipe} until its first step, median of {runs}, {MACHINE}")
    for column in ("share", "seconds", "of the processor"):
        table.add_column(column, justify="left" if column == "share" else "right")

    def add(name: str, values: Iterable[Seconds]) -> None:
        table.add_row(name, *(f"{statistics.median(column):.2f}" for column in zip(*values, strict=True)))

    for name in taken[0][0]:
        add(name, (shares[name] for shares, _ in taken))
    for name in taken[0][1]:
        add(f"  {name}", (own[name] for _, own in taken))
    add("all of it", ([sum(column) for column in zip(*shares.values(), strict=True)] for shares, _ in taken))
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
