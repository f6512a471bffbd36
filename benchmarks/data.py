"""How fast do images come off the disk, and what does a large folder take in memory?

    python benchmarks/data.py [--folder DIR] [--side 64] [--workers 0 1 2] [--sizes 1000 10000 100000 1000000]
                              [--batches 20000]

First, images a second of one folder, in batches of 64: decoded in one process; handed over from a worker to the
device without decoding anything; both, by workers, as a run draws them; and picked from memory, as from a device that
holds all of them. Then, for folders of so many images: seconds to the first batch, with and without the index in the
cache (and the main process's own, which a busy machine does not change), what the processes take beyond one that has
only imported torch, and what the decoded images would take. With --batches, of the largest of these folders: what the
processes take while so many batches are drawn, at twenty moments, for one worker and for two; all that they have is
counted there, but for the files of libraries.

--folder: of real images; without it, 256 are drawn (`glyphs` in colour, 64 px) and saved as JPEG. The large folders are
hard links to those, a thousand in each subfolder, made below --scratch and deleted again: there are as many names and
headers to read as it seems, but what is in the files comes from the system's cache and not from the disk.
Memory is the processes' proportional share (Pss), the run's and its workers', which counts what they share once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from shutil import rmtree
from typing import Any

import psutil
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ganzoo.core.data import Shape, Source
from ganzoo.datasets.folder_index import MIN_UNCHANGED_SECONDS
from ganzoo.datasets.glyphs import Glyphs
from ganzoo.datasets.image_files import list_images
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.training.device import choose_device
from ganzoo.training.device_data import DeviceData, Order
from ganzoo.training.streamed_data import StreamedData

BATCH = 64

EACH = 1000
"""Images in a subfolder."""

MANY = 300
"""Batches after which memory is looked at again."""

LINKED = 300
"""Files that the links lead to, at most. A file can have some 65,000 names."""


class Ready(Source):
    """A batch that nobody has to decode."""

    checksum = "listing:none"
    origin = "made here"

    def __init__(self, shape: Shape, size: int) -> None:
        self.batch = torch.zeros(BATCH, *shape, dtype=torch.uint8)
        self.sizes = {"real": size}

    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        """A copy of it."""
        return self.batch[: len(rows)].clone()


def images_per_second(draw: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Of `draw`, which gives a batch, after three that are not counted."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(3):
        draw()
    wait()
    start = time.perf_counter()
    for batches in count(1):
        draw()
        if time.perf_counter() - start >= seconds:
            wait()
            return batches * BATCH / (time.perf_counter() - start)
    raise AssertionError


def throughput(folder: Path, side: int | None, workers: Sequence[int], device: torch.device, seconds: float) -> Table:
    """The first table."""
    data = ImageFolder(path=str(folder), size=side)
    source = data.stream(folder)
    order: dict[str, Any] = {"batch_size": BATCH, "seed": 0, "device": device}
    numbers = Order(len(source.files), BATCH, seed=0)
    rows = (numbers.batch(number, torch.device("cpu")).tolist() for number in count())
    held = DeviceData(data.load(folder), ("real",), **order)
    found: dict[str, Callable[[], object]] = {
        "decoding alone, in one process": lambda: source.fetch("real", next(rows)),
        "picking from memory on the device": held,
    }
    ready = Ready(source.field.shape, 10**6)
    found["handing over alone, 1 worker"] = StreamedData(ready, ("real",), workers=1, **order)
    for n in workers:
        found[f"both, {n} workers"] = StreamedData(source, ("real",), workers=n, **order)
    table = Table(
        title=f"{len(source.files):,} images of {folder.name} as {source.field.shape}, batches of {BATCH}, "
        f"to {device}; {machine()}"
    )
    table.add_column("what")
    table.add_column("images a second", justify="right")
    table.add_column("times decoding alone", justify="right")
    speeds: dict[str, float] = {}
    for name, draw in found.items():
        speeds[name] = images_per_second(draw, device, seconds)
        if isinstance(draw, StreamedData):
            draw.close()
    alone = next(iter(speeds.values()))
    for name, speed in speeds.items():
        table.add_row(name, f"{speed:,.0f}", f"{speed / alone:.2f}")
    return table


def growth(files: Sequence[Path], sizes: Sequence[int], side: int, scratch: Path | None) -> Table:
    """The second table."""
    table = Table(title=f"Folders of hard links to {len(files)} files, {side} px, 1 worker; {machine()}")
    table.add_column("images", justify="right")
    for column in ("listing", "first batch", "first batch, index kept", "peak memory", "memory", "", "decoded"):
        table.add_column(column, justify="right")
    table.add_row(
        "", "s (CPU s)", "s (CPU s)", "s (CPU s)", "MB, first time", "MB, index kept", f"MB, {MANY} batches on", "MB"
    )
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            folder = Path(place) / "images"
            link(files, folder, size)
            time.sleep(MIN_UNCHANGED_SECONDS + 0.1)  # an index is kept of what has lain still
            first, again = (measured(folder, Path(place) / "cache", side) for _ in range(2))
            rmtree(folder)
        timed = ((first, "listing"), (first, "first_batch"), (again, "first_batch"))
        table.add_row(
            f"{size:,}",
            *(f"{run[name]:.2f} ({run[f'{name}_cpu']:.2f})" for run, name in timed),
            f"{first['peak']:,.0f}",
            f"{again['early']:,.0f}",
            f"{again['late']:,.0f}",
            f"{0.9 * size * 3 * side**2 / 1e6:,.0f}",
        )
    return table


def endurance(files: Sequence[Path], size: int, side: int, scratch: Path | None, batches: int) -> Table:
    """The third table."""
    table = Table(title=f"{size:,} images, {side} px, batches of {BATCH}; {machine()}")
    for column in ("batches", "1 worker", "", "", "2 workers", "", ""):
        table.add_column(column, justify="right")
    table.add_row("", *("MB, the run", "MB, workers", "CPU s") * 2)
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        folder = Path(place) / "images"
        link(files, folder, size)
        time.sleep(MIN_UNCHANGED_SECONDS + 0.1)
        long = [measured(folder, Path(place) / "cache", side, batches=batches, workers=n)["rows"] for n in (1, 2)]
    for one, two in zip(*long, strict=True):
        cells = [f"{number:,.1f}" for row in (one, two) for number in (row["run"], row["workers"], row["cpu"])]
        table.add_row(f"{one['batches']:,}", *cells)
    return table


def link(files: Sequence[Path], folder: Path, size: int) -> None:
    """`size` names for the files."""
    for number in range(size):
        place = folder / f"{number // EACH:04}"
        if number % EACH == 0:
            place.mkdir(parents=True)
        os.link(files[number % len(files)], place / f"{number % EACH:04}.jpg")


def measured(folder: Path, cache: Path, side: int, *, batches: int = 0, workers: int = 1) -> dict[str, Any]:
    """What another process finds, which has nothing in memory yet but torch."""
    command = [sys.executable, __file__, "--measure", str(folder), "--side", str(side)]
    command += ["--batches", str(batches), "--workers", str(workers)]
    environment = {**os.environ, "GANZOO_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def measure(folder: Path, side: int) -> dict[str, float]:
    """Seconds from nothing but the folder's name to its first batch, and megabytes beyond an empty process."""
    torch.zeros(1).clone()
    empty = memory()
    start, cpu = time.perf_counter(), time.process_time()
    data = ImageFolder(path=str(folder), size=side)
    data.info(folder)
    found = {"listing": time.perf_counter() - start, "listing_cpu": time.process_time() - cpu}
    source = data.stream(folder)
    stream = StreamedData(source, source.sizes, batch_size=BATCH, seed=0, device=torch.device("cpu"), workers=1)
    stream()
    found |= {"first_batch": time.perf_counter() - start, "first_batch_cpu": time.process_time() - cpu}
    found |= {"peak": memory(peak=True) - empty, "early": memory() - empty}
    for _ in range(MANY):
        stream()
    found["late"] = memory() - empty
    stream.close()
    return found


def endure(folder: Path, side: int, batches: int, workers: int) -> dict[str, list[dict[str, float]]]:
    """Megabytes, and seconds of CPU time, at twenty moments of a long stream."""
    source = ImageFolder(path=str(folder), size=side).stream(folder)
    stream = StreamedData(source, source.sizes, batch_size=BATCH, seed=0, device=torch.device("cpu"), workers=workers)
    here, rows = psutil.Process(), []
    for drawn in range(1, batches + 1):
        stream()
        if drawn % max(batches // 20, 1) == 0:
            children = here.children()
            cpu = sum(sum(process.cpu_times()[:2]) for process in (here, *children))
            held = {"run": unmapped(here), "workers": sum(unmapped(worker) for worker in children)}
            rows.append({"batches": drawn, "cpu": cpu, **held})
    stream.close()
    return {"rows": rows}


def unmapped(process: psutil.Process) -> float:
    """Megabytes of a process (Pss) but for those of files, whose share depends on what else uses the same libraries."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon", "Pss_Shmem"))) / 1e3


def memory(*, peak: bool = False) -> float:
    """Megabytes of this process and of those that it began. peak: what this one alone has had at the most."""
    if peak:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3
    here = psutil.Process()
    return float(sum(process.memory_full_info().pss for process in (here, *here.children()))) / 1e6


@contextmanager
def drawn_here(scratch: Path | None) -> Iterator[Path]:
    """A folder of glyphs, saved as JPEG."""
    images = Glyphs(size=64, channels=3).load(Path(), "test").tensors["real"][:256]
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        for number, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(Path(place) / f"{number}.jpg", quality=90)
        yield Path(place)


def machine() -> str:
    """What this machine is."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="*", default=None, help="how many to try")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--batches", type=int, default=0, help="how many to draw for the last table")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scratch", type=Path, default=None)
    parser.add_argument("--measure", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        if options.batches:
            found: object = endure(options.measure, options.side, options.batches, options.workers[0])
        else:
            found = measure(options.measure, options.side)
        print(json.dumps(found))
        return
    console = Console(width=130)
    with drawn_here(options.scratch) as made:
        folder = options.folder or made
        device = choose_device(options.device)
        workers = options.workers or [n for n in (0, 1, 2, 4, 8, 16) if n <= (os.cpu_count() or 1)]
        console.print(throughput(folder, options.side, workers, device, options.seconds))
        if options.sizes:
            files = linkable(folder, made)
            console.print(growth(files, options.sizes, options.side, options.scratch))
            if options.batches:
                console.print(endurance(files, max(options.sizes), options.side, options.scratch, options.batches))


def linkable(folder: Path, made: Path) -> list[Path]:
    """Copies of the folder's first files: others' files may not be linked to, and these go with the scratch."""
    place = made / "linked"
    place.mkdir()
    copies = []
    for number, path in enumerate(islice(list_images(folder), LINKED)):
        copies.append(place / f"{number}{path.suffix}")
        copies[-1].write_bytes(path.read_bytes())
    return copies


if __name__ == "__main__":
    main()
