"""Files of images, translated by a run: what stands behind `ganzoo sample --input`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.core.interfaces import Shape
from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.files import ENDINGS
from ganzoo.datasets.image_files import decode_image, images_in, open_image, to_tensor
from ganzoo.errors import GanzooError
from ganzoo.kinds.pictures import image_of, picture, png
from ganzoo.kinds.pixels import to_unit_range
from ganzoo.runs.run import Run, source_of


def translate_files(
    run: Run, source: Path, out: Path, direction: str = "", *, ema: bool = True, shown: int = 64
) -> str:
    """Translates a file, or every image in a folder, and says in a line what was made.

    out: where `source` is a file, a .png of the same size; where it is a folder, another folder, which gets a .png of
    the same name for each image, or a .png that shows the first `shown` images beside their translations.
    Raises: GanzooError where something cannot be read, translated or written.
    """
    direction = run.direction(direction)
    files = files_of(source)
    shape = run.info.shape_of(source_of(direction))
    if source.is_dir() and out.suffix:
        write(out, grid(run, files[:shown], shape, direction, ema=ema))
        made = f"{min(shown, len(files)):,} of {len(files):,} images beside their translations"
    else:
        for path, place in places(source, files, out).items():
            given = read(path, shape[0]).unsqueeze(0)
            write(place, png(image_of(run.translate(given, direction, ema=ema)[0])))
        made = f"{len(files):,} image{'s' * (len(files) > 1)} translated"
    return f"{made} ({direction})"


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


def grid(run: Run, files: Sequence[Path], shape: Shape, direction: str, *, ema: bool) -> bytes:
    """A .png of images, brought to the size that the run learned from, beside their translations."""
    channels, height, width = shape
    given = torch.stack([read(path, channels, (height, width)) for path in files])
    made = run.translate(given, direction, ema=ema)
    most = max(given.shape[1], made.shape[1])
    return png(picture(torch.stack([images.expand(-1, most, -1, -1) for images in (given, made)], dim=1)))


def read(path: Path, channels: int, size: tuple[int, int] | None = None) -> Tensor:
    """One image (channels, H, W) in [-1, 1], brought to a size (height, width) where one is given.

    Raises: GanzooError where it cannot be read.
    """
    try:
        pixels = decode_image(path, channels, *size) if size else to_tensor(open_image(path, channels))
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise GanzooError(f"{path}: this image cannot be read: {error}.") from error
    return to_unit_range(pixels)


def write(path: Path, content: bytes) -> None:
    """Writes a file, and the folder for it. Raises: GanzooError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise GanzooError(f"{path}: cannot be written: {error.strerror or error}.") from error
