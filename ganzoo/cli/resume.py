"""`ganzoo resume`: continues a run."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from ganzoo.cli.no_network import no_network_option
from ganzoo.errors import RunError

Count = click.IntRange(min=1)
Folder = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=Folder)
@click.option("--steps", metavar="N", type=Count, help="A new budget, counted from the beginning.")
@click.option("--epochs", metavar="N", type=Count, help="The same in epochs.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Go on with another value of one key; repeatable."
)
@click.option("--unset", multiple=True, metavar="KEY", help="Go on without one key or table; repeatable.")
@click.option("--from", "from_step", metavar="STEP", type=click.IntRange(min=0), help="Go back to that checkpoint.")
@click.option("--accept-data", is_flag=True, help="Go on with data that are no longer those of before.")
@click.option("--device", metavar="DEVICE", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--data-root", metavar="DIR", type=Folder, help="The folder of all data sets.  [default: that of the run]"
)
@no_network_option
@click.option("--plain", is_flag=True, help="Print lines instead of the live display.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def resume(
    run: Path,
    steps: int | None,
    epochs: int | None,
    overrides: tuple[str, ...],
    unset: tuple[str, ...],
    from_step: int | None,
    accept_data: bool,
    device: str,
    data_root: Path | None,
    plain: bool,
    quiet: bool,
) -> int:
    """Go on with the run in the directory RUN exactly where it stopped, as if it had not.

    What --set, --unset, --from or --accept-data change makes a branch: run.json records it with its step, and what lay
    after that step is kept in RUN/branches. Networks keep their shapes.
    """
    if steps and epochs:
        raise click.UsageError("--steps and --epochs are two ways to say one thing: give one of them.")
    from ganzoo.display.console import show_spinner

    with show_spinner("loading torch, the data and the networks", shown=not (plain or quiet)) as started:
        from ganzoo.runs.run import load
        from ganzoo.training.resume import resume as go_on
        from ganzoo.training.resume_checks import is_whole

        before = load(run)
        done = before.step if from_step is None else from_step
        if steps is not None and steps < done:
            raise RunError(
                f"--steps {steps} is less than {run} has done: {done:,} steps.",
                remedy="Budgets are counted from a run's beginning; without --steps the run's own is used.",
            )
        changed = bool(overrides or unset or epochs or from_step is not None or accept_data)
        spent = before.status == "finished" and before.step >= (steps or before.total_steps)
        if spent and not changed and is_whole(before):
            after = before
        else:
            after = go_on(
                run,
                epochs=epochs,
                steps=steps,
                overrides=overrides,
                unset=unset,
                from_step=from_step,
                accept_data=accept_data,
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
