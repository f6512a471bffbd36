"""Finds the images under a folder, and leaves out hidden folders, folders of tools and ganzoo's own runs."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganzoo.datasets.files import IMAGE_ENDINGS, Files, suffix_of
from ganzoo.datasets.left_out import LeftOut, Reason, displayed
from ganzoo.errors import DatasetError

TOOL_FOLDERS = frozenset(
    (
        "__macosx", "__pycache__", "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
        "$recycle.bin", "recycler", "system volume information", "lost+found",
    )
)  # fmt: skip
"""Folders that programs put beside people's data, in lower case: archives, network storage, operating systems."""

RUN_FILES = frozenset(("run.json", "recipe.toml", "metrics.jsonl", "checkpoints"))
"""What the directory of every run holds; a folder with all of these is a run's, whatever state it is in."""

Identity = tuple[int, int]
"""A folder's device and inode: the same for a folder and all links to it."""


def is_tool_folder(name: str) -> bool:
    """Whether a folder of this name is never data, because a program made it for itself."""
    return name.startswith(".") or name.casefold() in TOOL_FOLDERS


def is_run(folder: Path) -> bool:
    """Whether the folder is the directory of a run."""
    return all((folder / name).exists() for name in RUN_FILES)


def list_files(top: Path) -> tuple[Files, LeftOut, array[int]]:
    """Every file with the suffix of an image, what is left out, and each folder's modification time (ns).

    Links to folders are followed, each folder being read once: where a link leads to a folder that is found without it,
    the link is left out. Raises: DatasetError for an unreadable folder, and where `top` is the directory of a run.
    """
    scan = Scan(top)
    if scan.links:
        scan = Scan(top, known=frozenset(scan.identities))
    files = Files(
        top,
        scan.folders,
        folder=np.frombuffer(scan.folder, np.int32),
        names=np.frombuffer(scan.names, np.uint8),
        starts=np.frombuffer(scan.starts, np.int64),
        lengths=np.frombuffer(scan.lengths, np.int32),
        sizes=np.frombuffer(scan.sizes, np.int64),
    )
    return files, scan.left_out, scan.changed


@dataclass(slots=True)
class Scan:
    """One pass over a folder and its subfolders, in the order of their names.

    known: the folders that lie under `top` without links; None: no links are followed, and `links` counts them.
    """

    top: Path
    known: frozenset[Identity] | None = None
    links: int = 0
    folders: list[str] = field(default_factory=list)
    identities: set[Identity] = field(default_factory=set)
    left_out: LeftOut = field(default_factory=LeftOut)
    changed: array[int] = field(default_factory=lambda: array("q"))
    folder: array[int] = field(default_factory=lambda: array("i"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("i"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    names: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        first = self.enter("", linked=False)
        if first is None:
            raise DatasetError(
                f"{displayed(self.top)} is the directory of a run of ganzoo, and no data.",
                remedy="Name the folder that holds the images.",
            )
        stack = [first]
        while stack:
            folder = stack[-1]
            for name, size in folder.entries:
                if size is not None:
                    self.add_file(folder.number, name, size)
                elif below := self.enter(folder.path_of(name), linked=folder.linked or name in folder.links):
                    stack.append(below)
                    break
            else:
                stack.pop()

    def enter(self, relative: str, *, linked: bool) -> Folder | None:
        """Begins to read a folder; None where it is left out. linked: whether a link led to it."""
        place = self.top / relative
        read: dict[str, int | None] = {}
        left_out: dict[str, Reason] = {}
        links: set[str] = set()
        try:
            status = place.stat()  # before it is read, so that later changes are detected
            identity = (status.st_dev, status.st_ino)
            if linked and (identity in self.identities or identity in (self.known or ())):
                self.left_out.add("link to a folder that is read anyway", relative)
                return None
            with os.scandir(place) as entries:
                for entry in entries:
                    if reason := reason_to_leave_out(entry):
                        left_out[entry.name] = reason
                    elif not entry.is_dir():
                        read[entry.name] = entry.stat().st_size
                    elif not entry.is_symlink() or self.known is not None:
                        read[entry.name] = None
                        links |= {entry.name} if entry.is_symlink() else set()
                    else:
                        self.links += 1
        except OSError as error:
            raise DatasetError(
                f"{displayed(place)}: {error.strerror}.", remedy="Let it be read, or move it elsewhere."
            ) from error
        if {*read, *left_out} >= RUN_FILES:
            self.left_out.add("run of ganzoo", relative)
            return None
        folder = Folder(relative, len(self.folders), linked, links, iter([(name, read[name]) for name in sorted(read)]))
        for name in sorted(left_out):
            self.left_out.add(left_out[name], folder.path_of(name))
        self.identities.add(identity)
        self.changed.append(status.st_mtime_ns)
        self.folders.append(relative)
        return folder

    def add_file(self, folder: int, name: str, size: int) -> None:
        """Appends an image of the folder with that number."""
        encoded = os.fsencode(name)
        self.folder.append(folder)
        self.starts.append(len(self.names))
        self.lengths.append(len(encoded))
        self.sizes.append(size)
        self.names.extend(encoded)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is being read: its path below the top, its number, and what of its entries is still to be read.

    linked: whether a link led to it; links: its entries that are links to folders; entries: name -> an image's size in
    bytes, or None for a folder.
    """

    relative: str
    number: int
    linked: bool
    links: set[str]
    entries: Iterator[tuple[str, int | None]]

    def path_of(self, name: str) -> str:
        """The path of an entry below the top."""
        return f"{self.relative}/{name}" if self.relative else name


def reason_to_leave_out(entry: os.DirEntry[str]) -> Reason | None:
    """Why a file or folder is not read, from its name and type; None for images, and for folders to look into."""
    hidden = entry.name.startswith(".")
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
    except OSError:  # a link in a circle, or to a place that is closed to this user
        is_folder = is_file = False
    if is_folder:
        return "hidden folder" if hidden else "folder of a tool" if is_tool_folder(entry.name) else None
    if not is_file and entry.is_symlink():
        return "link that cannot be followed"
    if not is_file or suffix_of(entry.name) not in IMAGE_ENDINGS:
        return "file that is not an image"
    return "hidden image" if hidden else None
