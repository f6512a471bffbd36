"""A run's directory: its layout, and writes that lose nothing if the process is killed at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganzoo.datasets.atomic import replace_file, replace_json
from ganzoo.errors import RunError
from ganzoo.runs.checkpoint import step_name

REQUIRED_FACTS = ("status", "step", "total_steps", "dataset")
"""The keys that every run.json has."""


class RunDirectory:
    """The paths of one run, and its small files. See DESIGN section 7 or docs/architecture.md for the layout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.facts = path / "run.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.best = path / "best"
        self.conditions = path / "conditions.safetensors"
        self.evaluations = path / "evaluations"
        self.lock = path / ".lock"

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Opens the directory of an existing run. Raises: RunError where there is none at `path`."""
        directory = cls(Path(path))
        if not directory.facts.is_file() or not directory.recipe.is_file():
            raise RunError(
                f"{path} is not a run: it has no run.json and recipe.toml.",
                remedy="Runs are made by `ganzoo run RECIPE`, by default under runs/.",
            )
        return directory

    @contextmanager
    def training_lock(self) -> Iterator[None]:
        """A lock against training by other processes, which is released when this process ends, however that happens.

        Raises: RunError where another process holds it.
        """
        try:
            with FileLock(self.lock, timeout=0):
                yield
        except Timeout as error:
            raise RunError(
                f"{self.path} is being trained by another process.", remedy="Wait for it, or stop it."
            ) from error

    def read_facts(self) -> dict[str, Any]:
        """run.json. Raises: RunError where it is damaged."""
        try:
            facts: dict[str, Any] = json.loads(self.facts.read_bytes())
            missing = [name for name in REQUIRED_FACTS if name not in facts]
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{self.facts}: cannot be read: {error}.") from error
        if missing:
            raise RunError(f"{self.facts} is damaged: it does not say {', '.join(missing)}.")
        return facts

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Replaces run.json atomically."""
        replace_json(self.facts, facts)

    def write_recipe(self, text: str) -> None:
        """Replaces recipe.toml atomically."""
        replace_file(self.recipe, text.encode())

    def read_metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl; a last line that was truncated when the process was killed is left out."""
        rows = []
        if self.metrics.exists():
            for line in self.metrics.read_text().splitlines():
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    break
        return rows

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Appends one row, which programs that follow the file see immediately."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def rewind_metrics(self, step: int, log_every: int, odd: Callable[[int], Collection[str]] = lambda _: ()) -> None:
        """Removes the rows after `step`, which training will write again, and one at `step` between logged steps.

        Such a row is written at the last step of a run. odd: given a step, the names in its row that are there only
        because the run ended at that step; they are removed too. Rows before `step` stay as they are: another
        `log_every` may have been in force.
        """
        rows = self.read_metrics()
        kept = [row for row in rows if row["step"] < step]
        kept += [
            {name: value for name, value in row.items() if name not in odd(step)}
            for row in rows
            if row["step"] == step and log_every and step % log_every == 0
        ]
        replace_file(self.metrics, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def grid(self, step: int, name: str = "") -> Path:
        """The path of a step's sample grid; a second grid of the same step has its name at the end."""
        return self.samples / f"{step_name(step)}{'-' + name if name else ''}.png"

    def checkpoint(self, step: int) -> Path:
        """The path of a step's checkpoint."""
        return self.checkpoints / step_name(step)
