"""`ganzoo resume`: continues a run."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from ganzoo.cli.no_network import no_network_option
from ganzoo.errors import RunError

Folder = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=Folder)
@click.option("--steps", metavar="N", type=click.IntRange(min=1), help="A new budget, counted from the beginning.")
@click.option("--device", metavar="DEVICE", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--data-root", metavar="DIR", type=Folder, help="The folder of all data sets.  [default: that of the run]"
)
@no_network_option
@click.option("--plain", is_flag=True, help="Print lines instead of the live display.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def resume(run: Path, steps: int | None, device: str, data_root: Path | None, plain: bool, quiet: bool) -> int:
    """Go on with the run in the directory RUN exactly where it stopped, as if it had not."""
    from ganzoo.display.console import show_spinner

    with show_spinner("loading torch, the data and the networks", shown=not (plain or quiet)) as started:
        from ganzoo.runs.run import load
        from ganzoo.training.launch import resume as go_on
        from ganzoo.training.resuming import is_whole

        before = load(run)
        if steps is not None and steps < before.step:
            raise RunError(
                f"--steps {steps} is less than {run} has done: {before.step:,} steps.",
                remedy="Budgets are counted from a run's beginning; without --steps the run's own is used.",
            )
        if before.status == "finished" and before.step >= (steps or before.total_steps) and is_whole(before):
            after = before
        else:
            after = go_on(
                run,
                steps=steps,
                device=device,
                data_root=data_root,
                observers=[started],
                quiet=quiet,
                plain=plain or None,
            )
    if after is before and not quiet:
        click.echo(f"{run} is finished: all {before.total_steps:,} steps are done.")
        click.echo(f"To train further: ganzoo resume {quote(str(run))} --steps {2 * before.total_steps}")
    return 130 if after.status == "interrupted" else 0
