"""The branches of a run: the steps from which on it was no longer the run that its recipe describes, and why.

A run that is resumed with other settings, on other data, or from an earlier checkpoint is recorded as a branch in
run.json. What lay after the branch's step is kept in a folder of its own, with the recipe and run.json of before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ganzoo.datasets.atomic import atomic_folder, write_durably
from ganzoo.recipe.messages import format_value
from ganzoo.runs.checkpoint import checkpoints_of, step_of
from ganzoo.runs.record import RunRecord

OF_STEP = re.compile(r"step-(\d{8,})(?:-.*)?\.(?:png|json)")
"""The names of grids and evaluations, with their step."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Control characters, which no comment in TOML may have."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One entry of "branches" in run.json, whose schema (`run_json.BranchFacts`) checks it where it is read.

    step: where the branch begins; at: when, in UTC; changed: each key of the recipe that differs -> its value before
    and after, None for nothing; data: what differs of the data ("checksum", "size", "origin") -> before and after;
    left: the last step of the course that was left, where that went further than `step`; kept: the folder in the run's
    directory that holds what lay after `step`; reason: why the engine itself went back ([train] on_nan), empty for a
    branch that was made by hand; rollbacks: of those by the engine, how many a branch by hand goes on with.
    """

    step: int
    at: str = ""
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    data: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    left: int | None = None
    kept: str = ""
    reason: str = ""
    rollbacks: int = 0

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Branch:
        """The branch of an entry of run.json; what a newer ganzoo may have added to it is left out."""
        known: dict[str, Any] = {each.name: entry[each.name] for each in fields(cls) if each.name in entry}
        for name in ("changed", "data"):
            known[name] = {key: tuple(pair) for key, pair in known.get(name, {}).items()}
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """The entry of run.json: what there is to say, and nothing else."""
        pairs = {name: {key: list(pair) for key, pair in getattr(self, name).items()} for name in ("changed", "data")}
        rest = {"left": self.left, "kept": self.kept, "reason": self.reason}
        rest["rollbacks"] = self.rollbacks or None
        said = {name: value for name, value in {**pairs, **rest}.items() if value not in (None, "", {})}
        return {"step": self.step, "at": self.at, **said}

    def __str__(self) -> str:
        """One line: "at step 200 (back from step 450): optimizer.generator.lr: 0.0002 -> 0.0001"."""
        back = f" (back from step {self.left:,})" if self.left is not None else ""
        said = [self.reason] if self.reason else []
        said += [describe_change(key, *pair) for key, pair in self.changed.items()]
        said += [describe_change(f"data {name}", *pair) for name, pair in self.data.items()]
        kept = [f"what was after it is in {self.kept}"] if self.kept else []
        return f"at step {self.step:,}{back}: {'; '.join([*said, *kept]) or 'nothing was changed'}"


def branches_of(facts: Mapping[str, Any]) -> list[Branch]:
    """The branches of a run, from the contents of its run.json."""
    return [Branch.from_json(entry) for entry in facts.get("branches", [])]


def rollbacks_of(facts: Mapping[str, Any], state: Mapping[str, Any]) -> int:
    """How many rollbacks a run has behind it that goes on from a checkpoint. state: of the checkpoint.

    The checkpoint counts those before it, the branches at its step those that have come back to it.
    """
    count: int = state.get("rollbacks", 0)
    for branch in branches_of(facts):
        if branch.step == state["step"]:
            count = count + 1 if branch.reason else branch.rollbacks
    return count


def branch_note(facts: Mapping[str, Any]) -> str:
    """What stands above the recipe of a run with branches, whose file alone does not give the run; "" without any."""
    lines = [" ".join(CONTROL.sub(" ", str(branch)).split()) for branch in branches_of(facts)]
    head = "This run was changed on its way; what stands here holds from the last change on:"
    return "\n".join([head, *(f"  {line}" for line in lines)]) if lines else ""


def describe_change(key: str, before: Any, after: Any) -> str:
    """One changed value: "train.batch_size: 64 -> 32"."""
    then, now = ("nothing" if value is None else format_value(value) for value in (before, after))
    return f"{key}: {then} -> {now}"


def set_aside(run: RunRecord, step: int) -> str:
    """Moves what a run has of later steps than `step` into a new folder branches/N, and returns its name.

    The folder is a run of its own that ends where this one did: it holds copies of recipe.toml, run.json and the whole
    metrics.jsonl, and the later checkpoints, grids and evaluations themselves. Returns "" where there is nothing later.
    Killed in between, some later checkpoints are in either place, and none is lost.
    """
    files, folders = run.files, (run.checkpoints, run.best_checkpoints)
    checkpoints, best = (
        [path for path in checkpoints_of(each.path) if step_of(path) > step and each.examine(path).what != "foreign"]
        for each in folders
    )
    grids, evaluations = (_later_files(folder, step) for folder in (files.samples, files.evaluations))
    later = {files.checkpoints.name: checkpoints[::-1], files.best.name: best}
    later |= {files.samples.name: grids, files.evaluations.name: evaluations}
    if not any(later.values()) and not any(row["step"] > step for row in run.log.rows):
        return ""
    folder = next(path for n in range(1, 100_000) if not (path := files.path / "branches" / str(n)).exists())
    folder.parent.mkdir(exist_ok=True)
    with atomic_folder(folder) as new:
        for file in (files.recipe, files.facts, files.metrics, files.conditions):
            if file.is_file():
                write_durably(new / file.name, file.read_bytes())
        for name in (files.checkpoints.name, *(name for name, paths in later.items() if paths)):
            (new / name).mkdir(exist_ok=True)
    for name, paths in later.items():  # the newest checkpoint first, so that a run never goes on past a gap
        for path in paths:
            path.rename(folder / name / path.name)
    return folder.relative_to(files.path).as_posix()


def _later_files(folder: Path, step: int) -> list[Path]:
    """The files of a folder that are named after later steps."""
    found = ((OF_STEP.fullmatch(path.name), path) for path in sorted(folder.glob("step-*")))
    return [path for matched, path in found if matched and int(matched[1]) > step]
