"""Which of what lies in a run's folder of checkpoints the run has written, and which of that is deleted.

A checkpoint of a run has the name that `step_name` gives to its step, is a folder and no link, and its state.json names
the run (its `id`) and the step. Everything else in the folder is somebody else's: it is never counted, chosen or
deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganzoo.datasets.temporaries import remove_folder
from ganzoo.errors import CheckpointError
from ganzoo.recipe.messages import format_value
from ganzoo.runs.checkpoint import NewerCheckpoint, checkpoints_of, read_state, step_in, step_name, step_of

ENDING = ".safetensors"

SHOWN = 3
"""The most things in the folder that an error names."""

OURS = ("ours", "damaged")
"""What is deleted, once it is not needed any more."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something in the folder that has a checkpoint's name, or begins like one.

    what: "ours"; "damaged", one of ours whose state.json cannot be read any more; "newer", written by a newer ganzoo;
    or "foreign", and then why.
    """

    path: Path
    what: Literal["ours", "damaged", "newer", "foreign"]
    why: str = ""


class CheckpointFolder:
    """A run's checkpoints/ or best/. run_id: of the run, None for one of before there were ids; last_step: its budget,
    beyond which it has no checkpoint. run.json, beside the folder, says both."""

    def __init__(self, path: Path, run_id: str | None, last_step: int) -> None:
        self.path = path
        self.run_id = run_id
        self.last_step = last_step

    @classmethod
    def of_run(cls, path: Path, facts: Mapping[str, Any]) -> CheckpointFolder:
        """The folder of the run whose run.json says `facts`."""
        return cls(path, facts.get("id"), facts["total_steps"])

    @property
    def facts_file(self) -> Path:
        """The run.json beside the folder, for messages."""
        return self.path.parent / "run.json"

    def newest(self) -> Path | None:
        """The newest checkpoint of the run, whole or damaged; None where there is none. Others are not opened."""
        newest_first = (self.examine(path) for path in reversed(checkpoints_of(self.path)))
        return next((found.path for found in newest_first if found.what != "foreign"), None)

    def oldest_first(self) -> list[Path]:
        """The run's checkpoints, without those whose state.json cannot be read."""
        return [path for path in checkpoints_of(self.path) if self.examine(path).what == "ours"]

    def foreign(self) -> Iterator[Found]:
        """What looks like a checkpoint and is none of this run's, with the reasons."""
        names = sorted(self.path.glob("step-*"))
        yield from (found for found in map(self.examine, names) if found.what == "foreign")

    def not_counted(self) -> list[str]:
        """A sentence for each thing there that looks like a checkpoint and is none of this run's."""
        return [f"{found.path} is not a checkpoint of this run: {found.why}." for found in self.foreign()]

    def why_none(self) -> list[str]:
        """The same of the newest few, for a message that there is no checkpoint."""
        lines = self.not_counted()
        more = [f"(and {len(lines) - SHOWN} more)"] if len(lines) > SHOWN else []
        return [*lines[-SHOWN:], *more]

    def examine(self, path: Path) -> Found:
        """Whose a thing in the folder is."""
        step = step_in(path.name)
        if step is None:
            return Found(path, "foreign", "checkpoints are called otherwise")
        if path.is_symlink() or not path.is_dir():
            return Found(path, "foreign", f"it is {'a link' if path.is_symlink() else 'no folder'}")
        try:
            state = read_state(path)
        except NewerCheckpoint:
            return Found(path, "newer")
        except CheckpointError as error:
            return self.examine_damaged(path, step, error)
        if not all((path / file).is_file() for file in state["digests"]):
            return self.examine_damaged(path, step, CheckpointError(f"{path} is not complete."))
        if state.get("run") != self.run_id:
            theirs, ours = (format_value(run) if run else "none" for run in (state.get("run"), self.run_id))
            why = f"another run has written it: its id is {theirs}, and that in {self.facts_file} is {ours}"
            return Found(path, "foreign", why)
        if state.get("step") != step:
            return Found(path, "foreign", f"it is a copy of step {state.get('step')}")
        return Found(path, "ours")

    def examine_damaged(self, path: Path, step: int, error: CheckpointError) -> Found:
        """Without a state that can be read, what the folder holds, and how far the run goes, must tell."""
        try:
            held = list(path.iterdir())
        except OSError as unreadable:
            return Found(path, "foreign", f"it cannot be read: {unreadable.strerror}")
        strange = [file.name for file in held if file.name != "state.json" and file.suffix != ENDING]
        if not held or strange:
            return Found(path, "foreign", f"it holds {strange[0]}" if strange else "it is empty")
        if step > self.last_step:
            return Found(path, "foreign", f"by {self.facts_file} the run has {self.last_step:,} steps")
        return Found(path, "damaged", error.what)

    def keep_last(self, keep: int) -> None:
        """Deletes the checkpoints before the last `keep`. A damaged one is not counted."""
        named, kept = checkpoints_of(self.path), 0
        if len(named) <= keep:
            return
        while named and kept < keep:
            kept += self.examine(named.pop()).what == "ours"
        self._delete(named)

    def keep_only(self, step: int | None) -> None:
        """Deletes the checkpoints of all other steps."""
        self._delete([path for path in checkpoints_of(self.path) if step_of(path) != step])

    def drop_later(self, step: int) -> None:
        """Deletes the checkpoints of later steps than that one."""
        self._delete([path for path in checkpoints_of(self.path) if step_of(path) > step])

    def make_room(self, step: int) -> str:
        """Clears the place of a step's checkpoint, for one to be written there.

        A damaged checkpoint of the run is deleted; what somebody else has put there is renamed. Returns: what was done,
        as a sentence; empty where nothing lay there.
        """
        path = self.path / step_name(step)
        if not path.exists() and not path.is_symlink():
            return ""
        if self.examine(path).what in OURS:
            remove_folder(path)
            return f"{path} was damaged, and is written anew."
        aside = next(
            free
            for number in range(1, 10_000)
            if not ((free := path.with_name(f"{path.name}-set-aside-{number}")).exists() or free.is_symlink())
        )
        path.rename(aside)
        return f"{path} is not this run's, and the run writes its checkpoint there: it is called {aside.name} now."

    def _delete(self, paths: Iterable[Path]) -> None:
        for path in paths:
            if self.examine(path).what in OURS:
                with suppress(OSError):
                    remove_folder(path)
