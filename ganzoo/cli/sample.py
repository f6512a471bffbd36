"""`ganzoo sample`: pictures, animations or arrays from a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo.runs.run import Run

PICTURES, ARRAYS = (".png", ".gif"), (".npy", ".npz")

WALK = 10
"""Samples in one row of an interpolation."""

Count = click.IntRange(min=1)
Seed = click.IntRange(min=0, max=2**32 - 1)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-n", "count", metavar="N", type=click.IntRange(min=1), default=64, show_default=True, help="How many samples."
)
@click.option(
    "--seed",
    metavar="N",
    type=Seed,
    default=0,
    show_default=True,
    help="Of the latents drawn.",
)
@click.option("--interpolate", is_flag=True, help=f"Walks between samples: rows of {WALK} in a .png; any .gif walks.")
@click.option("--label", metavar="K", help="Of this class only, by number or name, where the game uses labels.")
@click.option("--best", is_flag=True, help="The best checkpoint that [evaluate] found, and not the newest.")
@click.option("--ema/--no-ema", default=True, show_default=True, help="The averaged generator, where the run has one.")
@click.option(
    "--input",
    "source",
    metavar="FILE_OR_FOLDER",
    type=click.Path(path_type=Path),
    help="An image, or a folder of images, to translate.",
)
@click.option("--direction", metavar="NAME", default="", help="Of the translation: a2b or b2a.")
@click.option("-o", "out", type=click.Path(path_type=Path), required=True, metavar="OUT", help="Its ending decides.")
def sample(
    run: Path,
    count: int,
    seed: int,
    interpolate: bool,
    label: str | None,
    best: bool,
    ema: bool,
    source: Path | None,
    direction: str,
    out: Path,
) -> None:
    """Make samples with the generator of the run in the directory RUN, or translate images with it.

    OUT's ending decides: .png a grid (points: a scatter plot), .gif a walk through the latent space, .npy an array
    (N, ...) of float32, images in [-1, 1], .npz the same as "samples" beside "seed", "step" and, with --label,
    "labels".

    With --input: of one image, OUT is a .png of its size. Of a folder, OUT is a folder, which gets a .png of the same
    name for each image; or a .png, which shows the first N images, in the size that RUN learned from, beside their
    translations.
    """
    if source is not None:
        translate(run, source, direction, out, ema=ema, shown=count, told=interpolate or best or label is not None)
        return
    if direction:
        raise GanzooError("--direction: there is nothing to translate.", remedy="Name it: --input FILE_OR_FOLDER.")
    check(out, interpolate=interpolate)
    from ganzoo.datasets.atomic import replace_file
    from ganzoo.kinds.pictures import picture, png
    from ganzoo.runs.run import load

    made = load(run, best=best)
    index = None if label is None else label_of(made, label)
    step = int(made.checkpoint.name.rpartition("-")[2])
    if out.suffix.lower() == ".gif":
        content, said = walk(made, count, seed, index, ema=ema), f"a walk of {count} samples at once"
    elif interpolate:
        content, said = interpolation(made, count, seed, index, ema=ema)
    else:
        labels = labels_for(made, count, index) if index is not None else None
        samples = made.sample(count, seed=seed, ema=ema, labels=labels)
        said = f"{count} sample{'s' * (count > 1)}"
        if out.suffix.lower() == ".png":
            content = png(picture(samples, real=made.real_points()))
        else:
            content = array(samples, out.suffix.lower(), seed=seed, step=step, labels=labels)
    try:
        replace_file(out, content)
    except OSError as error:
        raise GanzooError(f"{out}: cannot be written: {error.strerror or error}.") from error
    of_class = "" if index is None else f' of class "{made.info.classes[index]}"'
    click.echo(f"{out}: {said}{of_class} from {made.name}, step {step:,}")


def translate(run: Path, source: Path, direction: str, out: Path, *, ema: bool, shown: int, told: bool) -> None:
    """Translates a file or a folder. told: whether --interpolate, --label or --best were given. Raises: GanzooError."""
    if told:
        raise GanzooError(
            "--interpolate, --label and --best make samples from latents.", remedy="Leave them, or --input, out."
        )
    if out.suffix.lower() not in ("", ".png"):
        raise GanzooError(f"{out}: a translation becomes a .png, or a folder of them.", remedy="Name one of these.")
    if out.is_file() and not out.suffix:
        raise GanzooError(f"{out} is a file, and a folder is wanted.", remedy="Name a folder, or a .png.")
    from ganzoo.runs.run import load
    from ganzoo.runs.translation import translate_files

    made = load(run)
    step = int(made.checkpoint.name.rpartition("-")[2])
    said = translate_files(made, source, out, direction, ema=ema, shown=shown)
    click.echo(f"{out}: {said} by {made.name}, step {step:,}")


def check(out: Path, *, interpolate: bool) -> None:
    """Refuses what could not be written, before seconds go into making it. Raises: GanzooError."""
    ending = out.suffix.lower()
    if ending not in PICTURES + ARRAYS:
        what = f'"{ending}" is no ending' if ending else "it has no ending"
        raise GanzooError(f"{out}: {what} of what samples can become.", remedy=f"Use {', '.join(PICTURES + ARRAYS)}.")
    if out.is_dir():
        raise GanzooError(f"{out} is a folder.", remedy=f"Name a file in it: -o {out / 'grid.png'}")
    if not out.parent.is_dir():
        raise GanzooError(f"{out}: there is no folder {out.parent}.", remedy="Make it first, or name another file.")
    if interpolate and ending in ARRAYS:
        raise GanzooError(f"{out}: --interpolate makes pictures, not arrays.", remedy="Use .png or .gif.")


def label_of(run: Run, label: str) -> int:
    """The label that `--label` means, by a class's name or its number. Raises: GanzooError where there is none."""
    classes = run.info.classes
    if not uses_labels(run):
        game = run.recipe.game.entry.name
        raise GanzooError(f'--label: {run.name} plays "{game}", which uses no labels.', remedy="Leave --label out.")
    if label in classes:
        return classes.index(label)
    if label.isdecimal() and int(label) < len(classes):
        return int(label)
    raise GanzooError(
        f"--label: {run.name} knows no class {label}.",
        remedy=f"Classes, from 0 to {len(classes) - 1}: {', '.join(classes)}.",
    )


def uses_labels(run: Run) -> bool:
    """Whether the run's game reads labels."""
    from ganzoo.plugins import zoo

    return "label" in zoo().resolve(run.recipe.game.entry).needs


def labels_for(run: Run, count: int, index: int | None) -> Tensor | None:
    """The label of each sample (count,): one class, or all of them in turn; None where the game uses none."""
    import torch

    if not uses_labels(run):
        return None
    return torch.arange(count) % len(run.info.classes) if index is None else torch.full((count,), index)


def walk(run: Run, count: int, seed: int, index: int | None, *, ema: bool) -> bytes:
    """A .gif of samples that change together."""
    from ganzoo.kinds.pictures import gif

    return gif(run.walk(count, seed=seed, ema=ema, labels=labels_for(run, count, index)))


def interpolation(run: Run, count: int, seed: int, index: int | None, *, ema: bool) -> tuple[bytes, str]:
    """A .png whose rows are walks from left to right, and what it is."""
    from ganzoo.kinds.pictures import picture, png

    steps = min(WALK, count)
    rows = count // steps
    labels = labels_for(run, rows, index)
    samples = run.interpolate(rows=rows, steps=steps, seed=seed, ema=ema, labels=labels)
    said = f"{rows} walk{'s' * (rows > 1)} of {steps} sample{'s' * (steps > 1)}"
    return png(picture(samples, columns=steps, real=run.real_points())), said


def array(samples: Tensor, ending: str, *, seed: int, step: int, labels: Tensor | None) -> bytes:
    """A .npy of the samples, or a .npz that also says where they are from."""
    import numpy as np

    content = io.BytesIO()
    values = samples.float().numpy()
    if ending == ".npy":
        np.save(content, values, allow_pickle=False)
    else:
        named: dict[str, Any] = {"samples": values, "seed": np.int64(seed), "step": np.int64(step)}
        if labels is not None:
            named["labels"] = labels.numpy()
        np.savez_compressed(content, allow_pickle=False, **named)
    return content.getvalue()
