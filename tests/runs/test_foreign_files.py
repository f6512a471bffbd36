"""Files in a run's directory may be anybody's: whatever is wrong with one is one message with its name, and quickly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NotRequired, get_args, get_origin

import pytest
import torch
from safetensors.torch import load_file, save_file
from typing_extensions import get_type_hints, is_typeddict

import ganzoo
from ganzoo.display.report import page
from ganzoo.errors import CheckpointError, GanzooError, MetricError, RunError
from ganzoo.runs.checkpoint import load_checkpoint
from ganzoo.runs.run_json import RunFacts
from ganzoo.runs.state_json import CheckpointState

pytestmark = pytest.mark.timeout(60)

RECIPE = """
[ema]
[train]
steps = 4
batch_size = 16
sample_every = 4
checkpoint_every = 4
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Callable[[Path, str], Path]) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    run = ganzoo.train(small_recipe(folder / "small.toml", RECIPE), out=folder / "run", quiet=True, device="cpu")
    ganzoo.evaluate(run, metrics=["gaussian-modes"], n=50, draws=1, device="cpu")
    return run.directory


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def newest(run: Path) -> Path:
    return run / "checkpoints" / "step-00000004"


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """Rewrites a JSON file after a change; a checkpoint's state gets the digest that fits."""
    value = json.loads(path.read_text())
    value.pop("digest", None)
    change(value)
    if path.name == "state.json":
        value["digest"] = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(value))


def at(*keys: Any, to: Any) -> Callable[[Any], object]:
    def change(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return change


HUGE = 10**400

WRONG_FACTS: Mapping[str, tuple[Callable[[Any], object], str]] = {
    "a missing key": (lambda facts: facts.pop("parameters"), "parameters is missing"),
    "a deep missing key": (lambda facts: facts["dataset"].pop("checksum"), "dataset.checksum is missing"),
    "another type": (at("dataset", "size", to="many"), 'dataset.size should be a valid integer, and is "many"'),
    "a huge number": (at("total_steps", to=HUGE), "total_steps should be less than"),
    "no number": (at("seconds", to=float("nan")), "seconds should be a finite number, and is nan"),
    "a negative step": (at("step", to=-1), "step should be greater than or equal to 0"),
    "no dtype": (at("dataset", "fields", "real", "dtype", to="nn"), "dataset.fields.real.dtype should be the name"),
    "an endless shape": (
        at("dataset", "fields", "real", "shape", to=[2**31] * 3),
        "fields.real.shape should be",
    ),
    "a text for a table": (at("device", to="cpu"), "device should be a valid dictionary"),
    "no sample": (at("dataset", "fields", "real", "role", to="condition"), "a field that is a sample or a domain"),
    "no layout": (at("dataset", "layout", to=-1), "dataset.layout should be a valid dictionary, and is -1"),
    "no branch": (at("branches", to=[{"step": "x"}]), "branches[0].step should be a valid integer"),
    "half a change": (at("branches", to=[{"step": 1, "changed": {"a": [1]}}]), "branches[0].changed.a "),
    "a newer format": (at("format", to=2), "written by a newer ganzoo"),
}


@pytest.mark.parametrize(("change", "said"), WRONG_FACTS.values(), ids=WRONG_FACTS)
def test_what_is_wrong_in_run_json_is_named_with_its_key(run: Path, change: Callable[[Any], object], said: str) -> None:
    changed(run / "run.json", change)
    with pytest.raises(RunError) as caught:
        ganzoo.load(run)
    assert str(run / "run.json") in str(caught.value)
    assert said in str(caught.value)


def undeclared(value: Any, schema: Any, where: str) -> list[str]:
    """The keys in a value, and in tables below it, that its schema does not have."""
    while get_origin(schema) in (Annotated, NotRequired):
        schema = get_args(schema)[0]
    if is_typeddict(schema) and isinstance(value, dict):
        known = get_type_hints(schema, include_extras=True)
        return [f"{where}.{key}" for key in value.keys() - known.keys()] + [
            each for key in value.keys() & known.keys() for each in undeclared(value[key], known[key], f"{where}.{key}")
        ]
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    inner = get_args(schema)[-1:] if get_origin(schema) in (dict, list) else ()
    return [found for part in parts for kind in inner for found in undeclared(part, kind, where)]


def test_the_schemas_have_every_key_that_a_run_writes(run: Path) -> None:
    """What they do not have is read unchecked."""
    ganzoo.resume(run, steps=6, overrides=["optimizer.generator.lr=0.0001"], quiet=True, device="cpu")
    facts = json.loads((run / "run.json").read_text())
    assert facts["branches"]
    assert undeclared(facts, RunFacts, "run.json") == []
    state = json.loads((run / "checkpoints" / "step-00000006" / "state.json").read_text())
    assert undeclared(state, CheckpointState, "state.json") == ["state.json.digest"]


def test_where_every_checkpoint_is_another_runs_the_ids_and_their_files_are_named(run: Path) -> None:
    changed(run / "run.json", at("id", to="x"))
    for use in (lambda: ganzoo.load(run).sample(2), lambda: ganzoo.resume(run, steps=5, quiet=True, device="cpu")):
        with pytest.raises(GanzooError, match=r"no (intact )?checkpoint") as caught:
            use()
        assert f"{newest(run)} is not a checkpoint of this run" in str(caught.value)
        assert f'that in {run / "run.json"} is "x"' in str(caught.value)


def test_an_endless_checksum_of_the_data_is_shortened_and_its_file_named(run: Path) -> None:
    changed(run / "run.json", at("dataset", "checksum", to="sha256:" + "9" * 5000))
    for use in (
        lambda: ganzoo.evaluate(run, metrics=["gaussian-modes"], n=50, draws=1, device="cpu"),
        lambda: ganzoo.resume(run, steps=5, quiet=True, device="cpu"),
    ):
        with pytest.raises(RunError, match="5,007 characters") as caught:
            use()
        assert str(run / "run.json") in str(caught.value)
        assert len(str(caught.value)) < 1000


TEXTS = {
    "nested deeply": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no UTF-8": b'{"recipe": "\xff"}',
    "a lone surrogate": b'{"recipe": "\\ud800"}',
    "a number of many digits": b'{"step": ' + b"9" * 100_000 + b"}",
    "a list": b"[]",
    "empty": b"",
    "zeros": bytes(4096),
}


@pytest.mark.parametrize("file", ["run.json", "checkpoints/step-00000004/state.json", "evaluations"])
@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_no_json_is_refused_by_name(run: Path, file: str, content: bytes) -> None:
    path = next((run / file).glob("*.json")) if (run / file).is_dir() else run / file
    path.write_bytes(content)
    with pytest.raises((RunError, CheckpointError, MetricError)) as caught:
        everything(run)
    assert str(path) in str(caught.value)


def everything(run: Path) -> None:
    """Reads what a run's directory holds: facts, weights, scores, grids."""
    loaded = ganzoo.load(run)
    loaded.sample(2)
    assert set(loaded.game.players()) == {"generator", "discriminator"}
    page(loaded)


def test_keys_that_a_newer_ganzoo_adds_are_kept(run: Path) -> None:
    changed(run / "run.json", lambda facts: facts.update(new={"a": [1]}) or facts["dataset"].update(new=2))
    changed(newest(run) / "state.json", lambda state: state.update(new=[3]))
    score = next((run / "evaluations").glob("*.json"))
    changed(score, lambda held: held["scores"][0].update(new=4))
    loaded = ganzoo.load(run)
    assert (loaded.facts["new"], loaded.facts["dataset"]["new"]) == ({"a": [1]}, 2)
    assert len(loaded.scores) == 2
    resumed = ganzoo.resume(run, steps=5, quiet=True, device="cpu")
    assert resumed.facts["new"] == {"a": [1]}


NO_FILES = (
    "/dev/zero",
    "../../run.json",
    "/etc/passwd",
    "sub/x.safetensors",
    "a\\b.safetensors",
    "x.txt",
    ".safetensors",
)


@pytest.mark.parametrize("name", NO_FILES)
def test_a_state_names_files_of_its_own_folder_only(run: Path, name: str) -> None:
    changed(newest(run) / "state.json", lambda state: state["digests"].update({name: "0" * 64}))
    with pytest.raises(CheckpointError, match=r"step-00000004/state\.json.*in the checkpoint's own folder"):
        load_checkpoint(newest(run))


def to_zero(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def to_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def sparse(file: Path) -> None:
    os.truncate(file, 20 * 2**30)


def sparse_by_its_header(file: Path) -> None:
    """A file of 20 GiB whose header says so."""
    size = 20 * 2**30
    header = json.dumps({"net.0.weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(file, 8 + len(header) + size)


def to_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


UNREADABLE = {
    "/dev/zero": to_zero,
    "pipe": to_a_pipe,
    "sparse": sparse,
    "sparse by its header": sparse_by_its_header,
    "folder": to_a_folder,
}
FILES = ("run.json", "state.json", "generator.safetensors", "ema-generator.safetensors", "evaluation", "grid")


@pytest.mark.parametrize("harm", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_plain_file_of_a_fair_size_is_refused_by_name_and_quickly(
    run: Path, name: str, harm: Callable[[Path], None]
) -> None:
    places = {
        "run.json": run / "run.json",
        "evaluation": next((run / "evaluations").glob("*.json")),
        "grid": run / "samples" / "step-00000004.png",
    }
    file = places.get(name, newest(run) / name)
    harm(file)
    if name == "grid" and harm not in (sparse, sparse_by_its_header):
        everything(run)  # what is no file is no grid
        return
    with pytest.raises(GanzooError) as caught:
        everything(run)
    assert name == "run.json" or str(file) in str(caught.value)


def test_a_link_out_of_the_checkpoint_is_not_followed(run: Path, tmp_path: Path) -> None:
    file = newest(run) / "generator.safetensors"
    file.rename(tmp_path / "elsewhere.safetensors")
    file.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(CheckpointError, match=r"generator\.safetensors: this is a link to .*elsewhere"):
        load_checkpoint(newest(run))


@pytest.mark.parametrize("harm", UNREADABLE.values(), ids=UNREADABLE)
def test_a_run_goes_on_from_the_checkpoint_before_one_with_such_a_file(
    run: Path, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    harm(newest(run) / "optimizer-generator.safetensors")
    ganzoo.resume(run, steps=5, quiet=True, device="cpu")
    said = capsys.readouterr().err
    assert "optimizer-generator.safetensors" in said
    assert "Going on from step-00000000 instead" in said


@pytest.mark.parametrize("key", ["optimizers", "random", "recipe", "stop"])
def test_a_state_without_what_training_needs_is_passed_over(
    run: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(newest(run) / "state.json", lambda state: state.pop(key))
    ganzoo.resume(run, steps=5, quiet=True, device="cpu")
    assert f"state.json: it does not say {key}" in capsys.readouterr().err


def rewritten(run: Path, name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """Changes a tensor file of the newest checkpoint, whose digest then fits."""
    file = newest(run) / name
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    changed(newest(run) / "state.json", lambda state: state["digests"].update({name: digest}))
    return file


OTHER_TENSORS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "another name": ("optimizer-generator.safetensors", lambda held: held.update({"x.exp_avg": torch.zeros(1)})),
    "a parameter too many": ("optimizer-generator.safetensors", lambda held: held.update({"99.step": torch.zeros(1)})),
    "another shape": ("optimizer-generator.safetensors", lambda held: held.update({"0.exp_avg": torch.zeros(3, 3)})),
    "whole numbers": ("generator.safetensors", lambda held: held.update({n: t.long() for n, t in held.items()})),
    "complex numbers": ("discriminator.safetensors", lambda held: held.update({n: t * 1j for n, t in held.items()})),
    "a tensor less": ("ema-generator.safetensors", lambda held: held.pop(next(iter(held)))),
    "transposed": ("generator.safetensors", lambda held: held.update({n: t.t().contiguous() for n, t in held.items()})),
}


@pytest.mark.parametrize(("name", "change"), OTHER_TENSORS.values(), ids=OTHER_TENSORS)
def test_tensors_of_another_network_or_optimizer_are_refused_with_their_file(
    run: Path, name: str, change: Callable[[Any], object]
) -> None:
    file = rewritten(run, name, change)
    with pytest.raises(GanzooError) as caught:
        ganzoo.resume(run, steps=5, quiet=True, device="cpu")
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        at("random", "cpu", to="AAAA"),
        at("optimizers", "generator", "groups", to=[]),
        at("optimizers", "generator", "groups", 0, "lr", to="quick"),
        at("optimizers", "generator", "groups", 0, "params", to=[0]),
        at("optimizers", to={}),
        at("averaged", to={}),
        lambda state: state["digests"].pop("generator.safetensors"),
    ],
)
def test_a_state_that_does_not_fit_the_run_is_refused_by_name(run: Path, change: Callable[[Any], object]) -> None:
    changed(newest(run) / "state.json", change)
    with pytest.raises(GanzooError, match=r"step-00000004"):
        ganzoo.resume(run, steps=5, quiet=True, device="cpu")


@pytest.mark.parametrize(("key", "value"), [("rollbacks", "x"), ("counted_from", [0]), ("batches_per_epoch", "x")])
def test_a_count_that_is_none_is_named_and_its_checkpoint_passed_over(
    run: Path, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    changed(newest(run) / "state.json", at(key, to=value))
    ganzoo.resume(run, steps=5, quiet=True, device="cpu")
    assert f"{newest(run) / 'state.json'}: not a checkpoint's state: {key} " in capsys.readouterr().err


def test_networks_of_a_size_that_no_checkpoint_has_take_no_memory(run: Path) -> None:
    """run.json says how large a sample is, and with it how large the networks are."""
    changed(run / "run.json", at("dataset", "fields", "real", "shape", to=[2**30]))
    with pytest.raises(CheckpointError, match="does not fit the network") as caught:
        ganzoo.load(run).sample(1)
    assert str(run / "run.json") in str(caught.value)
