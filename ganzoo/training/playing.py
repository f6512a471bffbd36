"""What `train` and `resume` have in common: settings from arguments, and a session with those who listen to it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ganzoo.plugins import zoo
from ganzoo.plugins.events import empty_events_manager
from ganzoo.runs.run import Run
from ganzoo.training.rollback import RolledBack
from ganzoo.training.session import Session
from ganzoo.training.state import Training
from ganzoo.training.stopping import Interruption

SHARED_DISK = "Give all machines the same files: a shared disk, or the same copy on each."


def settings_of(
    epochs: int | None, steps: int | None, seed: int | None, precision: str | None, options: Mapping[str, Any]
) -> dict[str, tuple[Any, str]]:
    """What flags and keyword arguments say, as key path -> (value, where it comes from)."""
    flags = {"train.epochs": epochs, "train.steps": steps, "train.seed": seed, "train.precision": precision}
    given = {
        path: (value, f"--{path.removeprefix('train.')} {value}") for path, value in flags.items() if value is not None
    }
    return given | {name.replace("__", "."): (value, f"{name}={value!r}") for name, value in options.items()}


def say_swept(removed: Sequence[Path], *, quiet: bool) -> None:
    """Says on standard error which half-written files and folders were removed; or keeps it to itself."""
    if removed and not quiet:
        places = ", ".join(dict.fromkeys(str(path.parent) for path in removed))
        print(f"[run] removed what killed processes had left half-written in {places}: {len(removed)}", file=sys.stderr)


def play_session(
    run: Run,
    training: Training,
    observers: Sequence[object],
    interruption: Interruption,
    *,
    quiet: bool,
    plain: bool | None,
) -> bool:
    """Plays a session. Returns: whether the run went back to a checkpoint, from which it is to be resumed."""
    events = zoo().events_manager() if training.ranks.first else empty_events_manager()
    if not quiet and training.ranks.first:
        from ganzoo.display.console import Console

        console = Console(plain=plain)
        for several in events.hook.ganzoo_observers(note=console.note):
            for observer in several:
                events.register(observer)  # called after the console, which is registered later
        events.register(console)
        _say_what_ranks_do_not_share(training)
    for observer in observers if training.ranks.first else ():
        events.register(observer)
    try:
        Session(training, run, events, interruption, displayed=not quiet).play()
    except RolledBack:
        if not interruption.stop_requested:
            return True
        run.facts.update(status="interrupted", reason=interruption.why)
        run.files.write_facts(run.facts)
    return False


def _say_what_ranks_do_not_share(training: Training) -> None:
    """Batch norm is the one usual layer that looks at the whole batch, and sees this rank's part of it."""
    norms = (m for player in training.players.values() for m in player.module.modules())
    if training.ranks.several and any(isinstance(norm, torch.nn.modules.batchnorm._BatchNorm) for norm in norms):
        rows = training.recipe.train.batch_size // training.ranks.size
        print(f"batch norm sees the {rows} samples of its own rank; sampling uses those of rank 0.", file=sys.stderr)
