"""Files of a run's directory, mutated at random: each command works, or ends with one message that names a file."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import random
import resource
import shutil
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ganzoo
from ganzoo.display.report import page
from ganzoo.errors import GanzooError
from ganzoo.evaluation.cards import make_card
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.training.state import NotFinite

if TYPE_CHECKING:
    from tests.reliability.conftest import Row

RECIPE = """
[ema]
[train]
steps = 2
batch_size = 8
log_every = 1
sample_every = 2
checkpoint_every = 2
"""

FILES = ("run.json", "state.json", "metrics.jsonl", "evaluation", "tensors")

MOST_SECONDS = 15
"""A command that takes longer hangs; on an idle machine none takes one second."""

MOST_GROWTH = 1024
"""MiB by which memory may grow over all cases."""

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 10**400, 0.5, float("nan"), float("inf"), "", "x", "\x1b[31m", "\ud800", "/dev/zero"),
    *([], {}, [[]], ["x"] * 50, {"name": 1}, {"x": {"y": []}}),
)
BYTES = (b"", b"\0", b"\xff", b"[" * 100_000, b'{"a":', b"\n", b"9" * 5000, b"NaN", b'"\\ud800"', b",", b"}", b"]")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Callable[[Path, str], Path]) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    run = ganzoo.train(small_recipe(folder / "small.toml", RECIPE), out=folder / "run", quiet=True, device="cpu")
    ganzoo.evaluate(run, metrics=["gaussian-modes"], n=20, draws=1, device="cpu")
    return run.directory


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value: (the table or list, the key or index)."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def structural(value: Any, choice: random.Random) -> None:
    """Removes, replaces, renames or doubles one to three things in a JSON value."""
    for _ in range(choice.randint(1, 3)):
        found = list(places(value))
        if not found:
            return
        owner, key = choice.choice(found)
        match choice.randrange(4):
            case 0:
                del owner[key]
            case 1 | 2:
                owner[key] = copy.deepcopy(choice.choice(VALUES))
            case 3 if isinstance(owner, dict):
                owner[f"{key}x"] = owner.pop(key)
            case _:
                owner.append(copy.deepcopy(owner[key]))


def bytewise(content: bytes, choice: random.Random) -> bytes:
    """Cuts, flips, inserts or repeats bytes."""
    at, to = sorted(choice.randrange(len(content) + 1) for _ in range(2))
    match choice.randrange(4):
        case 0:
            return content[:at]
        case 1:
            return (
                content[:at]
                + bytes(byte ^ 1 << choice.randrange(8) for byte in content[at : at + 3])
                + content[at + 3 :]
            )
        case 2:
            return content[:at] + choice.choice(BYTES) + content[at:]
    return content[:to] + content[at:]


def digested(state: dict[str, Any]) -> dict[str, Any]:
    """A state with the digest that fits it, as somebody who forges one would write it."""
    state.pop("digest", None)
    return {**state, "digest": hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()}


def mutate(run: Path, seed: int) -> tuple[str, list[Path], bool]:
    """Mutates one file of the run. Returns: what it is, the files that a refusal may name, and whether the weights that
    the file then holds pass for the run's own: tensors whose digest was made anew."""
    choice = random.Random(seed)
    kind = FILES[seed % len(FILES)]
    newest = run / "checkpoints" / "step-00000002"
    tensors = choice.choice(sorted(newest.glob("*.safetensors")))
    given = {"evaluation": next((run / "evaluations").glob("*.json")), "state.json": newest / kind, "tensors": tensors}
    file, forged = given.get(kind, run / kind), False
    content = file.read_bytes()
    if kind != "tensors" and kind != "metrics.jsonl" and choice.random() < 0.7:
        value = json.loads(content)
        structural(value, choice)
        file.write_text(json.dumps(digested(value) if kind == "state.json" else value))
    else:
        file.write_bytes(bytewise(content, choice))
        if kind == "tensors" and choice.random() < 0.7:  # with the digest that fits
            state = json.loads((newest / "state.json").read_text())
            state["digests"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
            (newest / "state.json").write_text(json.dumps(digested(state)))
            forged = True
    return kind, [file, newest / "state.json", newest], forged


COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "load": lambda run, _: repr(ganzoo.load(run)),
    "sample": lambda run, _: ganzoo.load(run).sample(2),
    "report": lambda run, _: page(ganzoo.load(run)),
    "compare": lambda run, other: ganzoo.compare([run, other]).to_json(),
    "doctor": lambda run, _: examine(run, samples=False),
    "evaluate": lambda run, _: ganzoo.evaluate(
        run, metrics=["gaussian-modes"], n=20, draws=1, device="cpu", save=False
    ),
    "card": lambda run, _: make_card([run]).markdown(),
    "resume": lambda run, _: ganzoo.resume(run, steps=3, quiet=True, device="cpu"),
}
USES = {
    "run.json": tuple(COMMANDS),
    "state.json": ("sample", "doctor", "resume"),
    "metrics.jsonl": ("report", "doctor", "resume"),
    "evaluation": ("report", "compare", "card"),
    "tensors": ("sample", "resume"),
}
"""The commands that read a kind of file; the others never open it."""


@pytest.mark.row("A file of a run's directory mutated, and each command that reads it", quick=150, long=5000)
def test_a_mutated_run_is_used_or_refused_by_name(row: Row, trained: Path, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in row:
        with row.case(f"seed {seed}"), warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            run = tmp_path / "run"
            shutil.copytree(trained, run)
            try:
                kind, named, forged = mutate(run, seed)
                commands = USES[kind]
                name = commands[seed // len(FILES) % len(commands)]
                started = time.monotonic()
                try:
                    COMMANDS[name](run, trained)
                except GanzooError as error:
                    # Weights of 1e38 with a digest that fits are weights that a run may have: they are used, and the
                    # step that they make infinite ends as in any run, with its number and the value at fault.
                    used = forged and isinstance(error, NotFinite) and str(error).startswith("step 3: ")
                    if not used and not any(str(file) in str(error) for file in named):
                        raise AssertionError(f"{name}, {kind} is not named: {error}") from error
                except Exception as error:
                    where = " < ".join(
                        f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[:-4:-1]
                    )
                    raise AssertionError(f"{name}, {kind}: {type(error).__name__}: {error} ({where})") from error
                assert time.monotonic() - started < MOST_SECONDS, f"{name}, {kind}: it hung"
            finally:
                shutil.rmtree(run)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MOST_GROWTH, f"memory grew by {grown:.0f} MiB"
    assert not os.path.lexists(tmp_path / "run")
