"""A run's directory: its layout, and writes that lose nothing if the process is killed at any moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganzoo.datasets.atomic import replace_file, replace_json
from ganzoo.errors import RunError
from ganzoo.runs.checkpoint import step_name
from ganzoo.runs.json_file import JsonError, read_json, reason, typed
from ganzoo.runs.metrics_log import MetricsLog, append_row, read_log, rewind_log
from ganzoo.runs.run_json import FORMAT, run_schema


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
        remedy = "Mend the file, or put a copy of it from before in its place."
        try:
            facts = read_json(self.facts)
        except (OSError, JsonError) as error:
            raise RunError(f"{self.facts}: cannot be read: {reason(error)}.", remedy=remedy) from error
        if isinstance(facts, dict) and isinstance(facts.get("format"), int) and facts["format"] > FORMAT:
            raise RunError(f"{self.facts}: written by a newer ganzoo.", remedy="Upgrade ganzoo to read it.")
        try:
            checked: Any = typed(facts, run_schema())
        except JsonError as error:
            raise RunError(f"{self.facts} is damaged: {error}.", remedy=remedy) from error
        return dict(checked)

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Replaces run.json atomically."""
        replace_json(self.facts, facts)

    def write_recipe(self, text: str) -> None:
        """Replaces recipe.toml atomically."""
        replace_file(self.recipe, text.encode())

    def read_log(self) -> MetricsLog:
        """The rows of metrics.jsonl, and what of it cannot be read."""
        return read_log(self.metrics)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Appends one row, which programs that follow the file see immediately."""
        append_row(self.metrics, row)

    def rewind_metrics(
        self, step: int, log_every: int, odd: Callable[[int], Collection[str]] = lambda _: ()
    ) -> tuple[MetricsLog, Path | None]:
        """Removes the rows after `step` and between logged steps, as `rewind_log` says."""
        return rewind_log(self.metrics, step, log_every, odd)

    def grid(self, step: int, name: str = "") -> Path:
        """The path of a step's sample grid; a second grid of the same step has its name at the end."""
        return self.samples / f"{step_name(step)}{'-' + name if name else ''}.png"

    def checkpoint(self, step: int) -> Path:
        """The path of a step's checkpoint."""
        return self.checkpoints / step_name(step)
