"""The speed of training on several ranks, compared with one rank on the same cores.

    python benchmarks/ranks.py [RECIPE ...] [--ranks 2] [--rounds 9] [--steps 20] [--set KEY=VALUE] [--data-root DIR]

Same recipe, same batch over all ranks, same cores, on the CPU: one rank with --ranks threads, and --ranks ranks with
one thread each, started by torchrun. They alternate in the same processes, `--steps` steps at a time, with a row of
means as often as in the recipe: while the single rank trains, the others sleep. The table shows the median over the
rounds, the ratio to the single rank of the same round, the size of the gradients that a rank sends in a step, the time
to average them alone, and the mean and largest difference of the weights of the two trainings after their first step.
(Adam's first step has full length wherever a gradient is not zero, so a gradient of rounding errors may have either
sign. After a hundred steps the weights differ more: rounding errors grow, and with batch norm each rank has its own
statistics; see docs/distributed.md.) Measure on an idle machine: threads that wait for each other are slowed down most
by other load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

RECIPES = ("vanilla_mnist", "dcgan_mnist", "wgan_gp_mnist")


def main() -> None:
    """Prints the table; torchrun's ranks measure one recipe each time that it is called with --measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--measure", default=None, metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options)
        return
    from rich.console import Console
    from rich.table import Table

    processor = platform.processor() or platform.machine()
    table = Table(
        title=f"{options.ranks} ranks x 1 thread against 1 rank x {options.ranks} threads, float32, {processor}"
    )
    times = ("1 rank, ms a step", "ranks, ms a step", "of its speed")
    for column in ("recipe", "batch", *times, "MB a step", "ms to average", "weights differ: mean, most"):
        table.add_column(column, justify="left" if column == "recipe" else "right")
    for recipe in options.recipes:
        found = measure_with_torchrun(recipe, options)
        alone, shared = found["alone"], found["shared"]
        ratio = statistics.median(a / s for a, s in zip(alone, shared, strict=True))
        table.add_row(
            f"{recipe} on {found['data']}",
            str(found["batch"]),
            f"{statistics.median(alone):.1f}",
            f"{statistics.median(shared):.1f}",
            f"{ratio:.2f}",
            f"{found['bytes'] / 1e6:.2f}",
            f"{statistics.median(found['averaging']):.2f}",
            " ".join(f"{gap:.0e}" for gap in found["apart"]),
        )
    Console(width=130).print(table)


def measure_with_torchrun(recipe: str, options: argparse.Namespace) -> dict[str, Any]:
    """What rank 0 measured of a recipe."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "measured.json"
        passed = [f"--ranks={options.ranks}", f"--rounds={options.rounds}", f"--steps={options.steps}"]
        passed += [f"--set={override}" for override in options.overrides]
        passed += [f"--data-root={options.data_root}"] if options.data_root else []
        launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={options.ranks}"]
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        subprocess.run([*launcher, __file__, recipe, *passed, f"--measure={file}"], check=True, env=environment)
        found: dict[str, Any] = json.loads(file.read_text())
    return found


def measure(options: argparse.Namespace) -> None:
    """The measurement on each rank: rank 0 also trains the single-rank baseline."""
    import torch

    from ganzoo.core.random_streams import seed_everything
    from ganzoo.datasets.obtain import obtain
    from ganzoo.datasets.root import data_root
    from ganzoo.recipe import read_recipe
    from ganzoo.recipe.dry_run import dry_run
    from ganzoo.training.assembly import assemble
    from ganzoo.training.distributed import SINGLE_RANK, Ranks, join_process_group
    from ganzoo.training.state import Training

    ranks, device = join_process_group(), torch.device("cpu")
    if not ranks.several:
        raise SystemExit("one rank has nobody to share a batch with: give --ranks 2, or more.")
    recipe = read_recipe(options.recipes[0], overrides=options.overrides)
    obtained = ranks.run_in_turn(
        lambda: obtain(recipe.dataset, recipe.fallback, data_root(options.data_root), allow_fallback=True).load()
    )
    rehearsal = dry_run(recipe, obtained.info)

    def training_of(who: Ranks) -> Training:
        seed_everything(recipe.train.seed)
        training = assemble(recipe, obtained, rehearsal, device, None, who)
        training.total_steps = 10**9
        training.keep_streams()
        streams[training.ranks] = torch.get_rng_state()
        return training

    streams: dict[Ranks, torch.Tensor] = {}
    trainings = {SINGLE_RANK: training_of(SINGLE_RANK), ranks: training_of(ranks)}
    moved = dict.fromkeys(trainings[ranks].players, 0)
    for name, player in trainings[ranks].players.items():

        def count(*_: object, name: str = name) -> None:
            moved[name] += 1

        player.optimizer.register_step_pre_hook(count)

    def turn(who: Ranks, steps: int) -> float:
        """Milliseconds a step, of `steps` steps."""
        ranks.broadcast_text("begin")
        training, begin = trainings[who], time.perf_counter()
        if who is ranks or ranks.first:
            torch.set_num_threads(1 if who is ranks else options.ranks)
            torch.set_rng_state(streams[who])
            for _ in range(steps):
                training.advance()
                if training.step % (recipe.train.log_every or steps) == 0:
                    training.row()
                    training.means.clear()
            streams[who] = torch.get_rng_state()
            torch.set_num_threads(1)
        ranks.broadcast_text("end")
        return (time.perf_counter() - begin) / steps * 1e3

    def averaging() -> float:
        """Milliseconds for the averaging of a step alone, without any computation."""
        ranks.broadcast_text("begin")
        begin = time.perf_counter()
        for average, moves in sent:
            for _ in range(moves):
                average()
        return (time.perf_counter() - begin) * 1e3

    for who in trainings:
        turn(who, 1)
    one, other = (
        torch.cat([weight.detach().flatten() for player in training.players.values() for weight in player.parameters])
        for training in trainings.values()
    )
    gap = (one - other).abs()
    for who in trainings:
        turn(who, options.steps)
    times: dict[Ranks, list[float]] = {who: [] for who in trainings}
    for _ in range(options.rounds):
        for who in trainings:
            times[who].append(turn(who, options.steps))
    exchange = trainings[ranks].exchange
    averages = exchange.averages if exchange else ()
    sent = [(one, n // trainings[ranks].step) for one, n in zip(averages, moved.values(), strict=True)]
    found = {
        "data": obtained.choice.entry.name,
        "batch": recipe.train.batch_size,
        "alone": times[SINGLE_RANK],
        "shared": times[ranks],
        "bytes": sum(average.bytes * moves for average, moves in sent),
        "averaging": [averaging() for _ in range(3 * options.rounds)],
        "apart": [gap.mean().item(), gap.max().item()],
    }
    if ranks.first:
        Path(options.measure).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
