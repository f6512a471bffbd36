"""metrics.jsonl: rows of logged values. What is damaged in the file costs the damaged lines and no others.

A last line that was cut off when the process was killed is left out; a run that goes on writes that row again. Any
other line that is no row is damage: it is reported, and the rows around it are used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ganzoo.datasets.atomic import replace_file
from ganzoo.recipe.plain_file import MIB, open_plain_file, size_text

Row = dict[str, int | float]
"""The values of one row by name; "step" is a whole number."""

MAX_BYTES = 4096 * MIB
"""The largest log that is read: some ten million rows."""

MAX_LINE = MIB
"""The longest line that is read; a row of a hundred values has 3 KB."""

MAX_STEP = 2**53

SHOWN = 8
"""The most lines that a message names."""

Number = (
    Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
)


@dataclass(frozen=True, slots=True)
class MetricsLog:
    """The rows of a run's metrics.jsonl, in the order of the file.

    damaged: numbers of the first lines that are no rows, counted from 1; damaged_count: of all such lines; unread: why
    the file, or the rest of it, was not read.
    """

    path: Path
    rows: list[Row]
    damaged: tuple[int, ...] = ()
    damaged_count: int = 0
    unread: str = ""

    @property
    def damage(self) -> str:
        """What of the file cannot be read, as one sentence; "" where all of it can."""
        said = []
        if self.damaged:
            more = self.damaged_count - len(self.damaged)
            numbers = [*map(str, self.damaged), *([f"{more:,} more"] if more else [])]
            several = len(numbers) > 1
            named = (
                f"{', '.join(numbers[:-1])} and {numbers[-1]} are not rows" if several else f"{numbers[0]} is no row"
            )
            said.append(f"line{'s' * several} {named} of numbers with a step")
        if self.unread:
            said.append(self.unread)
        return f"{self.path}: {'; '.join(said)}." if said else ""


def read_log(path: Path) -> MetricsLog:
    """The log at `path`; one without rows where there is no file, or one that cannot be read."""
    log = _Reading(path)
    return log.result([row for _, row in log])


def rewind_log(
    path: Path, step: int, log_every: int, odd: Callable[[int], Collection[str]] = lambda _: ()
) -> tuple[MetricsLog, Path | None]:
    """Removes the rows after `step`, which training will write again, and one at `step` between logged steps.

    Such a row is written at the last step of a run; rows before it stay, for another `log_every` may have been in force
    there. odd: given a step, the names in its row that are there only because
    the run ended at that step; they are removed too. Rows that stay are not changed by a byte.
    Returns: the log as it was, and where a damaged file is kept from now on, None for one without damage.
    """
    log, kept = _Reading(path), []
    for line, row in log:
        at = int(row["step"])
        if at > step or (at == step and (not log_every or at % log_every)):
            continue
        removed = row.keys() & set(odd(at)) if at == step else set()
        left = {name: value for name, value in row.items() if name not in removed}
        kept.append(json.dumps(left).encode() if removed else line.strip())
    found = log.result([])
    place = set_aside(path) if found.damage else None
    replace_file(path, b"".join(line + b"\n" for line in kept))
    return found, place


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Appends one row, which programs that follow the file see immediately."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def set_aside(path: Path) -> Path:
    """Gives the file at `path` a second name, of which there is none yet, and returns it: metrics.jsonl.damaged."""
    names = (path.with_name(f"{path.name}.damaged{f'-{number}' if number > 1 else ''}") for number in range(1, 10_000))
    place = next(name for name in names if not os.path.lexists(name))
    try:
        os.link(path, place, follow_symlinks=False)  # until the new file takes its name, the log is never missing
    except (OSError, NotImplementedError):  # a folder, or a disk without hard links
        path.rename(place)
    return place


class _Reading:
    """Iterates over the whole rows of a log, each with its line, and counts what is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged: list[int] = []
        self.damaged_count = 0
        self.unread = ""

    def __iter__(self) -> Iterator[tuple[bytes, Row]]:
        try:
            yield from self.rows()
        except FileNotFoundError:
            return
        except OSError as error:
            self.unread = f"it cannot be read: {error.strerror or error}"

    def rows(self) -> Iterator[tuple[bytes, Row]]:
        """The rows. Raises: OSError where the file cannot be read."""
        with open_plain_file(self.path, limit=MAX_BYTES) as file:
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                whole = line.endswith(b"\n")
                if not whole and len(line) == MAX_LINE:
                    self.unread = (
                        f"line {number} is longer than {size_text(MAX_LINE)}, and nothing from there on is read"
                    )
                    return
                row = parse_row(line)
                if row is not None:
                    yield line, row
                elif whole:  # and not cut off when the process was killed
                    self.damaged_count += 1
                    if len(self.damaged) < SHOWN:
                        self.damaged.append(number)

    def result(self, rows: list[Row]) -> MetricsLog:
        """What was read."""
        return MetricsLog(self.path, rows, tuple(self.damaged), self.damaged_count, self.unread)


def parse_row(line: bytes) -> Row | None:
    """A line as a row; None where it is none: no JSON object of finite numbers, or without a step."""
    try:
        row = _rows().validate_json(line)
    except ValidationError:
        return None
    step = row.get("step")
    return row if isinstance(step, int) and 0 <= step <= MAX_STEP else None


@cache
def _rows() -> TypeAdapter[Row]:
    return TypeAdapter(dict[str, Number], config=ConfigDict(allow_inf_nan=False))
