"""Whether a run is the same run again: on the same seed, and after it was stopped and resumed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch

from ganzoo.core.random_streams import from_text, restore_random_states
from ganzoo.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ganzoo.testing.failure import require
from ganzoo.testing.recipe_fixture import Scene
from ganzoo.testing.streams import only_torchs_stream, require_other_streams
from ganzoo.training.state import Training

PER_RUN = ("seconds", "row_before")
"""What a checkpoint's state says of the clock."""


def plays_the_same(scene: Scene) -> None:
    """Two runs on one seed are the same run, bit for bit: nothing is drawn but from torch's default stream."""
    with only_torchs_stream("the game"):
        one, other = halves_of(scene)[0], played(scene.training(), scene.half)
        reseeded = played(scene.training(seed=1), scene.half)
    after, after_too = (checkpoint.state["random"]["cpu"].encode() for checkpoint in (one, reseeded))
    require_other_streams(after, after_too, "a few rounds")
    changed = differences(one, other)
    mend = "no module-level state, no time, no random or numpy.random, no torch.Generator of your own."
    require(not changed, f"after {scene.half} steps on one seed two runs differ in {', '.join(changed[:4])}.", mend)


def resumes_exactly(scene: Scene) -> None:
    """Stopped, saved and resumed in a new process, a run ends where it would have ended had it not been stopped."""
    middle, end = halves_of(scene)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        save_checkpoint(path, middle)
        checkpoint = load_checkpoint(path)
    resumed = scene.training(seed=9)
    resumed.restore(checkpoint, "the checkpoint")
    streams = {kind: from_text(text) for kind, text in checkpoint.state["random"].items()}
    restore_random_states(streams, resumed.device)
    changed = differences(end, played(resumed, scene.half))
    require(
        not changed,
        f"stopped at step {scene.half} and resumed for as many, a run differs from one that went on in "
        f"{', '.join(changed[:4])}.",
        "what a round changes and a later one reads is a registered buffer (or in get_extra_state as a tensor).",
    )


def halves_of(scene: Scene) -> tuple[Checkpoint, Checkpoint]:
    """One run's checkpoints after `half` of the steps and after all. Played once."""
    if not scene.halves:
        training = scene.training()
        scene.halves = [played(training, scene.half), played(training, scene.half)]
    middle, end = scene.halves
    return middle, end


def played(training: Training, steps: int) -> Checkpoint:
    """So many steps more, and the checkpoint after them, with copies of its tensors."""
    for _ in range(steps):
        training.advance()
    kept = training.checkpoint()
    tensors = {
        file: {name: tensor.detach().clone() for name, tensor in held.items()} for file, held in kept.tensors.items()
    }
    return Checkpoint(tensors, kept.state)


def differences(one: Checkpoint, other: Checkpoint) -> list[str]:
    """Where two checkpoints differ, apart from the clock: tensors first, then what the state says."""
    files = [
        f"{file}.{name}"
        for file, tensors in one.tensors.items()
        for name, tensor in tensors.items()
        if name not in other.tensors.get(file, {}) or not torch.equal(tensor, other.tensors[file][name])
    ]
    said, said_too = (json.loads(json.dumps(checkpoint.state)) for checkpoint in (one, other))  # tuples are lists there
    return [*files, *(key for key, value in said.items() if key not in PER_RUN and value != said_too[key])]
