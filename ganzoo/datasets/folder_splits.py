"""Which folders inside a folder of images are the training and the test split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.datasets.files import IMAGE_ENDINGS, suffix_of
from ganzoo.datasets.folder_scan import is_run, is_tool_folder, reason_to_leave_out
from ganzoo.datasets.left_out import LeftOut, displayed
from ganzoo.errors import DatasetError

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing")
VALIDATION_NAMES = ("val", "valid", "validation")
"""Names of splits, in any letter case."""

HELD_OUT = "held-out"
"""As the option `test`: a share of the training images is held out, whatever folders there are."""

WHOLE = "."
"""As the option `train`: the folder itself."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Where the splits of a folder are.

    train, test: paths relative to it; train is "" for the folder itself, test None where training images are held out.
    left_out: what lies beside the splits.
    """

    train: str
    test: str | None
    left_out: LeftOut

    @property
    def alone(self) -> bool:
        """Whether all images of the folder lie in its splits."""
        return not {"folder beside the splits", "image beside the splits"} & set(self.left_out.counts)

    @property
    def test_in_train(self) -> str:
        """The path of the test folder relative to that of training, where it lies inside; else ""."""
        relative = "" if self.test is None else os.path.relpath(self.test, self.train or ".")
        return "" if relative.startswith("..") else relative


def find_splits(folder: Path, train: str | None = None, test: str | None = None) -> Splits:
    """The splits of a folder. train, test: as the options of `image-folder`; None decides by the folders' names.

    Raises: DatasetError where a folder is missing, and where the names leave it open what is a split.
    """
    names = visible_folders(folder)
    if train is not None or test is not None:
        return given_splits(folder, names, train, test)
    held = [name for name in names if name.casefold() in (*TEST_NAMES, *VALIDATION_NAMES)]
    named = [name for name in names if name.casefold() in TRAIN_NAMES]
    trains = holding_images(folder, named) or (named if held else [])
    if len(trains) > 1:
        raise ask(folder, f"{quoted(trains)} may each be the training split", [f'dataset.train = "{trains[0]}"'])
    if not trains:
        held = holding_images(folder, held)
        if held and (len(held) > 1 or holding_images(folder, set(names) - set(held)) or loose_images(folder)):
            one = displayed(held[0])
            raise ask(
                folder,
                f"{quoted(held)} may be a split or a class, and there is no folder train",
                [
                    f'dataset.train = "{WHOLE}" and dataset.test = "{one}" (the test split; the rest is for training)',
                    f'dataset.train = "{WHOLE}" and dataset.test = "{HELD_OUT}" (images like all others)',
                ],
            )
        return Splits("", None, LeftOut())
    chosen = choose_test(folder, held)
    if chosen is None and (others := holding_images(folder, set(names) - {trains[0]})):
        raise ask(
            folder,
            f"{quoted(trains)} may be the training split or a class like {quoted(others[:3])} beside it",
            [f'dataset.train = "{displayed(trains[0])}" (the split)', f'dataset.train = "{WHOLE}" (a class)'],
        )
    if chosen is None and (loose := loose_images(folder)):
        raise ask(
            folder,
            f"{loose:,} images lie beside the folder {displayed(trains[0])}",
            [
                f'dataset.train = "{displayed(trains[0])}" (they are left out)',
                f'dataset.train = "{WHOLE}" (all are for training)',
            ],
        )
    return Splits(trains[0], chosen, beside(folder, names, (trains[0], chosen)))


def given_splits(folder: Path, names: Sequence[str], train: str | None, test: str | None) -> Splits:
    """The splits where at least one is given by an option. Raises: DatasetError where there is no such folder."""
    for option, name, word in (("train", train, WHOLE), ("test", test, HELD_OUT)):
        if name is not None and name != word and not (folder / name).is_dir():
            raise DatasetError(
                f"{displayed(folder)}: dataset.{option} names no folder in it: {displayed(name)}.",
                remedy=f"Folders there: {', '.join(map(displayed, names)) or 'none'}.",
            )
    if train is None:
        trains = [name for name in names if name.casefold() in TRAIN_NAMES and name != test]
        if len(trains) > 1:
            raise ask(folder, f"{quoted(trains)} may each be the training split", [f'dataset.train = "{trains[0]}"'])
        train = trains[0] if trains else WHOLE
    where = "" if train == WHOLE else os.path.normpath(train)
    if test is None and where:
        others = [name for name in names if name.casefold() in (*TEST_NAMES, *VALIDATION_NAMES) and name != where]
        test = choose_test(folder, others)
    elif test is not None:
        test = None if test == HELD_OUT else os.path.normpath(test)
    return Splits(where, test, beside(folder, names, (where, test)) if where else LeftOut())


def find_domain_splits(folder: Path, letter: str) -> Splits:
    """The folders trainA and testA of domain A (or valA, validA, validationA), in any letter case; the same for B.

    Raises: DatasetError where there is no training folder, or where there are several.
    """
    names = visible_folders(folder)

    def named(beginnings: Sequence[str]) -> list[str]:
        return [name for name in names if name.casefold() in {f"{one}{letter}".casefold() for one in beginnings}]

    trains, tests = named(TRAIN_NAMES[:1]), named(TEST_NAMES[:1]) or named(VALIDATION_NAMES)
    if not trains:
        raise DatasetError(
            f"{displayed(folder)}: there is no folder train{letter} in it.",
            remedy="Put the domains into the folders trainA and trainB, and test images into testA and testB.",
        )
    for several in (trains, tests):
        if len(several) > 1:
            raise DatasetError(
                f"{displayed(folder)}: {quoted(several)} may each be that split of domain {letter}.",
                remedy="Rename all but one of them, or move them elsewhere.",
            )
    return Splits(trains[0], tests[0] if tests else None, LeftOut())


def choose_test(folder: Path, names: Sequence[str]) -> str | None:
    """The folder of test images: of several, the one named test. Raises: DatasetError where several are equally fit."""
    tests = [name for name in names if name.casefold() in TEST_NAMES]
    fit = holding_images(folder, tests) or holding_images(folder, names) or tests
    if len(fit) > 1:
        raise ask(folder, f"{quoted(fit)} may each be the test split", [f'dataset.test = "{displayed(fit[0])}"'])
    return fit[0] if fit else None


def beside(folder: Path, names: Sequence[str], splits: Sequence[str | None]) -> LeftOut:
    """What lies beside the splits: folders with images, images, and what is read nowhere."""
    left_out = LeftOut()
    used = {split.split("/")[0] for split in splits if split}
    for name in holding_images(folder, set(names) - used):
        left_out.add("folder beside the splits", name)
    with os.scandir(folder) as entries:
        reasons = {entry.name: reason_to_leave_out(entry) for entry in entries if entry.name not in names}
    for name, reason in sorted(reasons.items()):
        left_out.add(reason or "image beside the splits", name)
    for name in names:
        if is_run(folder / name):
            left_out.add("run of ganzoo", name)
    return left_out


def ask(folder: Path, what: str, answers: Sequence[str]) -> DatasetError:
    """The error where the folder does not say what is meant, with the options that do."""
    return DatasetError(f"{displayed(folder)}: {what}.", remedy=f"Set {', or '.join(answers)}.")


def quoted(names: Sequence[str]) -> str:
    """Names in a sentence: "train" and "Train"."""
    return " and ".join(f'"{displayed(name)}"' for name in names)


def visible_folders(folder: Path) -> list[str]:
    """The names of the subfolders that may hold data, links included. Raises: DatasetError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if is_folder(entry) and not is_tool_folder(entry.name))
    except OSError as error:
        raise DatasetError(
            f"{displayed(folder)}: {error.strerror}.", remedy="Let it be read, or move it elsewhere."
        ) from error


def holding_images(folder: Path, names: Sequence[str] | set[str]) -> list[str]:
    """Those of the subfolders that hold an image at any depth."""
    return [name for name in sorted(names) if holds_images(folder / name)]


def holds_images(folder: Path) -> bool:
    """Whether an image lies in the folder, at any depth; a folder that cannot be read counts as one that holds some."""
    pending, seen = [folder], set()
    try:
        while pending:
            place = pending.pop()
            status = place.stat()
            if (status.st_dev, status.st_ino) in seen or is_run(place):
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(place) as entries:
                for entry in entries:
                    if is_image(entry):
                        return True
                    if is_folder(entry) and not is_tool_folder(entry.name):
                        pending.append(place / entry.name)
    except OSError:
        return True
    return False


def loose_images(folder: Path) -> int:
    """The number of images that lie in the folder itself."""
    with os.scandir(folder) as entries:
        return sum(map(is_image, entries))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one that can be followed."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_image(entry: os.DirEntry[str]) -> bool:
    """Whether it is a visible file with the suffix of an image."""
    try:
        return entry.is_file() and not entry.name.startswith(".") and suffix_of(entry.name) in IMAGE_ENDINGS
    except OSError:
        return False
