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
    """Returns what the plugin puts on the shelves. Called once at start: it must be quick and import no torch."""


@hookspec
def ganzoo_observers(note: Callable[[str, str], None]) -> Sequence[object]:  # type: ignore[empty-body]
    """Returns new objects with hooks of their own, to follow one run that somebody watches in a terminal.

    note: shows a label and a line of text below the run's display. Not called for runs that are quiet.
    """


@hookspec
def ganzoo_run_started(run: Run) -> None:
    """A run begins or goes on: its directory, recipe and first checkpoint exist.

    In this hook and in those below, `run.sample`, `run.game` and `run.averaged` have the weights of `run.checkpoint`,
    the newest checkpoint on disk: here that of step 0, or the one that the run goes on from.
    """


@hookspec
def ganzoo_metrics(run: Run, step: int, values: Mapping[str, float]) -> None:
    """A row was written to metrics.jsonl: `values` are means over the steps since the row before.

    `run.sample` and `run.game` have the weights of step `run.checkpoint_step`, which may be an earlier one: a row that
    is due is written before the checkpoint of its step.
    """


@hookspec
def ganzoo_samples(run: Run, step: int, samples: Mapping[str, Tensor], path: Path) -> None:
    """A sample grid was written to `path`. samples: what the game's `preview` made, by grid name.

    `samples` are made with the weights of this step, averaged where the recipe has [ema]. `run.sample` and `run.game`
    have those of step `run.checkpoint_step`, which may be an earlier one: a grid that is due is drawn before the
    checkpoint of its step.
    """


@hookspec
def ganzoo_checkpoint(run: Run, step: int, path: Path) -> None:
    """The checkpoint directory `path` is complete on disk.

    `run.sample` and `run.game` have its weights, unless it is that of the best scores (in best/ of the run's folder),
    which `ganzoo.load(run.directory, best=True)` gives: `run.checkpoint` is the newest of the others.
    """


@hookspec
def ganzoo_run_finished(run: Run) -> None:
    """The run came to an end, for whatever reason: `run.status` is "finished", "stopped", "interrupted" or "failed".

    `run.sample` and `run.game` have the weights of the last step, of a run that failed those of its newest checkpoint.
    """
