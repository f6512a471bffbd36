"""Files of samples, translated by a run: what stands behind `ganzoo sample --input`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.files import ENDINGS
from ganzoo.datasets.image_files import images_in
from ganzoo.errors import GanzooError
from ganzoo.kinds.kind import Kind
from ganzoo.kinds.pictures import beside, png
from ganzoo.runs.run import Run
from ganzoo.runs.translation import source_of, target_of


def translate_files(
    run: Run, source: Path, out: Path, direction: str = "", *, ema: bool = True, shown: int = 64
) -> str:
    """Translates a file, or every image in a folder, and says in a line what was made.

    out: where `source` is a file, a .png of the size that its translation has; where it is a folder, another folder,
    which gets a .png of the same name for each image, or a .png that shows the first `shown` images beside their
    translations.
    Raises: GanzooError where something cannot be read, translated or written.
    """
    direction = run.direction(direction)
    files = files_of(source)
    kind, field, target = run.kinds.sample, run.info.fields[source_of(direction)], run.info.fields[target_of(direction)]
    if source.is_dir() and out.suffix:
        write(out, grid(run, files[:shown], field, direction, ema=ema))
        said = f"{min(shown, len(files)):,} of {len(files):,} images beside their translations"
    else:
        for path, place in places(source, files, out).items():
            made = run.translate(kind.read(path, field), direction, ema=ema)
            write_one(place, made, kind, target)
        said = f"{len(files):,} image{'s' * (len(files) > 1)} translated"
    return f"{said} ({direction})"


def files_of(source: Path) -> list[Path]:
    """The file itself, or the images in a folder and those inside it. Raises: GanzooError where there is none."""
    if not source.exists():
        raise GanzooError(f"--input: there is no {source}.", remedy="Name an image, or a folder of images.")
    files = images_in(source) if source.is_dir() else [source]
    if not files:
        raise GanzooError(f"--input: {source} holds no image.", remedy=f"Endings: {', '.join(sorted(ENDINGS))}.")
    return files


def places(source: Path, files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where each file's translation goes. Raises: GanzooError where two would go to one place."""
    if source.is_file():
        return {source: out if out.suffix else out / f"{source.stem}.png"}
    found = {path: out / path.relative_to(source).with_suffix(".png") for path in files}
    back: dict[Path, Path] = {}
    for path, place in found.items():
        if place in back:
            raise GanzooError(f"{back[place]} and {path} would both become {place}.", remedy="Rename one of them.")
        back[place] = path
    return found


def grid(run: Run, files: Sequence[Path], field: Field, direction: str, *, ema: bool) -> bytes:
    """A .png of samples, brought to the size that the run learned from, beside their translations of whatever size."""
    kind = run.kinds.sample
    given = torch.cat([kind.read(path, field, fit=True) for path in files])
    made = run.translate(given, direction, ema=ema)
    pairs = zip(given.split(1), made.split(1), strict=True)
    return png(beside([[kind.picture(one) for one in pair] for pair in pairs]))


def write_one(path: Path, sample: Tensor, kind: Kind, field: Field) -> None:
    """Writes one sample (1, *unit_shape) as a .png: itself, where the kind has such files, or else a picture of it."""
    if ".png" not in kind.endings:
        write(path, png(kind.picture(sample)))
        return
    with writing(path):
        kind.write(sample, path, field)


def write(path: Path, content: bytes) -> None:
    """Writes a file, and the folder for it. Raises: GanzooError where that fails."""
    with writing(path):
        replace_file(path, content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Inside, the file's folder is there. Raises: GanzooError where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise GanzooError(f"{path}: cannot be written: {error.strerror or error}.") from error
