"""A finding: what was seen, what it means, what to change, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["note", "warning", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a run's training.

    name: of the kind ("mode-collapse"); severity: "note" (not of training itself), "warning", "failure" (nothing is
    learned any more); seen: in words, with the figure and the steps; figures: the same as numbers; means: what that
    says; change: lines of the recipe, each as `--set` takes it, any one of which is worth trying (`Advice`
    finds those that fit a run); paper: who says so; steps: the first and last step that it was seen in; otherwise:
    lines in the place of `change`, where none of those fits.
    """

    name: str
    severity: Severity
    seen: str
    figures: Mapping[str, float]
    means: str
    change: tuple[str, ...]
    paper: str
    steps: tuple[int, int]
    otherwise: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name as a person reads it."""
        return self.name.replace("-", " ")

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {name: value for name, value in asdict(self).items() if name != "otherwise"}

    def __str__(self) -> str:
        """In a line: what and how it was seen."""
        return f"{self.title}: {self.seen}"
