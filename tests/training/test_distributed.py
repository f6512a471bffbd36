"""Two ranks on one machine, as torchrun starts them: what they share, what they write, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ganzoo
from ganzoo.core.noise import JointNoise, joint
from ganzoo.errors import GanzooError, RunError
from ganzoo.plugins import zoo
from ganzoo.runs.checkpoint import checkpoints_of
from ganzoo.training.distributed import SINGLE_RANK, Ranks

HERE = Path(__file__).parent

SHARED = """
description = "nothing in it looks at the whole batch"
[generator]
name = "mlp"
latent_dim = 3
hidden = [16]
output = "none"
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[dataset]
name = "gaussians"
size = 200
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "rmsprop"
[schedule.generator]
name = "linear-decay"
[ema]
every = 2
[train]
steps = 30
batch_size = 16
log_every = 4
sample_every = 15
checkpoint_every = 9
keep = 9
"""

PENALISED = (
    SHARED
    + """
[[regularizer]]
name = "gradient-penalty"
weight = 1.0
[[regularizer]]
name = "r1"
every = 3
[game]
name = "two-player"
n_critic = 2
"""
)

CONDITIONAL = PENALISED.replace("hidden = [16]", "hidden = [16]\nconditional = true")

CHANGED = (
    SHARED.replace("[optimizer.generator]\n", "[optimizer.generator]\nclip_norm = 0.01\n").replace(
        "[optimizer.discriminator]\n", "[optimizer.discriminator]\nclip_norm = 0.02\n"
    )
    + """
[[augment]]
name = "instance-noise"
std = 0.3
[start]
freeze = ["discriminator.network.1.bias"]
"""
)
"""Gradients clipped after they were averaged, augmentations drawn as one, and a bias that stays."""

OWN = (
    SHARED.replace('name = "mlp"\nlatent_dim = 3\nhidden = [16]\noutput = "none"', 'name = "noisy"')
    + """
[game]
name = "troubled"
"""
)

STREAMED = (
    SHARED.replace('output = "none"', "").replace(
        'name = "gaussians"\nsize = 200', 'name = "image-folder"\npath = "PATH"'
    )
    + """
data = "stream"
workers = 2
samples = 8
[game]
name = "troubled"
"""
)


@dataclass(frozen=True)
class Launched:
    """What torchrun's ranks did. seconds: how long it all took."""

    status: int
    out: str
    err: str
    seconds: float


def torchrun(*command: object, environment: dict[str, str], ranks: int = 2) -> Launched:
    """Runs a command under torchrun, through its Python entry."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}", *(str(word) for word in command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Launched(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One with the plugin of this test in it, in this process too."""
    site = tmp_path_factory.mktemp("site")
    info = site / "third_ranks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-ranks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_ranks = third_ranks\n")
    (site / "third_ranks.py").write_text((HERE / "third_ranks.py").read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        zoo.cache_clear()
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        yield {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    zoo.cache_clear()
    sys.modules.pop("third_ranks", None)


def pictures(folder: Path, n: int = 50) -> Path:
    """So many images of noise, a folder of them."""
    colours = torch.Generator().manual_seed(0)
    folder.mkdir()
    for number in range(n):
        values = torch.randint(256, (4, 4), dtype=torch.uint8, generator=colours).numpy()
        Image.fromarray(values).save(folder / f"{number}.png")
    return folder


@dataclass(frozen=True)
class Played:
    """The runs of ranks_driver.py. seen: what each rank saw, by name of the run."""

    folder: Path
    launched: Launched
    seen: list[dict[str, Any]]


@pytest.fixture(scope="module")
def played(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("ranks")
    streamed = STREAMED.replace("PATH", str(pictures(folder / "pictures")))
    for name, text in (
        ("shared", SHARED),
        ("penalised", PENALISED),
        ("conditional", CONDITIONAL),
        ("changed", CHANGED),
        ("tuned", SHARED),
        ("own", OWN),
        ("streamed", streamed),
    ):
        (folder / f"{name}.toml").write_text(text)
    launched = torchrun(HERE / "ranks_driver.py", folder, environment=environment)
    assert launched.status == 0, launched.out + launched.err
    seen = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]
    return Played(folder, launched, seen)


def last(run: Path) -> Path:
    return checkpoints_of(run / "checkpoints")[-1]


def rows(run: Path) -> list[dict[str, float]]:
    timings = ("seconds", "samples_per_second")
    read = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in timings} for row in read]


@pytest.mark.parametrize("name", ["shared", "penalised", "conditional", "changed", "streamed"])
def test_two_ranks_follow_one_to_rounding(played: Played, tmp_path: Path, name: str) -> None:
    """Thirty steps move weights by some 5e-3: had the ranks other noise or data, they would differ by about as much.

    Rounding is 1e-7 of a gradient, and an optimizer that divides by its size passes it on, to some 1e-6 of weights. The
    single rank holds its data where the two stream theirs.
    """
    held: dict[str, Any] = {"out": tmp_path / "alone", "device": "cpu", "quiet": True, "train__data": "device"}
    alone = ganzoo.train(played.folder / f"{name}.toml", **held)
    for file in ("generator", "discriminator", "ema-generator"):
        ours, theirs = (load_file(last(run) / f"{file}.safetensors") for run in (played.folder / name, alone.directory))
        begun = load_file(alone.directory / "checkpoints" / "step-00000000" / f"{file}.safetensors")
        for key, weights in ours.items():
            torch.testing.assert_close(weights, theirs[key], rtol=0, atol=1e-5)
        assert max((weights - begun[key]).abs().max().item() for key, weights in ours.items()) > 1e-3
    for ours, theirs in zip(rows(played.folder / name), rows(alone.directory), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(("straight", "stopped"), [("straight", "stopped"), ("streamed", "streamed, stopped")])
def test_a_run_that_was_stopped_on_one_rank_stops_on_all_and_ends_as_if_it_had_not(
    played: Played, straight: str, stopped: str
) -> None:
    """With batch norm and dropout, of which each rank has its own statistics and its own draws; or with workers, which
    are told to stop as well, as all are whom torchrun tells.
    """
    for seen in played.seen:
        assert (seen[stopped], seen[f"{stopped}, resumed"]) == (["interrupted", 6], ["finished", 30])
    assert_same(played.folder / stopped, played.folder / straight)


def assert_same(run: Path, other: Path) -> None:
    """Rows, grids, weights and whatever else a checkpoint holds, bit for bit."""
    assert rows(run) == rows(other)
    files = sorted(file.name for file in last(other).glob("*.safetensors"))
    assert files
    for file in files:
        assert (last(run) / file).read_bytes() == (last(other) / file).read_bytes(), file
    for grid in (other / "samples").glob("*.png"):
        assert (run / "samples" / grid.name).read_bytes() == grid.read_bytes()


def test_ranks_begin_with_the_weights_of_another_run(played: Played) -> None:
    begun = played.folder / "tuned" / "checkpoints" / "step-00000000"
    for file, source in (("generator", "ema-generator"), ("discriminator", "discriminator")):
        there = load_file(last(played.folder / "shared") / f"{source}.safetensors")
        here = load_file(begun / f"{file}.safetensors")
        assert all(torch.equal(here[name], weights) for name, weights in there.items())
    assert [seen["tuned"] for seen in played.seen] == [["finished", 30]] * 2


def test_each_rank_has_its_own_statistics_and_its_own_draws(played: Played) -> None:
    path = last(played.folder / "straight")
    one, other = (load_file(path / f"{name}.safetensors") for name in ("generator", "rank-1"))
    assert not torch.equal(one["net.1.running_mean"], other["generator.net.1.running_mean"])
    state = json.loads((path / "state.json").read_text())
    (theirs,) = state["other_ranks"]
    assert state["random"]["joint-cpu"] == theirs["random"]["joint-cpu"]
    assert state["random"]["cpu"] != theirs["random"]["cpu"]


def test_a_batch_that_cannot_be_shared_out_is_one_message_and_leaves_nothing(played: Played) -> None:
    kind, message, status = played.seen[0]["indivisible"]
    assert (kind, status) == ("GanzooError", 2)
    assert "train.batch_size is 15, which 2 ranks cannot share out equally" in message
    assert "14 or 16" in message
    assert played.seen[1]["indivisible"] == ["FailedElsewhere", f"rank 0: {message}", 2]
    assert not (played.folder / "indivisible").exists()


def test_what_only_one_rank_finds_wrong_ends_all(played: Played) -> None:
    kind, message, status = played.seen[1]["only rank 1 knows"]
    assert (kind, status) == ("RecipeError", 2)
    assert played.seen[0]["only rank 1 knows"] == ["FailedElsewhere", f"rank 1: {message}", 2]


def test_a_loss_that_is_not_a_number_on_one_rank_stops_all_with_that_reason(played: Played) -> None:
    kind, message, status = played.seen[0]["is not a number"]
    assert (kind, status) == ("NotFinite", 1)
    assert message.startswith("step 8: loss/discriminator is nan")
    assert played.seen[1]["is not a number"] == ["FailedElsewhere", f"rank 0: {message}", 1]


def test_weights_that_drift_apart_are_found_at_the_next_checkpoint(played: Played) -> None:
    kind, message, _ = played.seen[0]["drifts"]
    assert (kind, played.seen[1]["drifts"][0]) == ("TrainingFailed", "FailedElsewhere")
    assert message.startswith("step 9: the weights of rank 1 differ from those of rank 0")
    assert last(played.folder / "drifts").name == "step-00000000"


def test_rank_0_alone_speaks_and_writes(played: Played) -> None:
    assert played.launched.out.count("recipe      shared") == 1
    assert played.launched.out.count("device      cpu") == played.launched.out.count("on each of 2 ranks")
    assert "streamed by 2 workers of each rank" in played.launched.out
    assert "batch norm sees the 8 samples of its own rank" in played.launched.err
    assert json.loads((played.folder / "shared" / "run.json").read_text())["ranks"] == 2
    assert not list(played.folder.rglob("*.tmp"))


def test_a_run_goes_on_with_as_many_ranks_as_it_began_with(played: Played) -> None:
    with pytest.raises(RunError, match="goes on with as many ranks as it began with: 2, and here it has 1") as told:
        ganzoo.resume(played.folder / "straight", steps=40, quiet=True)
    assert "torchrun --nproc-per-node=2 -m ganzoo resume" in str(told.value)


@pytest.mark.parametrize(
    ("text", "trouble", "said"),
    [
        (OWN, "raises", "error: rank 1: RuntimeError: this rank cannot go on"),
        pytest.param(OWN, "is killed", "another rank is gone and did not say why", marks=pytest.mark.slow),
        pytest.param(STREAMED, "is killed", "another rank is gone and did not say why", marks=pytest.mark.slow),
        pytest.param(STREAMED, "loses a worker", "a worker process that reads the data was", marks=pytest.mark.slow),
        pytest.param(STREAMED, "", "1 of 8 images cannot be read", marks=pytest.mark.slow),
    ],
)
def test_a_rank_that_fails_ends_all_within_seconds(
    environment: dict[str, str], tmp_path: Path, text: str, trouble: str, said: str
) -> None:
    """torchrun tells those that are left, and their workers, to stop; that is not what is wrong."""
    damaged = pictures(tmp_path / "pictures") / "7.png"
    damaged.write_bytes(damaged.read_bytes()[:-30] if not trouble else damaged.read_bytes())
    (tmp_path / "own.toml").write_text(text.replace("PATH", str(damaged.parent)))
    command = ["-m", "ganzoo", "run", tmp_path / "own.toml", "--out", tmp_path / "run", "--steps", 10**7]
    done = torchrun(*command, environment={**environment, "TROUBLE": trouble})
    assert done.status == 1
    assert done.err.count(said) == 1, done.err
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["status"] == "failed"
    assert said.removeprefix("error: ") in facts["reason"]
    assert "DataLoader" not in done.err


@contextmanager
def going(run: Path, recipe: Path, steps: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Inside: two ranks that have written their second checkpoint, in a session of their own."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "ganzoo", "run"]
    process = subprocess.Popen(
        [*launcher, str(recipe), "--out", str(run), "--steps", str(steps), "--device", "cpu"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (run / "checkpoints" / "step-00000009").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("text", [SHARED, STREAMED])
def test_a_signal_to_torchrun_leaves_a_checkpoint(
    environment: dict[str, str], tmp_path: Path, text: str, number: int
) -> None:
    """torchrun passes it on to its ranks and their workers; the terminal has told them already, so it comes twice."""
    recipe = tmp_path / "small.toml"
    recipe.write_text(text.replace("PATH", str(pictures(tmp_path / "pictures"))))
    with going(tmp_path / "run", recipe, 10**7, environment) as process:
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["status"] == "interrupted", out + err
    assert last(tmp_path / "run").name == f"step-{facts['step']:08d}"
    assert "error:" not in err


@pytest.mark.slow
def test_streaming_ranks_that_are_killed_go_on_at_once_and_end_as_if_they_had_not_been(
    environment: dict[str, str], tmp_path: Path
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(STREAMED.replace("PATH", str(pictures(tmp_path / "pictures"))))
    with going(tmp_path / "killed", recipe, 400, environment) as process:
        ranks = psutil.Process(process.pid).children()
        for one in ranks:
            one.kill()
    assert len(ranks) == 2
    assert json.loads((tmp_path / "killed" / "run.json").read_text())["status"] == "running"
    straight = ["run", recipe, "--out", tmp_path / "straight", "--steps", 400, "--device", "cpu"]
    for command in (["resume", tmp_path / "killed"], straight):
        done = torchrun("-m", "ganzoo", *command, environment=environment)
        assert done.status == 0, done.out + done.err
    assert_same(tmp_path / "killed", tmp_path / "straight")


def test_a_single_process_has_nobody_to_wait_for() -> None:
    assert SINGLE_RANK.first
    assert not SINGLE_RANK.several
    assert SINGLE_RANK.broadcast_text("this") == "this"
    assert SINGLE_RANK.gather(b"mine") == [b"mine"]
    with pytest.raises(ValueError, match="mine"), SINGLE_RANK.fail_together():
        raise ValueError("mine")


def test_one_gpu_is_not_for_all() -> None:
    with pytest.raises(GanzooError, match="cuda:1 is one GPU, and 2 ranks need one each"):
        Ranks(0, 2, local_size=2).choose_device("cuda:1")


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_rows_of_all_ranks_are_what_one_would_draw(ranks: int) -> None:
    torch.manual_seed(5)
    begin, drawn = torch.get_rng_state(), []
    whole = [joint(torch.randn, 12, 7), joint(torch.rand, 12, 1, 1)]
    for rank in range(ranks):
        noise = JointNoise(rank, ranks, torch.device("cpu"))
        noise.stream.set_state(begin)
        with noise.drawn():
            drawn.append([joint(torch.randn, 12 // ranks, 7), joint(torch.rand, 12 // ranks, 1, 1)])
    for together, parts in zip(whole, zip(*drawn, strict=True), strict=True):
        assert torch.equal(torch.cat(parts), together)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the names of threads are not listed")
def test_no_thread_of_the_process_group_outlives_it(played: Played) -> None:
    """One that does may need the interpreter while it ends: "terminate called without an active exception"."""
    for rank in range(2):
        left = json.loads((played.folder / f"threads-{rank}.json").read_text())
        assert not [name for name in left if "gloo" in name]
