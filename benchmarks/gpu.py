"""All speed figures that need a GPU, in one call of less than ten minutes.

    python benchmarks/gpu.py [--json FILE] [--minutes 9] [--seconds 2] [--cpu-rehearsal]

Plain float32 loops over the same networks, as in tutorials, against each runner in each precision: the MLP GAN of
`vanilla_mnist` (whose plain loop reads its images as tutorials do), DCGAN at 64 pixels, WGAN-GP, and CycleGAN at 256
pixels (whose plain loops have their data on the device). Two lower bounds for each: the step's matrix products and
convolutions alone, and as many of the smallest kernels as a step launches, both replayed as a graph. Finally 100 epochs
of `vanilla_mnist`, 93,800 steps, or as many as fit into a minute, extrapolated, which the note states. Data are random
numbers. Failures and measurements for which there was no time are rows with a note.

Without a GPU it reports that and exits with status 2. --cpu-rehearsal runs all of it on the CPU with tiny sizes,
without compiling and capturing; its figures are meaningless.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from floor import products_of
from plain_loops import batches, cross_entropy_step, wasserstein_step
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganzoo.core.data import DatasetInfo, Examples, Field
from ganzoo.core.game import Game
from ganzoo.recipe import read_recipe
from ganzoo.recipe.parts import build_game
from ganzoo.training.device_data import DeviceData
from ganzoo.training.runners.compiled import CompiledNetworksRunner, first_line
from ganzoo.training.runners.cuda_graph_rounds import CapturedRoundsRunner
from ganzoo.training.runners.cuda_graphs import CudaGraphCapture, GraphCapture, Work
from ganzoo.training.state import Training

EPOCHS_STEPS = 93_800
RUNNERS = ("eager", "compile", "cudagraph", "cudagraph, compiled")
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Case:
    """A model to measure.

    shapes: of its data by key; draws: batches in a round; tiny, tiny_side: settings and image size for a rehearsal.
    """

    name: str
    recipe: str
    settings: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    draws: int
    tiny: tuple[str, ...]
    tiny_side: int


CASES = (
    Case("vanilla MNIST", "vanilla_mnist", (), {"real": (1, 28, 28)}, 1, ("generator.hidden=[16]",), 28),
    Case(
        "DCGAN, 64 px",
        "dcgan_mnist",
        ("generator.width=64", "discriminator.width=64", "train.batch_size=128"),
        {"real": (3, 64, 64)},
        1,
        ("generator.width=4", "discriminator.width=4", "train.batch_size=4"),
        16,
    ),
    Case(
        "WGAN-GP, 28 px",
        "wgan_gp_mnist",
        (),
        {"real": (1, 28, 28)},
        5,
        ("generator.width=4", "discriminator.width=4", "train.batch_size=4"),
        28,
    ),
    Case(
        "CycleGAN, 256 px",
        "cyclegan_folder",
        ("generator.blocks=9",),
        {"a": (3, 256, 256), "b": (3, 256, 256)},
        1,
        ("generator.blocks=1", "generator.width=4", "discriminator.width=4", "game.pool=2"),
        32,
    ),
)


@dataclass(slots=True)
class Row:
    """A row of the table. note: an error, or how the figure was obtained."""

    model: str
    loop: str
    milliseconds: float | None = None
    times_plain: float | None = None
    note: str = ""


class UncapturedWork:
    """Replaces CUDA graphs in a rehearsal: runs the work instead of replaying a graph."""

    def run(self, work: Work) -> None:
        """Runs the work."""
        work()

    def capture(self, work: Work) -> Work:
        """The work itself."""
        return work


class LaunchCounter(TorchDispatchMode):
    """Counts the operations that create or modify a tensor: views launch no kernels."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **dict(kwargs or {}))
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if func._schema.is_mutable or any(leaf.untyped_storage()._cdata not in given for leaf in made):
            self.count += 1
        return result


class Bench:
    """Measures all cases on one device. rehearsal: on the CPU, tiny, without compiling and capturing."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.rehearsal: bool = options.cpu_rehearsal
        self.device = torch.device("cpu" if self.rehearsal else "cuda:0")
        self.seconds = 0.01 if self.rehearsal else options.seconds
        self.deadline = time.monotonic() + 60 * options.minutes
        self.rows: list[Row] = []
        self.plain: dict[str, float] = {}

    def run(self) -> None:
        """Measures all rows in order."""
        for case in CASES:
            self.measure(case, "plain loop, fp32", lambda case=case: self.plain_loop(case))  # type: ignore[misc]
            for precision in PRECISIONS:
                for runner in RUNNERS:
                    self.measure(
                        case,
                        f"{runner}, {precision}",
                        lambda case=case, runner=runner, precision=precision: self.ganzoo_loop(case, runner, precision),  # type: ignore[misc]
                    )
                self.measure(
                    case,
                    f"products alone, {precision}",
                    lambda case=case, precision=precision: self.products(case, precision),  # type: ignore[misc]
                )
            self.measure(case, "as many of the smallest kernels", lambda case=case: self.smallest_kernels(case))  # type: ignore[misc]
        self.epochs()

    def measure(self, case: Case, loop: str, made: Callable[[], Callable[[int], object]]) -> None:
        """Times one loop, and adds its row."""
        row = Row(case.name, loop)
        self.rows.append(row)
        if time.monotonic() > self.deadline:
            row.note = "no time was left"
            return
        print(f"{case.name}: {loop} ...", file=sys.stderr)
        try:
            torch.manual_seed(0)
            row.milliseconds = self.time(made())
        except Exception as error:
            row.note = f"failed: {first_line(error)}"[:150]
            return
        if loop.startswith("plain"):
            self.plain[case.name] = row.milliseconds
        elif case.name in self.plain:
            row.times_plain = self.plain[case.name] / row.milliseconds

    def time(self, play: Callable[[int], object]) -> float:
        """Milliseconds a step: after a warm-up, the best of three runs, each about a third of `seconds` long."""
        warm = 3 if self.rehearsal else 40
        play(warm)
        self.wait()
        start = time.perf_counter()
        play(10)
        self.wait()
        steps = max(10, round(self.seconds / 3 / max((time.perf_counter() - start) / 10, 1e-9)) // 10 * 10)
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            play(steps)
            self.wait()
            taken.append((time.perf_counter() - start) / steps * 1e3)
        return min(taken)

    def wait(self) -> None:
        """Waits for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def shapes(self, case: Case) -> dict[str, tuple[int, ...]]:
        """The data's shapes by key."""
        if not self.rehearsal:
            return dict(case.shapes)
        return {key: (shape[0], case.tiny_side, case.tiny_side) for key, shape in case.shapes.items()}

    def recipe_and_data(self, case: Case, precision: str = "fp32") -> tuple[Any, DatasetInfo, Examples]:
        """The recipe, and random data for it."""
        settings = [*case.settings, *(case.tiny if self.rehearsal else ()), f"train.precision={precision}"]
        recipe = read_recipe(case.recipe, overrides=[*settings, f"train.steps={10**9}"])
        shapes = self.shapes(case)
        n = 200 if self.rehearsal else 60_000 if shapes.get("real", (0, 64))[1] == 28 else 1024
        if "a" in shapes:
            n = min(n, 256)
        tensors = {key: torch.randint(0, 256, (n, *shape), dtype=torch.uint8) for key, shape in shapes.items()}
        tensors["label"] = torch.zeros(n, dtype=torch.int64)
        info = DatasetInfo(
            fields={
                key: Field(shape, "uint8", "sample" if key == "real" else "domain") for key, shape in shapes.items()
            },
            size=n,
            paired="real" in shapes,
        )
        return recipe, info, Examples(tensors=tensors, checksum="", origin="random numbers")

    def training(self, case: Case, precision: str) -> Training:
        """The training state of the case's run."""
        recipe, info, examples = self.recipe_and_data(case, precision)
        game = build_game(recipe, info).to(self.device)
        data = DeviceData(
            examples, info.gives, batch_size=recipe.train.batch_size, seed=0, device=self.device, paired=info.paired
        )
        training = Training(recipe, game, data, 10**9)
        training.draws = case.draws
        training.keep_streams()
        return training

    def ganzoo_loop(self, case: Case, runner: str, precision: str) -> Callable[[int], object]:
        """The recipe as `ganzoo run` trains it, with a row of means every `log_every` steps."""
        training = self.training(case, precision)
        compiled = CompiledNetworksRunner(training, "asked for") if "compile" in runner else None
        if runner.startswith("cudagraph"):
            moved = [each for player in training.players.values() for each in player.parameters]
            capture: GraphCapture = UncapturedWork() if self.rehearsal else CudaGraphCapture(self.device, moved)
            training.runner = CapturedRoundsRunner(training, "asked for", capture, compiled)
        elif compiled:
            training.runner = compiled
        every = training.recipe.train.log_every

        def play(steps: int) -> None:
            end = training.step + steps
            while training.step < end:
                training.advance(min(end, (training.step // every + 1) * every) - training.step)
                if training.step % every == 0:
                    training.row()
                    training.means.clear()

        return play

    def plain_loop(self, case: Case) -> Callable[[int], object]:
        """A loop as in tutorials over the same networks."""
        recipe, info, examples = self.recipe_and_data(case)
        game = build_game(recipe, info).to(self.device)
        size = recipe.train.batch_size
        if "a" in info.gives:
            step = translation_step(game, *(self.on_device(examples.tensors[key], size) for key in ("a", "b")))
        else:
            networks = game.players()
            generator, discriminator = networks["generator"], networks["discriminator"]
            as_tutorials = case.recipe == "vanilla_mnist"
            real = (
                batches(examples, size, self.device) if as_tutorials else self.on_device(examples.tensors["real"], size)
            )
            if recipe.loss.entry.name == "wasserstein":
                step = wasserstein_step(generator, discriminator, real, self.device, n_critic=case.draws)
            else:
                step = cross_entropy_step(generator, nn.Sequential(discriminator, nn.Sigmoid()), real, self.device)

        def play(steps: int) -> None:
            for _ in range(steps):
                step()

        return play

    def on_device(self, images: Tensor, size: int) -> Iterator[Tensor]:
        """Batches of images, which are on the device as floating point."""
        there = images.to(self.device).float() / 127.5 - 1
        for _ in count():
            yield there[torch.randint(len(there), (size,), device=self.device)]

    def products(self, case: Case, precision: str) -> Callable[[int], object]:
        """The step's matrix products and convolutions alone."""
        training = self.training(case, precision)
        training.advance()
        found = products_of(training.advance)
        return self.captured(lambda: found.play(1))

    def smallest_kernels(self, case: Case) -> Callable[[int], object]:
        """As many of the smallest kernels as a step has operations that create or modify a tensor."""
        training = self.training(case, "fp32")
        training.advance()
        with LaunchCounter() as smallest_kernels:
            training.advance()
        number, one = smallest_kernels.count, torch.zeros(1, device=self.device)
        self.rows[-1].note = f"{number} of them"

        def work() -> None:
            for _ in range(number):
                one.add_(1)

        return self.captured(work)

    def captured(self, work: Callable[[], None]) -> Callable[[int], object]:
        """A function that replays the captured work `times` times."""
        capture: GraphCapture = UncapturedWork() if self.rehearsal else CudaGraphCapture(self.device)
        for _ in range(2):
            capture.run(work)
        replay = capture.capture(work)

        def play(times: int) -> None:
            for _ in range(times):
                replay()

        return play

    def epochs(self) -> None:
        """100 epochs of `vanilla_mnist`, with the fastest of ganzoo's runners."""
        case = CASES[0]
        measured = [
            row for row in self.rows if row.model == case.name and row.loop.startswith(RUNNERS) and row.milliseconds
        ]
        row = Row(case.name, "100 epochs")
        self.rows.append(row)
        if not measured or time.monotonic() > self.deadline:
            row.note = "no time was left" if measured else "nothing played"
            return
        best = min(measured, key=lambda one: one.milliseconds or 0.0)
        runner, _, precision = best.loop.rpartition(", ")
        play = self.ganzoo_loop(case, runner, precision)
        play(3 if self.rehearsal else 100)
        self.wait()
        left = min(60.0, self.deadline - time.monotonic())
        steps = 20 if self.rehearsal else min(EPOCHS_STEPS, max(1000, round(left * 1e3 / (best.milliseconds or 1))))
        start = time.perf_counter()
        play(steps)
        self.wait()
        seconds = (time.perf_counter() - start) * EPOCHS_STEPS / steps
        row.milliseconds = seconds * 1e3
        row.note = f"{seconds:,.1f} s by {best.loop}" + ("" if steps == EPOCHS_STEPS else f", from {steps:,} steps")


def translation_step(game: Game, real_a: Iterator[Tensor], real_b: Iterator[Tensor]) -> Callable[[], None]:
    """CycleGAN's step as in tutorials: identity, adversarial and cycle terms, without a pool of images."""
    networks: dict[str, Any] = {name: game.get_submodule(name) for name in ("a2b", "b2a", "judge_a", "judge_b")}
    a2b, b2a, judge_a, judge_b = networks.values()
    makers = torch.optim.Adam([*a2b.parameters(), *b2a.parameters()], lr=2e-4, betas=(0.5, 0.999))
    judges = torch.optim.Adam([*judge_a.parameters(), *judge_b.parameters()], lr=2e-4, betas=(0.5, 0.999))

    def right(scores: Tensor, value: float) -> Tensor:
        return mse_loss(scores, torch.full_like(scores, value))

    def step() -> None:
        a, b = next(real_a), next(real_b)
        fake_b, fake_a = a2b(a), b2a(b)
        loss = right(judge_b(fake_b), 1) + right(judge_a(fake_a), 1)
        loss = loss + 10 * (l1_loss(b2a(fake_b), a) + l1_loss(a2b(fake_a), b))
        loss = loss + 5 * (l1_loss(a2b(b), b) + l1_loss(b2a(a), a))
        makers.zero_grad()
        loss.backward()
        makers.step()
        real = right(judge_a(a), 1) + right(judge_b(b), 1)
        loss_d = (real + right(judge_a(fake_a.detach()), 0) + right(judge_b(fake_b.detach()), 0)) / 2
        judges.zero_grad()
        loss_d.backward()
        judges.step()
        loss.item(), loss_d.item()

    return step


def table_of(rows: list[Row], title: str) -> Table:
    """The rows as a table."""
    table = Table(title=title)
    for column in ("model", "loop", "ms a step", "times the plain loop", "note"):
        table.add_column(column, justify="right" if column.startswith(("ms", "times")) else "left")
    for row in rows:
        took = "" if row.milliseconds is None or row.loop == "100 epochs" else f"{row.milliseconds:.4g}"
        times = "" if row.times_plain is None else f"{row.times_plain:.2f}"
        table.add_row(row.model, row.loop, took, times, row.note)
    return table


def main() -> None:
    """Prints the table, and writes it to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--cpu-rehearsal", action="store_true")
    options = parser.parse_args()
    if not options.cpu_rehearsal and not torch.cuda.is_available():
        print("This needs a GPU, and torch sees none. --cpu-rehearsal walks through it on the CPU.", file=sys.stderr)
        sys.exit(2)
    if options.cpu_rehearsal:
        torch.compile = lambda function, **_: function  # type: ignore[assignment]
    bench = Bench(options)
    name = platform.processor() or platform.machine()
    if bench.device.type == "cuda":
        name = torch.cuda.get_device_name(bench.device)
    title = f"{name}, torch {torch.__version__}, Python {platform.python_version()}"
    if bench.rehearsal:
        title = f"REHEARSAL: these figures mean nothing. {title}"
    bench.run()
    Console(width=130).print(table_of(bench.rows, title))
    if options.json:
        options.json.write_text(json.dumps({"machine": title, "rows": [asdict(row) for row in bench.rows]}, indent=1))


if __name__ == "__main__":
    main()
