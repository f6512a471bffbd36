"""Every mistake that a user can mend: what is wrong, where, and what to do now.

Exceptions carry data and are formatted at the edge: the command line prints `str(error)` and exits with
`error.exit_status`; a notebook shows the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class GanzooError(Exception):
    """A mistake in the input: `what` (with its place) and, where there is one, the `remedy`.

    `exit_status` is what the command line ends with: 2 says that the input was wrong.
    """

    exit_status = 2

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}" if self.remedy else self.what


class OptionError(GanzooError):
    """A constructor was given an option that it cannot use (raised by components, plugins' too)."""


class PluginError(GanzooError):
    """A plugin is missing, broken, or in conflict with another one."""


class DatasetError(GanzooError):
    """A data set's files are there but wrong: corrupt, truncated, or of another kind."""


class DatasetUnavailable(DatasetError):
    """A data set cannot be had on this machine: not on disk, and not to be downloaded."""


class CheckpointError(GanzooError):
    """A checkpoint is damaged, or does not belong to what it is to be loaded into."""


class RunError(GanzooError):
    """A run directory cannot be used as asked."""


class MetricError(GanzooError):
    """A metric or an extractor cannot be used as asked, or not on this machine."""


class TrainingFailed(GanzooError):
    """The run itself failed, with good input: exit status 1."""

    exit_status = 1


class FailedElsewhere(TrainingFailed):
    """Another rank of the run failed, and says so itself: this one ends with it, by the other's `exit_status`.

    The command line prints nothing of it, or a hundred ranks would say one thing.
    """

    def __init__(self, what: str, *, exit_status: int = 1) -> None:
        super().__init__(what)
        self.exit_status = exit_status


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a recipe.

    where: "recipes/mine.toml:7", "--set generator.hidden=3", or a file's name where no line fits.
    what: one sentence that names the key's full path; remedy: what to write instead.
    """

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}"
        return f"{head}\n  {self.remedy}" if self.remedy else head


class RecipeError(GanzooError):
    """Everything that is wrong with a recipe, all at once; the message has the first MAX_SHOWN."""

    MAX_SHOWN = 30

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[: self.MAX_SHOWN]]
        if (more := len(self.problems) - len(lines)) > 0:
            lines.append(f"... and {more:,} more problems.")
        super().__init__("\n".join(lines))
