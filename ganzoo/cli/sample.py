"""`ganzoo sample`: pictures, animations or arrays from a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo.run import Run

ENDINGS = (".png", ".gif", ".npy", ".npz")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="How many samples.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the latents.")
@click.option("--interpolate", is_flag=True, help="A walk through the latent space: a .gif, or rows of a .png.")
@click.option("--label", type=click.IntRange(min=0), help="Of this class only, where the game has classes.")
@click.option("--ema/--no-ema", default=True, show_default=True, help="The averaged generator, where the run has one.")
@click.option("-o", "out", type=click.Path(path_type=Path), required=True, metavar="FILE", help=", ".join(ENDINGS))
def sample(run: Path, count: int, seed: int, interpolate: bool, label: int | None, ema: bool, out: Path) -> None:
    """Make samples with the generator of the run in the directory RUN.

    FILE's ending decides: .png a grid, .gif a walk, .npy or .npz an array (N, ...) float32, images in [-1, 1].
    """
    ending = out.suffix.lower()
    if ending not in ENDINGS:
        raise GanzooError(
            f'{out}: "{ending}" is not an ending that samples can have.', remedy=f"Endings: {', '.join(ENDINGS)}."
        )
    if not out.parent.is_dir():
        raise GanzooError(f"{out}: there is no folder {out.parent}.")
    if interpolate and ending in (".npy", ".npz"):
        raise GanzooError("--interpolate makes pictures.", remedy="Use a .gif or .png, or leave it out.")
    from ganzoo.run import load

    made = load(run)
    labels = labels_for(made, label, count)
    if ending == ".gif" or interpolate:
        walk(made, out, count=count, seed=seed, ema=ema)
    else:
        samples = made.sample(count, seed=seed, ema=ema, labels=labels)
        if ending == ".png":
            from ganzoo.pictures import picture, write_png

            write_png(picture(samples, real=made.real_points()), out)
        else:
            write_array(samples, out, seed=seed, step=made.step)
    click.echo(f"{out}: {count} samples of {made.name} at step {made.step:,}")


def labels_for(run: Run, label: int | None, count: int) -> Tensor | None:
    """The label of each sample, where one is asked for. Raises: GanzooError where the run has no such class."""
    if label is None:
        return None
    import torch

    if "label" not in run.game.needs:
        raise GanzooError(
            f"{run.name} was not trained with labels: its game does not use them.", remedy="Leave --label out."
        )
    classes = run.info.classes
    if label >= len(classes):
        raise GanzooError(
            f"{run.name} has {len(classes)} classes, and no label {label}.", remedy=f"Labels: 0 to {len(classes) - 1}."
        )
    return torch.full((count,), label)


def walk(run: Run, out: Path, *, count: int, seed: int, ema: bool) -> None:
    """A .gif that walks, or a .png whose rows are walks from left to right."""
    from ganzoo.pictures import picture, write_gif, write_png

    if out.suffix.lower() == ".gif":
        rows = max(1, round(count**0.5))
        write_gif(run.walk(rows=rows, seed=seed, ema=ema), out)
    else:
        steps = 10
        write_png(
            picture(run.interpolate(rows=max(1, count // steps), steps=steps, seed=seed, ema=ema), columns=steps), out
        )


def write_array(samples: Tensor, out: Path, *, seed: int, step: int) -> None:
    """A .npy of the samples, or a .npz of samples, seed and step."""
    import numpy as np

    from ganzoo.atomic import replace_file

    content = io.BytesIO()
    if out.suffix.lower() == ".npy":
        np.save(content, samples.numpy(), allow_pickle=False)
    else:
        np.savez_compressed(content, samples=samples.numpy(), seed=np.int64(seed), step=np.int64(step))
    replace_file(out, content.getvalue())
