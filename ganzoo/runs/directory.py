"""A run's directory: its layout, and writes that lose nothing if the process is killed at any moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ganzoo.datasets.atomic import replace_file, replace_json
from ganzoo.datasets.temporaries import MAX_AGE, seconds_since_write, sweep
from ganzoo.errors import RunError
from ganzoo.runs.cached_file import FileVersion, version_of
from ganzoo.runs.checkpoint import step_in, step_name
from ganzoo.runs.json_file import JsonError, read_json, reason, typed
from ganzoo.runs.metrics_log import MetricsLog, append_row, read_log, rewind_log
from ganzoo.runs.run_json import FORMAT, run_schema

GRID = re.compile(r"(step-[0-9]+)(?:-(.+))?\.png", re.DOTALL)
"""The name of a sample grid."""


OLD_TEMPORARY = re.compile(r"\.(step-[0-9]{8,}.*|run\.json|metrics\.jsonl|recipe\.toml)\.[0-9]+\.tmp", re.DOTALL)
"""What training's temporaries were called before they had locks."""

PARTS = {"recipe.toml", "run.json", "metrics.jsonl", "samples", "checkpoints", "conditions.safetensors"}
"""What a new run begins with."""


class Grid(NamedTuple):
    """A sample grid's file. name: "" for the first of a step, else what it shows."""

    step: int
    name: str
    path: Path


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
        self._known: tuple[FileVersion | None, str | None] = (None, None)

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
    def training_lock(self, *, wait: float = 0.0) -> Iterator[None]:
        """A lock against training by other processes, which is released when this process ends, however that happens.

        wait: seconds to wait for another process to release it. Raises: RunError where another process holds it.
        """
        try:
            with FileLock(self.lock, timeout=wait):
                yield
        except Timeout as error:
            raise RunError(
                f"{self.path} is being trained by another process.", remedy="Wait for it, or stop it."
            ) from error

    def belongs_to(self, run_id: str | None) -> bool:
        """Whether the run with this id lies here still: it may have been deleted or moved, and another begun since."""
        version = version_of(self.facts)
        if version is None:
            return False
        if version != self._known[0]:
            try:
                found = read_json(self.facts)
                self._known = version, found.get("id", run_id) if isinstance(found, dict) else run_id
            except (OSError, JsonError):
                return self.facts.exists()  # damaged, and replaced when it is written next
        return self._known[1] == run_id

    def sweep(self) -> list[Path]:
        """Removes what killed writers have left here, and beside the directory of new runs. Returns: what that was.

        While the training lock is held, nobody else writes what only training writes, whatever its name looks like.
        """
        removed = sweep(self.path.parent, also=is_half_a_run)
        for folder in (self.path, self.samples, self.checkpoints, self.best):
            removed += sweep(folder, also=lambda path: OLD_TEMPORARY.fullmatch(path.name) is not None)
        return removed + sweep(self.evaluations)

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

    def grids(self, last_step: int) -> list[Grid]:
        """The sample grids of steps up to `last_step`, oldest first; other files in samples/ are none."""
        found = []
        for path in self.samples.glob("step-*.png"):
            matched = GRID.fullmatch(path.name)
            step = step_in(matched[1]) if matched else None
            if matched and step is not None and step <= last_step and path.is_file() and not path.is_symlink():
                found.append(Grid(step, matched[2] or "", path))
        return sorted(found)

    def checkpoint(self, step: int) -> Path:
        """The path of a step's checkpoint."""
        return self.checkpoints / step_name(step)


def is_half_a_run(path: Path) -> bool:
    """Whether a folder is what a run left that was killed at its beginning, a day ago or more, by an older ganzoo."""
    if not re.fullmatch(r"\..+\.[0-9]+\.tmp", path.name, re.DOTALL) or path.is_symlink() or not path.is_dir():
        return False
    try:
        held = {each.name for each in path.iterdir()}
        return "recipe.toml" in held and held <= PARTS and seconds_since_write(path) > MAX_AGE
    except OSError:
        return False
