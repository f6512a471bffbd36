"""Streamed data are the data that the device would have held: the same batches, wherever a run begins to read them."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image
from torch import Tensor

import ganzoo
from ganzoo.core.data import DatasetInfo, Examples, Field, Source
from ganzoo.datasets import placement as placing
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.datasets.obtain import read_split
from ganzoo.datasets.placement import PlacementSetting, placement
from ganzoo.errors import DatasetError, RunError, TrainingFailed
from ganzoo.evaluation.evaluate import refuse_other_data, was_streamed
from ganzoo.training import batch_sharing, streamed_data
from ganzoo.training import data_workers as beginning
from ganzoo.training.device_data import WHOLE, DeviceData, Order, Shard
from ganzoo.training.streamed_data import PREFETCH_FACTOR, StreamedData

CPU = torch.device("cpu")
IMAGES = torch.randint(256, (10, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
EXAMPLES = Examples(
    tensors={"real": IMAGES, "label": torch.arange(10), "other": torch.arange(7)}, checksum="sha256:0", origin="a test"
)


class Numbered(Source):
    """EXAMPLES, read piece by piece. broken: one of the rows."""

    checksum = "listing:0"
    origin = "a test"

    def __init__(self, broken: int | None = None) -> None:
        self.sizes = EXAMPLES.sizes
        self.broken = broken

    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        if self.broken in rows:
            raise DatasetError("pictures/7.png is damaged.", remedy="Delete it.")
        return EXAMPLES.fetch(key, rows)


def streamed(
    workers: int = 0, *, source: Source | None = None, paired: bool = True, shard: Shard = WHOLE
) -> StreamedData:
    keys = ("real", "label") if paired else ("label", "other")
    return StreamedData(
        source or Numbered(), keys, batch_size=4, seed=0, device=CPU, paired=paired, shard=shard, workers=workers
    )


def resident(*, paired: bool = True, shard: Shard = WHOLE) -> DeviceData:
    keys = ("real", "label") if paired else ("label", "other")
    return DeviceData(EXAMPLES, keys, batch_size=4, seed=0, device=CPU, paired=paired, shard=shard)


def drawn(data: DeviceData | StreamedData, n: int) -> list[dict[str, list[object]]]:
    batches = [{key: tensor.tolist() for key, tensor in data().items()} for _ in range(n)]
    data.close()
    return batches


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("paired", [True, False])
def test_a_stream_gives_the_batches_that_the_device_would_have_given(workers: int, paired: bool) -> None:
    assert drawn(streamed(workers, paired=paired), 7) == drawn(resident(paired=paired), 7)
    assert streamed(paired=paired).batches_per_epoch == resident(paired=paired).batches_per_epoch


@pytest.mark.parametrize("workers", [0, 1])
def test_seeking_a_stream_gives_what_drawing_would_have_given(workers: int) -> None:
    straight = drawn(resident(), 8)
    data = streamed(workers)
    for start in (5, 0, 3):
        data.seek(start)
        assert drawn(data, 8 - start) == straight[start:]
        assert data.drawn == 8


@pytest.mark.parametrize("paired", [True, False])
def test_the_shards_of_a_stream_are_those_of_the_device_and_together_the_batch_of_one_rank(paired: bool) -> None:
    shards = [drawn(streamed(1, paired=paired, shard=(rank, 2)), 7) for rank in range(2)]
    assert shards == [drawn(resident(paired=paired, shard=(rank, 2)), 7) for rank in range(2)]
    for whole, one, other in zip(drawn(resident(paired=paired), 7), *shards, strict=True):
        assert whole == {key: one[key] + other[key] for key in whole}


def test_the_first_examples_are_as_the_files_have_them() -> None:
    ours, theirs = streamed().first(12), resident().first(12)
    assert all(ours[key].equal(theirs[key]) for key in theirs)


def test_streaming_leaves_the_streams_of_training_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    drawn(streamed(1), 4)
    assert torch.equal(before, torch.get_rng_state())


def test_the_workers_are_a_few_batches_ahead_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    batch = Order.batch
    monkeypatch.setattr(
        Order, "batch", lambda self, number, device: asked.append(number) or batch(self, number, device)
    )
    data = streamed(2, paired=False)
    drawn(data, 3)
    assert asked == [number for number in range(3 + 2 * PREFETCH_FACTOR) for _ in data.orders]


@pytest.fixture
def workers() -> Iterator[list[psutil.Process]]:
    """The processes that begin while a test runs; none of them outlives it."""
    begun: list[psutil.Process] = []
    yield begun
    _, left = psutil.wait_procs(begun, timeout=30)  # a machine that is busy ends them late
    assert not left


def test_workers_end_with_the_stream(workers: list[psutil.Process]) -> None:
    before = set(psutil.Process().children())
    data = streamed(2)
    data()
    workers += set(psutil.Process().children()) - before
    assert len(workers) == 2
    data.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_go_on_until_the_interrupted_step_is_done(workers: list[psutil.Process], number: int) -> None:
    """A terminal, torchrun and a scheduler tell every process of a run to stop."""
    before = set(psutil.Process().children())
    data = streamed(1)
    data()
    workers += set(psutil.Process().children()) - before
    for process in workers:
        subprocess.run(["kill", f"-{number:d}", str(process.pid)], check=True)  # by somebody else than the run
    assert drawn(data, 7) == drawn(resident(), 8)[1:]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers look for the run every five seconds")
def test_workers_end_with_a_run_that_is_killed() -> None:
    """At once: for as long as one lives it may hold the run's lock, its pipes, and its connections to other ranks."""
    ours, theirs = multiprocessing.Pipe()

    def run() -> None:
        data = streamed(2)
        data()
        theirs.send([child.pid for child in psutil.Process().children()])
        signal.pause()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    assert ours.poll(30)
    left = [psutil.Process(pid) for pid in ours.recv()]
    process.kill()
    process.join()
    assert len(left) == 2
    assert not psutil.wait_procs(left, timeout=3)[1]  # by themselves they would find out within five


def test_a_worker_that_is_killed_ends_the_run_where_its_batch_is_asked_for(workers: list[psutil.Process]) -> None:
    before = set(psutil.Process().children())
    data = streamed(2)
    data()
    workers += set(psutil.Process().children()) - before
    workers[0].kill()
    while workers[0].status() != psutil.STATUS_ZOMBIE:  # the loader is who asks after its children
        time.sleep(0.01)
    said = r"a worker process that reads the data was killed: \S(.|\n)*train\.workers"
    with pytest.raises(TrainingFailed, match=said):
        drawn(data, 100)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not forked")
@pytest.mark.parametrize("tries", [1, 2])
def test_workers_that_never_begin_are_begun_again(
    workers: list[psutil.Process], tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a fork while another thread held one of Python's locks."""

    def stands_still(number: int) -> None:
        (tmp_path / str(multiprocessing.current_process().pid)).touch()
        if number == 1 and len(list(tmp_path.iterdir())) <= 2 * tries:
            signal.pause()
        begin(number)

    begin = beginning.init_worker
    monkeypatch.setattr(beginning, "init_worker", stands_still)
    monkeypatch.setattr(beginning, "START_TIMEOUT", 1.0)
    monkeypatch.setattr(beginning, "START_ATTEMPTS", 2)
    before = set(psutil.Process().children())
    data = streamed(2)
    if tries == 1:
        assert drawn(data, 7) == drawn(resident(), 7)
    else:
        with pytest.raises(TrainingFailed, match=r"did not begin within 1 seconds, 2 times(.|\n)*workers=0"):
            data()
    workers += [psutil.Process(int(file.name)) for file in tmp_path.iterdir() if psutil.pid_exists(int(file.name))]
    assert set(psutil.Process().children()) <= before | set(workers)


def test_the_news_of_other_children_reach_whom_they_reached(workers: list[psutil.Process]) -> None:
    """A loader would have them raise in the main thread wherever it is, in a message to other ranks for example."""
    before = signal.getsignal(signal.SIGCHLD), set(psutil.Process().children())
    data = streamed(1)
    data()
    workers += set(psutil.Process().children()) - before[1]
    assert signal.getsignal(signal.SIGCHLD) == before[0]
    data.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_file_is_named_when_its_batch_is_asked_for(workers: int) -> None:
    first = drawn(resident(), 3)
    data = streamed(workers, source=Numbered(broken=7))
    number = next(number for number, batch in enumerate(first) if 7 in batch["label"])
    for _ in range(number):
        data()
    with pytest.raises(DatasetError) as caught:
        data()
    assert str(caught.value) == "pictures/7.png is damaged.\n  Delete it."


def fails(*_: object) -> None:
    raise RuntimeError("No space left on device (28)")


def test_without_shared_memory_the_same_batches_come_in_files_that_are_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Tensor, "share_memory_", fails)
    data = streamed(2)
    assert drawn(data, 7) == drawn(resident(), 7)
    said = capsys.readouterr().err
    assert said.count("warning: batches do not fit into shared memory") == 1
    assert "passed on in files in" in said
    del data
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fault", ["files", "queues"])
def test_without_any_way_to_share_the_run_reads_the_same_batches_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    if fault == "files":
        monkeypatch.setattr(Tensor, "share_memory_", fails)
        monkeypatch.setattr(batch_sharing, "save_file", fails)
    else:
        begin = streamed_data.start_workers

        def start(create: Callable[..., Any], workers: int) -> Any:
            if workers:
                raise OSError(28, "No space left on device")
            return begin(create, workers)

        monkeypatch.setattr(streamed_data, "start_workers", start)
    data = streamed(2)
    assert drawn(data, 7) == drawn(resident(), 7)
    assert "read by the run's own process" in capsys.readouterr().err
    assert not psutil.Process().children() or data.workers == 0


SMALL_SHARED_MEMORY = """
import sys, torch
import ganzoo
run = ganzoo.train(sys.argv[1], out=sys.argv[2], data_root=sys.argv[3], device="cpu", quiet=True, train__data="stream",
                   train__batch_size=64, train__workers=2, dataset__size=64)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there is shared memory a file system")
def test_a_run_ends_as_elsewhere_where_dev_shm_is_that_of_a_small_container(recipe: Path) -> None:
    mount = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no other /dev/shm may be mounted here")
    small = recipe.parent / "small"
    command = f'{mount} && exec "$0" -c "$1" "$2" "$3" "$4"'
    words = [sys.executable, SMALL_SHARED_MEMORY, str(recipe), str(small), str(recipe.parent / "data")]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "batches do not fit into shared memory (/dev/shm, 0 MB free)" in done.stderr
    straight = train(recipe, "straight", train__data="device", train__batch_size=64, dataset__size=64)
    assert made(ganzoo.load(small)) == made(straight)


# ---- where data live


class Memory:
    """A machine with that much of it free."""

    def __init__(self, available: int) -> None:
        self.available = available


INFO = DatasetInfo(fields={"real": Field((3, 10, 10), "uint8"), "label": Field.label(("x",))}, size=1_000)


@pytest.mark.parametrize(("free", "where"), [(10**9, "device"), (700_000, "device"), (500_000, "stream")])
def test_data_are_streamed_where_they_would_take_more_than_half_of_the_free_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, where: str
) -> None:
    monkeypatch.setattr(placing.psutil, "virtual_memory", lambda: Memory(free))
    decided = placement(INFO, CPU)
    assert decided.where == where
    assert decided.why.startswith("0.3 MB of data, ")  # 1,000 images of 300 bytes, and their labels
    assert placement(INFO, CPU, "device").where == "device"
    assert placement(INFO, CPU, "stream").where == "stream"


def test_a_full_gpu_and_other_ranks_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing.psutil, "virtual_memory", lambda: Memory(700_000))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (500_000, 10**10))
    assert placement(INFO, torch.device("cuda", 0)).where == "stream"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert placement(INFO, CPU).where == "stream"


# ---- whole runs

RECIPE = """
description = "a small GAN on a folder"
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[dataset]
name = "image-folder"
path = "set"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 12
batch_size = 8
log_every = 4
sample_every = 6
checkpoint_every = 5
workers = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    colours = torch.Generator().manual_seed(0)
    for number in range(22):
        values = torch.randint(256, (6, 6), dtype=torch.uint8, generator=colours).numpy()
        path = tmp_path / "data" / "set" / ("dim", "bright")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def train(recipe: Path, name: str, **options: object) -> ganzoo.Run:
    here = recipe.parent
    given: dict[str, object] = {"out": here / name, "data_root": here / "data", "quiet": True, "device": "cpu"}
    return ganzoo.train(recipe, **(given | options))  # type: ignore[arg-type]


def made(run: ganzoo.Run) -> dict[str, bytes]:
    """The weights and grids of the end."""
    files = [*run.checkpoint.glob("*.safetensors"), *(run.directory / "samples").glob("*.png")]
    return {file.name: file.read_bytes() for file in files}


def test_a_streamed_run_is_the_run_on_the_device(recipe: Path) -> None:
    held, read = train(recipe, "held", train__data="device"), train(recipe, "read", train__data="stream")
    assert made(held) == made(read)
    assert held.facts["data"]["on"] == "device"
    assert (read.facts["data"]["on"], read.facts["data"]["workers"]) == ("stream", 1)
    assert 'train.data = "stream"' in read.facts["data"]["why"]
    assert held.facts["dataset"]["checksum"].startswith("sha256:")
    assert read.facts["dataset"]["checksum"] == held.facts["dataset"]["listing"]
    assert held.facts["dataset"]["size"] == read.facts["dataset"]["size"] == 20


@pytest.mark.parametrize(("before", "after"), [("stream", "stream"), ("stream", "device"), ("device", "stream")])
def test_a_run_can_be_resumed_whether_its_data_are_streamed_or_held(recipe: Path, before: str, after: str) -> None:
    straight = train(recipe, "straight", train__data="device")
    run = train(recipe, "stopped", train__data=before, steps=7)
    written = run.directory / "recipe.toml"
    written.write_text(written.read_text().replace(f'data = "{before}"', f'data = "{after}"'))
    resumed = ganzoo.resume(run.directory, steps=12, quiet=True, device="cpu")
    assert resumed.facts["resumed"][-1]["data"]["on"] == after
    ours, theirs = made(resumed), made(straight)
    ours.pop("step-00000007.png")  # the end that it had
    assert ours == theirs


@pytest.mark.slow
def test_a_stream_that_is_killed_is_resumed_at_once(recipe: Path) -> None:
    """Three times, at other moments, with workers that are busy: they do not keep the run locked."""
    start = [sys.executable, "-m", "ganzoo"]
    settings = ["--set", "train.data=stream", "--set", "train.workers=3", "--data-root", str(recipe.parent / "data")]
    settings += ["--device", "cpu", "--steps", "300", "--quiet"]
    straight = train(recipe, "straight", train__data="device", steps=300)
    for number in range(3):
        run = recipe.parent / f"killed-{number}"
        process = subprocess.Popen([*start, "run", str(recipe), "--out", str(run), *settings])
        while not (run / "checkpoints" / f"step-{10 * number + 5:08}").exists() and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.wait()
        done = subprocess.run([*start, "resume", str(run), "--quiet"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert made(ganzoo.load(run)) == made(straight)


def test_a_stream_is_not_resumed_on_other_files(recipe: Path) -> None:
    run = train(recipe, "run", train__data="stream", steps=4)
    next((recipe.parent / "data" / "set" / "dim").iterdir()).unlink()
    with pytest.raises(RunError, match=r"It was listing:[0-9a-f]+, and now it is listing:"):
        ganzoo.resume(run.directory, steps=12, quiet=True, device="cpu")


@pytest.mark.parametrize("wanted", ["stream", "device"])
def test_a_streamed_run_is_scored_against_its_own_data_alone(recipe: Path, wanted: PlacementSetting) -> None:
    run = train(recipe, "run", train__data="stream", steps=4)
    root = recipe.parent / "data"
    assert was_streamed(run)
    refuse_other_data(run, read_split(ImageFolder(path="set"), root, "train", wanted))
    next((root / "set" / "dim").iterdir()).unlink()
    with pytest.raises(RunError, match="not the one that this run learned from"):
        refuse_other_data(run, read_split(ImageFolder(path="set"), root, "train", wanted))


def test_data_that_do_not_fit_are_streamed_without_being_asked_to(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        placing, "MEMORY_SHARE", 1e-12
    )  # a machine whose memory is full, but for what the networks take
    run = train(recipe, "run")
    assert run.facts["data"]["on"] == "stream"
    assert "0.0 MB of data" in run.facts["data"]["why"]


def test_a_data_set_that_is_read_as_a_whole_says_so_when_it_is_to_be_streamed(recipe: Path, tmp_path: Path) -> None:
    overrides = ["dataset.name=gaussians", "generator.output=none"]
    lines = [line for line in RECIPE.splitlines() if not line.startswith("path")]
    recipe.write_text("\n".join(lines).replace("latent_dim = 4", 'latent_dim = 4\noutput = "none"'))
    with pytest.raises(DatasetError, match=r'"gaussians" cannot be streamed(.|\n)*train.data at "auto"'):
        train(recipe, "run", overrides=overrides, train__data="stream")
    assert not (tmp_path / "run").exists()
