"""The outcome of an examination: a finding (observation, meaning, suggested changes, source), or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["note", "warning", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem of a run's training.

    name: of the problem ("mode-collapse"); severity: "note" (not about training itself), "warning", "failure" (nothing
    is learned any more); seen: the observation as text, with figures and steps; figures: the same as numbers; means:
    the interpretation; change: recipe settings in the syntax of `--set`, each worth trying by itself (`Advice` finds
    those that the run's recipe accepts); paper: the source; steps: the first and last step of the observation;
    otherwise: settings to suggest if none of `change` is accepted.
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
        """The name with spaces instead of hyphens."""
        return self.name.replace("-", " ")

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {name: value for name, value in asdict(self).items() if name != "otherwise"}

    def __str__(self) -> str:
        """Title and observation in one line."""
        return f"{self.title}: {self.seen}"


@dataclass(frozen=True, slots=True)
class NotExamined:
    """what: a question that could not be asked ("balance"); why: the reason ("this game logs no d_real")."""

    what: str
    why: str

    def __str__(self) -> str:
        """Both in one line."""
        return f"{self.what}: {self.why}."


Outcome = Finding | NotExamined | None
"""What a check returns: a problem, that it cannot be answered, or that there is none."""
