"""What a run's directory holds: facts, recipe, rows, scores, checkpoints. No network is built for it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.core.data import DatasetInfo
from ganzoo.errors import DatasetError, PluginError, RecipeError, RunError
from ganzoo.plugins import zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.namesakes import Remembered
from ganzoo.runs.cached_file import CachedFile
from ganzoo.runs.checkpoint import step_of
from ganzoo.runs.checkpoint_folder import CheckpointFolder
from ganzoo.runs.directory import Grid, RunDirectory

if TYPE_CHECKING:
    from ganzoo.recipe.model import Choice, Recipe
    from ganzoo.runs.metrics_log import MetricsLog, Row
    from ganzoo.runs.score import Score


class RunRecord:
    """One run's directory, its recipe and its facts; they are read again whenever their files were written since.

    best: the checkpoint is the best one that [evaluate] found. recipe, facts: what the files hold, where that is known
    already.
    """

    def __init__(
        self,
        directory: RunDirectory,
        *,
        recipe: Recipe | None = None,
        best: bool = False,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.files = directory
        self._facts = CachedFile(directory.facts, directory.read_facts, facts)
        self._recipe = CachedFile(directory.recipe, self.read_recipe, recipe)
        self._best = best
        self._pinned: Path | None = None
        self._facts.value()

    @property
    def facts(self) -> dict[str, Any]:
        """run.json, as it is now."""
        return self._facts.value()

    @property
    def step(self) -> int:
        """Steps done. In the process that trains the run it is the present step, else that of the last checkpoint."""
        step: int = self.facts["step"]
        return step

    @step.setter
    def step(self, step: int) -> None:
        if (facts := self._facts.held) is not None:  # set after every round, so without a look at the file
            facts["step"] = step

    @property
    def total_steps(self) -> int:
        """The budget."""
        total: int = self.facts["total_steps"]
        return total

    @property
    def directory(self) -> Path:
        """Where everything lies."""
        return self.files.path

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.resolve().name

    @property
    def status(self) -> str:
        """ "running", "finished" (the budget is spent), "stopped" (a stop condition), "interrupted" or "failed"."""
        status: str = self.facts["status"]
        return status

    @property
    def recipe(self) -> Recipe:
        """What ran, every default spelled out."""
        return self._recipe.value()

    def read_recipe(
        self,
        settings: Mapping[str, tuple[Any, str]] | None = None,
        *,
        overrides: Sequence[str] = (),
        unset: Sequence[str] = (),
    ) -> Recipe:
        """Reads recipe.toml, with what is unset and set on top, as `ganzoo.recipe.read_recipe` has it.

        Raises: PluginError where it cannot be read because a plugin of the run's is gone, with what to install.
        """
        try:
            return read_recipe(
                self.files.recipe, settings=settings, overrides=overrides, unset=unset, remembered=self.remembered
            )
        except RecipeError as error:
            made_with: dict[str, str] = self.facts.get("plugins", {})
            gone = {name: version for name, version in made_with.items() if not zoo().find_plugins(name)}
            if not gone:
                raise
            who = " and ".join(f"{name} {version}" for name, version in gone.items())
            pins = " ".join(f"{name}=={version}" for name, version in gone.items())
            raise PluginError(
                f"{self.directory} was made with {who}, which {'are' if len(gone) > 1 else 'is'} not installed here.",
                remedy=f"Install what is missing first: pip install {pins}",
            ) from error

    @property
    def remembered(self) -> Remembered:
        """The components that the run was made with, by which its recipe is read whatever is installed since."""
        components, plugins = (self.facts.get(name, {}) for name in ("components", "plugins"))
        return Remembered(components, tuple(plugins))

    @property
    def metrics(self) -> list[Row]:
        """The rows of metrics.jsonl. Lines that are no rows are left out, with a warning that names them."""
        log = self.log
        if log.damage:
            warnings.warn(f"{log.damage} The other lines are used.", stacklevel=2)
        return log.rows

    @property
    def log(self) -> MetricsLog:
        """The same rows, and what of the file cannot be read."""
        return self.files.read_log()

    @property
    def grids(self) -> list[Grid]:
        """The sample grids that the run has drawn, oldest first."""
        return self.files.grids(self.total_steps)

    @property
    def info(self) -> DatasetInfo:
        """What the run knows of its data; no data set is touched."""
        return DatasetInfo.from_json(self.facts["dataset"])

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The checkpoints of every so many steps, and of the last one."""
        return CheckpointFolder.of_run(self.files.checkpoints, self.facts)

    @property
    def best_checkpoints(self) -> CheckpointFolder:
        """The checkpoint with the best score that [evaluate] found, and one that a run has ended with."""
        return CheckpointFolder.of_run(self.files.best, self.facts)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint whose weights the run holds: the newest, or the best. Raises: RunError where there is none."""
        if self._pinned:
            return self._pinned
        found = (self.best_checkpoints if self._best else self.checkpoints).newest()
        if found is None and self._best:
            raise RunError(
                f"{self.directory} has no best checkpoint.",
                remedy="One is kept where the recipe has an [evaluate] table, from its first scores on.",
            )
        if found is None:
            raise RunError("\n".join([f"{self.directory} has no checkpoint.", *self.checkpoints.why_none()]))
        return found

    @property
    def checkpoint_step(self) -> int:
        """The step that the weights are of."""
        return step_of(self.checkpoint)

    @property
    def data_choice(self) -> Choice:
        """The data set that the run learned from, be it the recipe's fallback."""
        if self.facts["dataset"]["fallback"] and self.recipe.fallback:
            return self.recipe.fallback
        return self.recipe.dataset

    @property
    def scores(self) -> list[Score]:
        """What `ganzoo evaluate` recorded, each score with its protocol."""
        from ganzoo.runs.score import read_scores

        return read_scores(self.files.evaluations)

    @property
    def kinds(self) -> FieldKinds:
        """The kinds of the data's fields: how samples are stored, drawn and written."""
        try:
            return FieldKinds(self.info)
        except DatasetError as error:
            raise RunError(f"{self.files.facts}: dataset: {error.what}", remedy=error.remedy) from error
