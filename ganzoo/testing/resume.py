"""Whether a run is the same run again: on the same seed, and after it was stopped and resumed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch

from ganzoo.core.random_streams import from_text, restore_random_states
from ganzoo.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ganzoo.testing.failure import require
from ganzoo.testing.recipe_fixture import RecipeFixture
from ganzoo.testing.streams import only_torchs_stream, require_other_streams
from ganzoo.training.state import Training

PER_RUN = ("seconds", "row_before")
"""Keys of a checkpoint's state that depend on wall-clock time."""


def plays_the_same(fixture: RecipeFixture) -> None:
    """Two runs on one seed are the same run, bit for bit: nothing is drawn but from torch's default stream."""
    with only_torchs_stream("the game"):
        one, other = checkpoints_of_run(fixture)[0], play_steps(fixture.training(), fixture.steps_per_checkpoint)
        reseeded = play_steps(fixture.training(seed=1), fixture.steps_per_checkpoint)
    after, after_too = (checkpoint.state["random"]["cpu"].encode() for checkpoint in (one, reseeded))
    require_other_streams(after, after_too, "a few rounds")
    changed = differences(one, other)
    remedy = "no module-level state, no time, no random or numpy.random, no torch.Generator of your own."
    require(
        not changed,
        f"after {fixture.steps_per_checkpoint} steps on one seed two runs differ in {', '.join(changed[:4])}.",
        remedy,
    )


def resumes_exactly(fixture: RecipeFixture) -> None:
    """Stopped, saved and resumed in a new process, a run ends where it would have ended had it not been stopped."""
    middle, end = checkpoints_of_run(fixture)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        save_checkpoint(path, middle)
        checkpoint = load_checkpoint(path)
    resumed = fixture.training(seed=9)
    resumed.restore(checkpoint, "the checkpoint")
    streams = {kind: from_text(text) for kind, text in checkpoint.state["random"].items()}
    restore_random_states(streams, resumed.device)
    changed = differences(end, play_steps(resumed, fixture.steps_per_checkpoint))
    require(
        not changed,
        f"stopped at step {fixture.steps_per_checkpoint} and resumed for as many, a run differs from one that went "
        f"on in {', '.join(changed[:4])}.",
        "what a round changes and a later one reads is a registered buffer (or in get_extra_state as a tensor).",
    )


def checkpoints_of_run(fixture: RecipeFixture) -> tuple[Checkpoint, Checkpoint]:
    """Two checkpoints of one run, after `steps_per_checkpoint` steps and after as many more. Played once."""
    if not fixture.checkpoints:
        training = fixture.training()
        fixture.checkpoints = [
            play_steps(training, fixture.steps_per_checkpoint),
            play_steps(training, fixture.steps_per_checkpoint),
        ]
    middle, end = fixture.checkpoints
    return middle, end


def play_steps(training: Training, steps: int) -> Checkpoint:
    """Plays more steps, and returns the checkpoint after them, with copies of its tensors."""
    for _ in range(steps):
        training.advance()
    checkpoint = training.checkpoint()
    tensors = {
        file: {name: tensor.detach().clone() for name, tensor in held.items()}
        for file, held in checkpoint.tensors.items()
    }
    return Checkpoint(tensors, checkpoint.state)


def differences(one: Checkpoint, other: Checkpoint) -> list[str]:
    """The names of tensors and state keys that differ between two checkpoints, without wall-clock times."""
    files = [
        f"{file}.{name}"
        for file, tensors in one.tensors.items()
        for name, tensor in tensors.items()
        if name not in other.tensors.get(file, {}) or not torch.equal(tensor, other.tensors[file][name])
    ]
    state, other_state = (
        json.loads(json.dumps(checkpoint.state)) for checkpoint in (one, other)
    )  # tuples are lists there
    return [*files, *(key for key, value in state.items() if key not in PER_RUN and value != other_state[key])]
