"""What is in a folder of data and is not read, by reason: a number and the first names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Reason = Literal[
    "hidden folder",
    "folder of a tool",
    "run of ganzoo",
    "link to a folder that is read anyway",
    "link that cannot be followed",
    "hidden image",
    "file that is not an image",
    "folder without images",
    "folder beside the splits",
    "image beside the splits",
    "image beside the class folders",
    "class that only the test split has",
    "test image without a class",
]

PLURALS: Mapping[Reason, str] = {
    "hidden folder": "hidden folders",
    "folder of a tool": "folders of tools",
    "run of ganzoo": "runs of ganzoo",
    "link to a folder that is read anyway": "links to folders that are read anyway",
    "link that cannot be followed": "links that cannot be followed",
    "hidden image": "hidden images",
    "file that is not an image": "files that are not images",
    "folder without images": "folders without images",
    "folder beside the splits": "folders beside the splits",
    "image beside the splits": "images beside the splits",
    "image beside the class folders": "images beside the class folders",
    "class that only the test split has": "classes that only the test split has",
    "test image without a class": "test images without a class",
}

MAX_NAMES = 5
"""The most names that are kept for one reason."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files and folders that are not read. counts: their number by reason; names: the first ones of each reason."""

    counts: dict[Reason, int] = field(default_factory=dict)
    names: dict[Reason, tuple[str, ...]] = field(default_factory=dict)

    def add(self, reason: Reason, name: str, count: int = 1) -> None:
        """Counts a file or folder; name: its path, relative to the folder of the data."""
        self.counts[reason] = self.counts.get(reason, 0) + count
        if len(names := self.names.get(reason, ())) < MAX_NAMES:
            self.names[reason] = (*names, displayed(name))

    def __add__(self, other: LeftOut) -> LeftOut:
        """What is left out of both."""
        both = LeftOut(dict(self.counts), dict(self.names))
        for reason, count in other.counts.items():
            both.counts[reason] = both.counts.get(reason, 0) + count
            both.names[reason] = (*both.names.get(reason, ()), *other.names[reason])[:MAX_NAMES]
        return both

    def below(self, folder: str) -> LeftOut:
        """The same, with names relative to the folder that `folder` lies in."""
        names = {reason: tuple(f"{displayed(folder)}/{name}" for name in some) for reason, some in self.names.items()}
        return LeftOut(dict(self.counts), names) if folder else self

    def notes(self) -> Iterator[str]:
        """A line for each reason: "2 hidden folders are left out: .git, .ipynb_checkpoints"."""
        for reason, count in self.counts.items():
            if reason == "file that is not an image":
                yield f"{count:,} files are not images, and left out"
                continue
            what = f"1 {reason} is" if count == 1 else f"{count:,} {PLURALS[reason]} are"
            names = self.names[reason]
            yield f"{what} left out: {', '.join(names)}{', ...' if count > len(names) else ''}"

    def facts(self) -> list[dict[str, Any]]:
        """As JSON: for each reason its number and the first names; `from_facts` is the inverse."""
        return [
            {"what": reason, "count": count, "first": list(self.names[reason])} for reason, count in self.counts.items()
        ]

    @classmethod
    def from_facts(cls, facts: list[dict[str, Any]]) -> LeftOut:
        """The inverse of `facts`."""
        return cls(
            {each["what"]: each["count"] for each in facts}, {each["what"]: tuple(each["first"]) for each in facts}
        )


def displayed(name: str | Path) -> str:
    r"""A file's name as text that every file and page can hold: a byte that is not UTF-8 becomes \xe9 or the like."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
