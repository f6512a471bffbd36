"""`ganzoo resume`: go on where a run stopped."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(min=1), help="A new budget, counted from the run's beginning.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--data-root", type=click.Path(path_type=Path), help="The folder of all data sets.  [default: GANZOO_DATA]"
)
@click.option("--plain", is_flag=True, help="Lines in the place of the live display.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def resume(run: Path, steps: int | None, device: str, data_root: Path | None, plain: bool, quiet: bool) -> int:
    """Go on with the run in the directory RUN exactly where it stopped, as if it had not."""
    from ganzoo.launch import resume as go_on
    from ganzoo.run import load

    before = load(run)
    if before.step >= (steps or before.total_steps):
        done = f"{run} is finished: {before.step:,} of {before.total_steps:,} steps."
        click.echo(f"{done} Further: ganzoo resume {run} --steps N, with N above that.")
        return 0
    after = go_on(run, steps=steps, device=device, data_root=data_root, quiet=quiet, plain=plain or None)
    return 130 if after.status == "interrupted" else 0
