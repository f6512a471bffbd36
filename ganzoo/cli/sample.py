"""`ganzoo sample`: samples of a run, as its kind of samples is written to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo import Run

WALK = 10
"""Samples in one row of an interpolation."""

Count = click.IntRange(min=1)
Seed = click.IntRange(min=0, max=2**32 - 1)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", metavar="N", type=Count, default=64, show_default=True, help="How many samples.")
@click.option("--seed", metavar="N", type=Seed, default=0, show_default=True, help="Of the latents drawn.")
@click.option("--interpolate", is_flag=True, help=f"Walks between samples: rows of {WALK} in a .png; any .gif walks.")
@click.option("--label", metavar="K", help="Of this class only, by number or name: --condition label=K.")
@click.option(
    "--condition",
    "conditions",
    metavar="NAME=VALUE",
    multiple=True,
    help="What all samples are to be: a class, a number, a JSON list. What is left open is drawn as the data have it.",
)
@click.option("--like", metavar="FILE", type=click.Path(path_type=Path), help="A condition that comes as a file.")
@click.option(
    "--option", "options", metavar="KEY=VALUE", multiple=True, help="The game's own for sampling: truncation=0.7."
)
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
    conditions: tuple[str, ...],
    like: Path | None,
    options: tuple[str, ...],
    best: bool,
    ema: bool,
    source: Path | None,
    direction: str,
    out: Path,
) -> None:
    """Make samples with the generator of the run in the directory RUN, or translate images with it.

    OUT's ending decides: .png a picture (images: a grid, points: a scatter plot), .gif a walk through the latent space,
    .npy an array (N, ...) of float32, images in [-1, 1], .npz the same as "samples" beside "seed", "step" and what the
    samples were made for, by name ("label"). Other kinds of samples have endings of their own.

    With labels, of which none is asked for, a picture has a column for each class.

    With --input: of one image, OUT is a .png. Of a folder, OUT is a folder, which gets a .png of the same name for each
    image; or a .png, which shows the first N images, in the size that RUN learned from, beside their translations.
    """
    if source is not None:
        told = interpolate or best or label is not None or conditions or like or options
        translate(run, source, direction, out, ema=ema, shown=count, told=bool(told))
        return
    if direction:
        raise GanzooError("--direction: there is nothing to translate.", remedy="Name it: --input FILE_OR_FOLDER.")
    check(out)
    from ganzoo.runs.run import load

    made = load(run, best=best).pinned()
    kind, field = made.kinds.sample, made.kinds.sample_field
    ending = out.suffix.lower()
    if ending not in (written := tuple(dict.fromkeys((".png", ".gif", *kind.endings)))):
        what = f'"{ending}" is no ending' if ending else "it has no ending"
        raise GanzooError(f"{out}: {what} of what samples can become.", remedy=f"Use {', '.join(written)}.")
    if interpolate and ending not in (".png", ".gif"):
        raise GanzooError(f"{out}: --interpolate makes pictures, not {ending}.", remedy="Use .png or .gif.")
    wanted = asked(made, conditions if label is None else (*conditions, f"label={label}"))
    if like is not None:
        wanted |= from_file(made, like, taken=wanted)
    chosen = dict(pair(option, "--option", "truncation=0.7") for option in options)
    given: dict[str, Any] = {"seed": seed, "ema": ema, **wanted}
    if (interpolate or ending == ".gif") and chosen:
        raise GanzooError("--option: a walk has none.", remedy="Leave --option out.")
    step = made.checkpoint_step
    try:
        if ending == ".gif":
            from ganzoo.datasets.atomic import replace_file
            from ganzoo.kinds.pictures import gif

            replace_file(out, gif(made.walk(count, **given)))
            said = f"a walk of {count} samples at once"
        elif interpolate:
            said = interpolation(made, count, out, given)
        elif ending == ".png" and not is_single_picture(kind, count):
            from ganzoo.kinds.pictures import write_png

            write_png(made.picture(count, options=chosen, **given), out)
            columns = None if wanted else made.columns(count)
            shown = count - count % (columns or 1)
            said = f"{shown} sample{'s' * (shown > 1)}" + (
                f", a column for each of {columns} classes," if columns else ""
            )
        else:
            import torch

            samples, drawn = made.draw(count, seed=seed, ema=ema, options=chosen, conditions=wanted)
            facts = {"seed": torch.tensor(seed), "step": torch.tensor(step)}
            kind.write(samples, out, field, {**drawn, **facts})
            said = f"{count} sample{'s' * (count > 1)}"
    except OSError as error:
        raise GanzooError(f"{out}: cannot be written: {error.strerror or error}.") from error
    click.echo(f"{out}: {said}{of_class(made, wanted)} from {made.name}, step {step:,}")


def is_single_picture(kind: Any, count: int) -> bool:
    """Whether the kind itself writes one sample as a .png, in its own depth."""
    return count == 1 and ".png" in kind.endings


def of_class(run: Run, wanted: dict[str, Any]) -> str:
    """The class that all samples are of, in words; nothing where they are of several."""
    if "label" not in wanted or isinstance(wanted["label"], list):
        return ""
    field = run.conditions.field("label")
    return f' of class "{field.classes[run.conditions.label_index("label", field, wanted["label"])]}"'


def asked(run: Run, conditions: tuple[str, ...]) -> dict[str, Any]:
    """What --condition and --label say, by name. Raises: GanzooError."""
    found: dict[str, Any] = {}
    for text in conditions:
        name, value = pair(text, "--condition", "label=7")
        if (exact := text.partition("=")[2].strip()) in run.conditions.field(name).classes:
            value = exact  # a class may be called "true", or "1e3"
        if name in found:
            raise GanzooError(f"{name} is asked for twice.", remedy=f'Several at once are a list: "{name}=[1, 2]".')
        found[name] = value
    return found


def from_file(run: Run, path: Path, *, taken: dict[str, Any]) -> dict[str, Any]:
    """The condition that a file holds: the one that is no plain number. Raises: GanzooError where there is none."""
    keys = [key for key in run.conditions.keys if run.conditions.field(key).shape and key not in taken]
    if len(keys) != 1:
        which = f"several: {', '.join(keys)}" if keys else "none"
        raise GanzooError(
            f"--like: of the conditions of {run.name}, {which} can come from a file.",
            remedy="Give the others by --condition NAME=VALUE." if keys else "Leave --like out.",
        )
    kind = run.kinds.kinds[keys[0]]
    if kind is not None:
        return {keys[0]: kind.read(path, run.conditions.field(keys[0]), fit=True)[0]}
    from ganzoo.kinds.arrays import read_array

    return {keys[0]: read_array(path)}


def pair(text: str, flag: str, example: str) -> tuple[str, Any]:
    """ "truncation=0.7" as a name and a value: JSON, or else text. Raises: GanzooError."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise GanzooError(f"{flag} {text}: this should be NAME=VALUE.", remedy=f"For example: {flag} {example}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def translate(run: Path, source: Path, direction: str, out: Path, *, ema: bool, shown: int, told: bool) -> None:
    """Translates a file or a folder. told: whether options for samples from latents were given. Raises: GanzooError."""
    if told:
        raise GanzooError(
            "--interpolate, --label, --condition, --like, --option and --best make samples from latents.",
            remedy="Leave them, or --input, out.",
        )
    if out.suffix.lower() not in ("", ".png"):
        raise GanzooError(f"{out}: a translation becomes a .png, or a folder of them.", remedy="Name one of these.")
    if out.is_file() and not out.suffix:
        raise GanzooError(f"{out} is a file, and a folder is wanted.", remedy="Name a folder, or a .png.")
    from ganzoo.runs.run import load
    from ganzoo.runs.translated_files import translate_files

    made = load(run).pinned()
    said = translate_files(made, source, out, direction, ema=ema, shown=shown)
    click.echo(f"{out}: {said} by {made.name}, step {made.checkpoint_step:,}")


def check(out: Path) -> None:
    """Refuses what could not be written, before seconds go into making it. Raises: GanzooError."""
    if out.is_dir():
        raise GanzooError(f"{out} is a folder.", remedy=f"Name a file in it: -o {out / 'grid.png'}")
    if not out.parent.is_dir():
        raise GanzooError(f"{out}: there is no folder {out.parent}.", remedy="Make it first, or name another file.")


def interpolation(run: Run, count: int, out: Path, given: dict[str, Any]) -> str:
    """A .png whose rows are walks from left to right, and what it is."""
    from ganzoo.kinds.pictures import write_png

    steps = min(WALK, count)
    rows = count // steps
    samples = run.interpolate(rows=rows, steps=steps, **given)
    write_png(run.kinds.sample.picture(samples, columns=steps, real=run.real_samples()), out)
    return f"{rows} walk{'s' * (rows > 1)} of {steps} sample{'s' * (steps > 1)}"
