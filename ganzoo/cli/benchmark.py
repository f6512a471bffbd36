"""`ganzoo benchmark`: several recipes over several seeds, in one table."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli.complete import suites
from ganzoo.cli.no_network import no_network_option

if TYPE_CHECKING:
    from ganzoo.evaluation.suites.results import Result

Folder = click.Path(path_type=Path)


class Seeds(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A comma-separated list of seeds: "0,1,2"."""

    name = "seeds"

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The seeds without duplicates."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() and int(part) < 2**63 for part in parts):
            self.fail(f"{value!r} is not a list of seeds: write 0,1,2.", param, ctx)
        return tuple(dict.fromkeys(map(int, parts)))


@click.command()
@click.argument("suite", shell_complete=suites)
@click.option("--out", metavar="DIR", type=Folder, help="The suite's directory.  [default: runs/SUITE]")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(min=1), help="Runs at once.  [default: 1, or one a CUDA device]"
)
@click.option("--device", metavar="DEVICE", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option("--seeds", metavar="N,N,...", type=Seeds(), help="Seeds to use instead of the suite's.")
@click.option("--only", metavar="ENTRY", multiple=True, help="Only this entry; repeatable.")
@click.option("--steps", metavar="N", type=click.IntRange(min=1), help="A budget for all entries: to try a suite out.")
@click.option(
    "--seconds",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="A budget for all entries: of training, by the clock, on a quiet machine.",
)
@click.option(
    "--data-root", metavar="DIR", type=Folder, help="Where all data sets lie.  [default: GANZOO_DATA, else a cache]"
)
@no_network_option
@click.option("--json", "as_json", is_flag=True, help="Print table.json in the place of the table.")
def benchmark(
    suite: str,
    out: Path | None,
    jobs: int | None,
    device: str,
    seeds: tuple[int, ...] | None,
    only: tuple[str, ...],
    steps: int | None,
    seconds: float | None,
    data_root: Path | None,
    as_json: bool,
) -> int:
    """Train the recipes of SUITE over its seeds, score them in the same way, and tabulate mean and spread.

    SUITE is a .toml file, or a shipped suite's name: mnist-small, gaussians, stacked. After an interruption, the same
    command continues: finished runs are kept, unfinished ones resumed. Each run is an ordinary one, in DIR/runs/.
    """
    if steps and seconds:
        raise click.UsageError("--steps and --seconds are two ways to say one thing: give one of them.")
    from ganzoo.evaluation.suites.playing import play
    from ganzoo.evaluation.suites.reading import read_suite, select_entries

    loaded = read_suite(suite, steps=steps, seconds=seconds)
    folder = out or Path("runs") / loaded.name
    try:
        result = play(
            loaded,
            folder,
            entries=select_entries(loaded, only),
            seeds=seeds or loaded.seeds,
            device=device,
            jobs=jobs,
            data_root=data_root,
        )
    except KeyboardInterrupt:
        click.echo(f"interrupted; the same command goes on: ganzoo {shlex.join(sys.argv[1:])}", err=True)
        click.echo(f"so far: {folder / 'table.md'}", err=True)
        return 130
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2))
    else:
        print_result(result, folder)
    return 1 if result.failed else 0


def print_result(result: Result, folder: Path) -> None:
    """Prints the tables, as Markdown without wrapped rows in a file or a pipe, and the paths of their files."""
    from ganzoo.display.console.terminal import Terminal, is_interactive
    from ganzoo.evaluation.suites.table import markdown, terminal_tables

    if is_interactive():
        terminal = Terminal(plain=False)
        for part in terminal_tables(result):
            terminal.print(part, soft_wrap=True)
    else:
        click.echo(markdown(result))
    click.echo(f"{folder / 'table.md'}, table.json, table.html")
