"""`ganzoo run`: trains a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.cli.complete import recipes
from ganzoo.cli.no_network import no_network_option

Count = click.IntRange(min=1)
Folder = click.Path(path_type=Path)


@click.command()
@click.argument("recipe", shell_complete=recipes)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one key of the recipe; repeatable."
)
@click.option("--unset", multiple=True, metavar="KEY", help="Take one key or table out of the recipe; repeatable.")
@click.option("--steps", metavar="N", type=Count, help="Steps to train.  [default: the recipe's budget]")
@click.option("--epochs", metavar="N", type=Count, help="Epochs to train, instead of steps.")
@click.option("--out", metavar="DIR", type=Folder, help="The run's directory.  [default: runs/RECIPE-DATE-TIME]")
@click.option("--device", metavar="DEVICE", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="[default: the recipe's]")
@click.option("--seed", metavar="N", type=int, help="The random seed.  [default: the recipe's]")
@click.option(
    "--data-root", metavar="DIR", type=Folder, help="The folder of all data sets.  [default: GANZOO_DATA, else a cache]"
)
@no_network_option
@click.option("--no-fallback", is_flag=True, help="Fail if the named data set is unavailable.")
@click.option("--plain", is_flag=True, help="Print lines instead of the live display.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def run(
    recipe: str,
    overrides: tuple[str, ...],
    unset: tuple[str, ...],
    steps: int | None,
    epochs: int | None,
    out: Path | None,
    device: str,
    precision: str | None,
    seed: int | None,
    data_root: Path | None,
    no_fallback: bool,
    plain: bool,
    quiet: bool,
) -> int:
    """Train: play RECIPE, a .toml file or an installed recipe's name (see `ganzoo list recipes`).

    Ctrl-C finishes the step, writes a checkpoint, and says how to go on.
    """
    if steps and epochs:
        raise click.UsageError("--steps and --epochs are two ways to say one thing: give one of them.")
    from ganzoo.display.console import show_spinner

    with show_spinner("loading torch, the data and the networks", shown=not (plain or quiet)) as started:
        from ganzoo.training.launch import train

        done = train(
            recipe,
            epochs=epochs,
            steps=steps,
            seed=seed,
            precision=precision,
            out=out,
            device=device,
            data_root=data_root,
            fallback=not no_fallback,
            overrides=overrides,
            unset=unset,
            observers=[started],
            quiet=quiet,
            plain=plain or None,
        )
    return 130 if done.status == "interrupted" else 0
