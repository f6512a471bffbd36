"""How long do the quick commands take, alone and with a hundred plugins installed?

    python benchmarks/startup.py [--runs 10] [--plugins 100]

Each command is started so many times after a warm-up; the table shows the median wall time, and whether torch was
imported. The hundred plugins are distributions of one module each, written into a temporary folder on PYTHONPATH.
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


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--plugins", type=int, default=100)
    options = parser.parse_args()
    cpu = platform.processor() or platform.machine()
    table = Table(title=f"start-up, median of {options.runs}, {cpu}, Python {platform.python_version()}")
    for column in ("command", "seconds", f"with {options.plugins} plugins more", "imports torch"):
        table.add_column(column, justify="left" if column == "command" else "right")
    with tempfile.TemporaryDirectory() as folder:
        install_dummies(Path(folder), options.plugins)
        for arguments in COMMANDS:
            alone, crowded = (median_seconds(arguments, path, options.runs) for path in ("", folder))
            torch = imports_torch(arguments, folder)
            table.add_row(" ".join(["ganzoo", *arguments]), f"{alone:.3f}", f"{crowded:.3f}", "yes" if torch else "no")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
