"""The hooks of ganzoo: its whole interface to plugins.

A hook only ever gains arguments; implementations that do not name them go on working. A hook is announced as deprecated
with pluggy's `warn_on_impl` at least one minor release before it is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from ganzoo.plugins.components import Component

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo import Run

PROJECT = "ganzoo"
"""The name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ganzoo_components() -> Sequence[Component]:  # type: ignore[empty-body]
    """Returns the plugin's components. Called once at start: it must be quick and import no torch."""


@hookspec
def ganzoo_observers(note: Callable[[str, str], None]) -> Sequence[object]:  # type: ignore[empty-body]
    """Returns new observers, objects with hooks, for one run that is displayed in a terminal.

    note: shows a label and a line of text below the run's display. The hook is not called for quiet runs.
    """


@hookspec
def ganzoo_run_started(run: Run) -> None:
    """A run starts or resumes: its directory, recipe and first checkpoint exist.

    In this hook and those below, `run.sample`, `run.game` and `run.averaged` use the weights of `run.checkpoint`, the
    newest checkpoint on disk: here that of step 0, or the one that is resumed.
    """


@hookspec
def ganzoo_metrics(run: Run, step: int, values: Mapping[str, float]) -> None:
    """A row was written to metrics.jsonl: `values` are means over the steps since the row before.

    `run.sample` and `run.game` use the weights of step `run.checkpoint_step`, which may be earlier than `step`: a row
    is written before the checkpoint of the same step.
    """


@hookspec
def ganzoo_samples(run: Run, step: int, samples: Mapping[str, Tensor], path: Path) -> None:
    """A sample grid was written to `path`. samples: the result of the game's `preview`, by grid name.

    `samples` come from the weights of this step, EMA weights if the recipe has [ema]. `run.sample` and `run.game` use
    those of step `run.checkpoint_step`, which may be earlier than `step`: a grid is drawn before the checkpoint of the
    same step.
    """


@hookspec
def ganzoo_checkpoint(run: Run, step: int, path: Path) -> None:
    """The checkpoint directory `path` is complete on disk.

    `run.sample` and `run.game` use its weights, unless it is the checkpoint with the best score (in the run's best/):
    `ganzoo.load(run.directory, best=True)` loads that one, and `run.checkpoint` is the newest of the others.
    """


@hookspec
def ganzoo_run_finished(run: Run) -> None:
    """The run ended, for whatever reason: `run.status` is "finished", "stopped", "interrupted" or "failed".

    `run.sample` and `run.game` use the weights of the last step, or of the newest checkpoint if the run failed.
    """
