"""Translates files of samples with a run: the implementation of `ganzoo sample --input`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.files import IMAGE_ENDINGS
from ganzoo.datasets.image_files import list_images
from ganzoo.errors import GanzooError
from ganzoo.kinds.kind import Kind
from ganzoo.kinds.pictures import png, tile_pictures
from ganzoo.runs.run import Run
from ganzoo.runs.translation import source_of, target_of


def translate_files(
    run: Run, source: Path, out: Path, direction: str = "", *, ema: bool = True, shown: int = 64
) -> str:
    """Translates a file, or every image in a folder, and returns a one-line summary.

    out: for a file, the .png to write its translation to, at its own size; for a folder, another folder, in which a
    .png of the same name is written for each image, or a .png that shows the first `shown` images next to their
    translations.
    Raises: GanzooError where something cannot be read, translated or written.
    """
    direction = run.direction(direction)
    files = input_files(source)
    kind, field, target = run.kinds.sample, run.info.fields[source_of(direction)], run.info.fields[target_of(direction)]
    if source.is_dir() and out.suffix:
        write(out, translation_grid(run, files[:shown], field, direction, ema=ema))
        summary = f"{min(shown, len(files)):,} of {len(files):,} images beside their translations"
    else:
        for path, place in output_paths(source, files, out).items():
            made = run.translate(kind.read(path, field), direction, ema=ema)
            write_sample(place, made, kind, target)
        summary = f"{len(files):,} image{'s' * (len(files) > 1)} translated"
    return f"{summary} ({direction})"


def input_files(source: Path) -> list[Path]:
    """The file itself, or the images in a folder and its subfolders. Raises: GanzooError where there is none."""
    if not source.exists():
        raise GanzooError(f"--input: there is no {source}.", remedy="Name an image, or a folder of images.")
    files = list_images(source) if source.is_dir() else [source]
    if not files:
        raise GanzooError(f"--input: {source} holds no image.", remedy=f"Endings: {', '.join(sorted(IMAGE_ENDINGS))}.")
    return files


def output_paths(source: Path, files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Each file -> the path of its translation. Raises: GanzooError where two files have the same one."""
    if source.is_file():
        return {source: out if out.suffix else out / f"{source.stem}.png"}
    found = {path: out / path.relative_to(source).with_suffix(".png") for path in files}
    back: dict[Path, Path] = {}
    for path, place in found.items():
        if place in back:
            raise GanzooError(f"{back[place]} and {path} would both become {place}.", remedy="Rename one of them.")
        back[place] = path
    return found


def translation_grid(run: Run, files: Sequence[Path], field: Field, direction: str, *, ema: bool) -> bytes:
    """A .png of samples, resized to the size that the run was trained on, next to their translations of any size."""
    kind = run.kinds.sample
    given = torch.cat([kind.read(path, field, fit=True) for path in files])
    made = run.translate(given, direction, ema=ema)
    pairs = zip(given.split(1), made.split(1), strict=True)
    return png(tile_pictures([[kind.picture(one) for one in pair] for pair in pairs]))


def write_sample(path: Path, sample: Tensor, kind: Kind, field: Field) -> None:
    """Writes one sample (1, *unit_shape) as a .png: as a file of its kind if that has such files, else as a picture."""
    if ".png" not in kind.endings:
        write(path, png(kind.picture(sample)))
        return
    with write_errors(path):
        kind.write(sample, path, field)


def write(path: Path, content: bytes) -> None:
    """Writes a file, creating its folder. Raises: GanzooError where that fails."""
    with write_errors(path):
        replace_file(path, content)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Creates the file's folder; inside, write errors are raised as GanzooError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise GanzooError(f"{path}: cannot be written: {error.strerror or error}.") from error
