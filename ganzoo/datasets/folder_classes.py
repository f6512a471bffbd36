"""Which subfolders of a split are its classes, and the label of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.datasets.files import Files
from ganzoo.datasets.folder_splits import HELD_OUT, TEST_NAMES, TRAIN_NAMES, VALIDATION_NAMES, ask, quoted
from ganzoo.datasets.left_out import LeftOut, displayed
from ganzoo.errors import DatasetError

ClassesSetting: TypeAlias = Literal["folders", "none"]
"""The option `classes`: subfolders are classes, or there are none."""


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """The classes of a folder's images.

    folders: the subfolders that are classes, sorted, as the file system names them; names: the same as text that can be
    shown; why: why there are none, where there are subfolders; read: (n,) whether each training image is used;
    left_out: the rest.
    """

    folders: tuple[str, ...]
    names: tuple[str, ...]
    why: str
    read: NDArray[np.bool_]
    left_out: LeftOut

    def numbers(self, files: Files, prefix: str = "") -> NDArray[np.int64]:
        """The label of each file, (n,); -1 for one of no class. prefix: the folder that the class folders lie in."""
        labels = {name: number for number, name in enumerate(self.folders)}
        of_folder = [labels.get(first_part(path, prefix), -1) for path in files.folders]
        return np.array(of_folder, dtype=np.int64)[files.folder]

    def labels(self, files: Files, prefix: str = "") -> Tensor | None:
        """The labels (n,), int64; None where there are no classes."""
        return torch.from_numpy(self.numbers(files, prefix)) if self.folders else None

    def of_test(self, files: Files) -> tuple[NDArray[np.bool_], LeftOut]:
        """Whether each test image (n,) is used: one of a class that training lacks has no label; and those left out."""
        left_out = LeftOut()
        if not self.folders:
            return np.ones(len(files), dtype=bool), left_out
        known = self.numbers(files) >= 0
        missing = np.bincount(files.folder[~known], minlength=len(files.folders)).tolist()
        lacking = [number for number, count in enumerate(missing) if count]
        for number in lacking:
            if not (name := first_part(files.folders[number], "")):
                left_out.add("test image without a class", files.relative(files_of(files, number)), missing[number])
        unknown = {first_part(files.folders[number], "") for number in lacking} - {""}
        for name in sorted(unknown):
            left_out.add("class that only the test split has", name)
        return known, left_out


def find_classes(
    files: Files, prefix: str, wanted: ClassesSetting | None, *, place: Path, test: str = ""
) -> ClassFolders:
    """The classes of training images.

    prefix: the folder that they lie in, below the top of the files; place: the same folder, for messages; test: the
    folder of test images below it, if any; wanted: None makes the subfolders classes where all images lie in two or
    more of them.

    Raises: DatasetError where there is no folder to be a class, or the splits lie below the classes.
    """
    tops = [first_part(path, prefix) for path in files.folders]
    counts = np.bincount(files.folder, minlength=len(tops))
    of_top: dict[str, int] = {}
    for top, count in zip(tops, counts.tolist(), strict=True):
        of_top[top] = of_top.get(top, 0) + count
    loose = of_top.pop("", 0)
    used = sorted(name for name, count in of_top.items() if count)
    left_out = LeftOut()
    for name, count in sorted(of_top.items()):
        if not count and name != test:
            left_out.add("folder without images", f"{prefix}/{name}" if prefix else name)
    everything = np.ones(len(files), dtype=bool)

    def without(why: str) -> ClassFolders:
        return ClassFolders((), (), why, everything, left_out)

    if wanted == "none":
        return without('dataset.classes = "none"' if used else "")
    if wanted is None:
        if not used:
            return without("")
        if len(used) == 1 and not loose:
            return without(f"all images lie in one folder, {displayed(used[0])}")
        if loose:
            return without(f'{loose:,} images lie beside the folders (dataset.classes = "folders" leaves them out)')
        refuse_splits_below_classes(files, prefix, used, place)
    if not used:
        raise DatasetError(
            f"{displayed(place)}: there is no folder with images in it to be a class.",
            remedy='Put the images of each class into a folder, or set dataset.classes = "none".',
        )
    if loose:
        left_out.add("image beside the class folders", files.relative(files_of(files, tops.index(""))), loose)
    in_classes = np.array([top != "" for top in tops])[files.folder]
    names = tuple(map(displayed, used))
    if len(set(names)) < len(names):
        raise DatasetError(f"{displayed(place)}: two class folders have the same name in print.", remedy="Rename one.")
    return ClassFolders(tuple(used), names, "", in_classes, left_out)


def refuse_splits_below_classes(files: Files, prefix: str, classes: Sequence[str], place: Path) -> None:
    """Raises: DatasetError where every class folder holds splits and nothing else: cat/train, cat/test."""
    start = len(prefix.split("/")) if prefix else 0
    second = {(path.split("/") + [""] * 2)[start + 1] for path in {files.folders[n] for n in np.unique(files.folder)}}
    if second and all(name.casefold() in (*TRAIN_NAMES, *TEST_NAMES, *VALIDATION_NAMES) for name in second):
        example = displayed(classes[0])
        raise ask(
            place,
            f"{quoted(sorted(second))} lie below the classes, and would all be for training",
            [
                'dataset.classes = "folders" (they are read so)',
                f"move them: train/{example}, not {example}/train",
            ],
        )


def first_part(path: str, prefix: str) -> str:
    """The first folder of a path below `prefix`; "" for what lies in `prefix` itself, or above."""
    if not prefix:
        return path.partition("/")[0]
    return path[len(prefix) + 1 :].partition("/")[0] if path.startswith(f"{prefix}/") else ""


def files_of(files: Files, folder: int) -> int:
    """The number of the first file of a folder."""
    return int(np.flatnonzero(files.folder == folder)[0])


def unlabelled_test_error(folder: Path, test: str) -> DatasetError:
    """The error where no test image lies in the folder of a class that training has."""
    return ask(
        folder,
        f"no image of {displayed(test)} lies in the folder of a class",
        [
            f'dataset.test = "{HELD_OUT}" (one training image in ten is held out)',
            'dataset.classes = "none" (no image has a class)',
        ],
    )
