"""The time of a recipe's step, compared with a loop as in tutorials and with its matrix products alone.

    python benchmarks/step_speed.py [--model vanilla_mnist ...] [--batch N ...] [--precision fp32 bf16 ...]
                                    [--runner eager ...] [--set KEY=VALUE ...] [--device cpu] [--threads N]
                                    [--rounds 9] [--seconds 1.0] [--cpu-time] [--phases]

A table for each model and batch size. Same networks, same batch, same process: the loops alternate, about `--seconds`
at a time, and the table shows the median over the rounds, and the median ratio to the plain loop within a round. The
plain loop is in `plain_loops.py`, in float32 with default settings. ganzoo's loop is the recipe as it runs, with weight
averaging and logging. "products alone" are the step's own matrix products and convolutions, one after the other, in
each precision: a lower bound for any loop.

--cpu-time counts the process's CPU time instead of wall time, for a machine with other load; it is only meaningful with
one thread. --phases adds a breakdown of ganzoo's step by torch's profiler.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from floor import products_of
from plain_loops import Play, plain_loop
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from ganzoo.datasets.obtain import Obtained, obtain
from ganzoo.datasets.root import data_root
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.training.assembly import assemble
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.state import Training

MODELS = ("vanilla_mnist", "dcgan_mnist", "wgan_gp_mnist")

PHASES = {
    "matrix products, convolutions": ("mm", "addmm", "bmm", "convolution", "convolution_backward", "_convolution",
                                      "mkldnn_convolution"),
    "optimizers' kernels": ("_fused_adam_", "_fused_adamw_", "_fused_sgd_"),
    "copies and casts": ("copy_", "_to_copy", "cat", "index", "fill_", "zero_"),
}  # fmt: skip
"""Phase -> aten operations, counted by their self time. Other operations are elementwise or sums."""


@dataclass(slots=True)
class TimedLoop:
    """A loop to be timed. play: runs steps; floor: the precision of its lower bound; times: ms a step by round."""

    name: str
    play: Play
    floor: str = ""
    times: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Milliseconds a step."""
        return statistics.median(self.times)


def build_training(model: str, obtained: Obtained, device: torch.device, settings: list[str]) -> Training:
    """The training state of the recipe, as in `ganzoo run`."""
    recipe = read_recipe(model, overrides=settings)
    training = assemble(recipe, obtained, dry_run(recipe, obtained.info), device)
    training.keep_streams()
    training.runner = choose_runner(training)
    return training


def ganzoo_loop(training: Training) -> Play:
    """The recipe as `ganzoo run` trains it, with a row of means every `log_every` steps."""
    every = training.recipe.train.log_every or 50

    def play(steps: int) -> None:
        end = training.step + steps
        while training.step < end:
            training.advance(min(end, (training.step // every + 1) * every) - training.step)
            if training.step % every == 0:
                training.row()
                training.means.clear()

    return play


def synchronized(play: Play, device: torch.device) -> Play:
    """The same, followed by a synchronisation with the device."""
    if device.type == "cpu":
        return play

    def play_and_wait(steps: int) -> None:
        play(steps)
        torch.cuda.synchronize(device)

    return play_and_wait


def timed_loops(
    model: str, batch: int | None, options: argparse.Namespace, device: torch.device
) -> Iterator[TimedLoop | str]:
    """All loops over a model at a batch size, and strings, which are parts of the table's title."""
    settings = [*options.set, *([f"train.batch_size={batch}"] if batch else []), f"train.steps={10**9}"]
    recipe = read_recipe(model, overrides=settings)
    obtained = obtain(recipe.dataset, recipe.fallback, data_root(options.data_root), allow_fallback=True).load()
    yield f"{model} on {obtained.choice.entry.name}, batch {recipe.train.batch_size}"
    torch.manual_seed(0)
    yield TimedLoop("plain loop, fp32", plain_loop(recipe, obtained.info, obtained.examples, device))
    for precision in options.precision:
        at_it = [*settings, f"train.precision={precision}"]
        for runner in options.runner:
            training = build_training(model, obtained, device, [*at_it, f"train.runner={runner}"])
            yield TimedLoop(f"ganzoo, {precision}, {training.runner.name}", ganzoo_loop(training), precision)
        measured = build_training(model, obtained, device, [*at_it, "train.runner=eager"])
        measured.advance(1)
        products = products_of(lambda: measured.advance(1))  # noqa: B023  # called at once
        yield f"{products.flops / 1e9:.2f} GFLOP a step"
        yield TimedLoop(f"products alone, {precision}", products.play, precision)


def measure_in_turns(found: list[TimedLoop], rounds: int, seconds: float, clock: Callable[[], float]) -> None:
    """Times the loops in turns of about `seconds` each."""
    steps = {}
    for timed in found:
        timed.play(3)
        start = clock()
        timed.play(3)
        steps[timed.name] = max(1, round(seconds * 3 / max(clock() - start, 1e-9)))
    for _ in range(rounds):
        for timed in found:
            start = clock()
            timed.play(steps[timed.name])
            timed.times.append((clock() - start) / steps[timed.name] * 1e3)


def result_table(found: list[TimedLoop], title: str, clock_name: str) -> Table:
    """A table of milliseconds, ratios to the plain loop, and the share of the lower bound."""
    table = Table(title=title, caption=f"medians of {len(found[0].times)} rounds, {clock_name}")
    for column in ("loop", "ms a step", "steps a second", "times the plain loop", "products' share"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    plain = found[0].times
    floors = {timed.floor: timed.times for timed in found if timed.name.startswith("products")}
    for timed in found:
        ratio = statistics.median(p / t for p, t in zip(plain, timed.times, strict=True))
        floor = floors.get(timed.floor)
        share = floor and statistics.median(f / t for f, t in zip(floor, timed.times, strict=True))
        table.add_row(
            timed.name,
            f"{timed.median:.2f}",
            f"{1e3 / timed.median:,.0f}",
            f"{ratio:.2f}",
            f"{100 * share:.0f} %" if share else "",
        )
    return table


def phases(timed: TimedLoop, steps: int = 20) -> Table:
    """A breakdown of a step on the host. The profiler's own time is in the last phase, which is therefore too large."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        timed.play(steps)
        whole = (time.perf_counter() - start) / steps * 1e3
    taken = dict.fromkeys((*PHASES, "elementwise, sums, random numbers"), 0.0)
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            name = event.key.removeprefix("aten::")
            phase = next(
                (phase for phase, names in PHASES.items() if name in names), "elementwise, sums, random numbers"
            )
            taken[phase] += event.self_cpu_time_total / steps / 1e3
    taken["Python, autograd, optimizers' Python, the profiler"] = whole - sum(taken.values())
    table = Table(title=f"where a step goes: {timed.name}")
    for column in ("phase", "ms a step", "share"):
        table.add_column(column, justify="left" if column == "phase" else "right")
    for phase, milliseconds in taken.items():
        table.add_row(phase, f"{milliseconds:.2f}", f"{100 * milliseconds / whole:.0f} %")
    return table


def processor(device: torch.device) -> str:
    """The device's name and the threads that it uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    named = [line for line in _cpu_lines() if line.startswith("model name")]
    name = named[0].partition(":")[2].strip() if named else platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["vanilla_mnist"], metavar="RECIPE", help=", ".join(MODELS))
    parser.add_argument("--batch", nargs="+", type=int, default=[None], help="default: the recipe's")
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "bf16"))
    parser.add_argument("--runner", nargs="+", default=["auto"])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of ganzoo run")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--phases", action="store_true")
    parser.add_argument("--data-root", default=None)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.cpu_time and torch.get_num_threads() > 1:
        parser.error("--cpu-time means something with --threads 1 only.")
    device = torch.device(options.device)
    clock, clock_name = (time.process_time, "CPU time") if options.cpu_time else (time.perf_counter, "wall time")
    console = Console(width=110)
    for model in options.model:
        for batch in options.batch:
            found: list[TimedLoop] = []
            title: list[str] = []
            for one in timed_loops(model, batch, options, device):
                if isinstance(one, TimedLoop):
                    found.append(TimedLoop(one.name, synchronized(one.play, device), one.floor))
                elif one not in title:
                    title.append(one)
            measure_in_turns(found, options.rounds, options.seconds, clock)
            whole = f"{', '.join(title)}\n{processor(device)}, torch {torch.__version__}"
            console.print(result_table(found, whole, clock_name))
            if options.phases:
                for timed in found:
                    if timed.name.startswith("ganzoo"):
                        console.print(phases(timed))


if __name__ == "__main__":
    main()
