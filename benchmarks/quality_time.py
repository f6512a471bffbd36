"""After how many seconds of training is a recipe's FID as good as asked for?

    python benchmarks/quality_time.py RECIPE_OR_RUN ... [--target 25 15 ...] [--score fid] [--extractor digits]
                                      [--every 500] [--set KEY=VALUE ...] [--device auto] [--out DIR]

A recipe is played until its score reaches the last target, or its budget is spent; a run's directory is only read. The
scores are those of `[evaluate]`: every `--every` steps, 2,000 samples of the averaged generator against the test split.
The time that scoring takes is not counted as training's. Columns of targets are seconds of training and the step; a
dash says that the run did not get there.
"""

from __future__ import annotations

import argparse
import math
import platform
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import ganzoo


def played(recipe: str, options: argparse.Namespace, folder: Path) -> ganzoo.Run:
    """A run of the recipe with scores, which ends at the last target."""
    settings = [
        f"evaluate.every={options.every}",
        f'evaluate.metrics=["{options.score}"]',
        f'evaluate.extractor="{options.extractor}"',
        f'train.stop.metric="{options.score}"',
        f"train.stop.target={min(options.target)}",
        "train.sample_every=0",
        "train.checkpoint_every=0",
    ]
    out = folder / Path(recipe).stem
    return ganzoo.train(recipe, out=out, device=options.device, overrides=[*settings, *options.set])


def reached(rows: list[dict[str, Any]], score: str, target: float) -> dict[str, Any] | None:
    """The first row whose score is as low as the target."""
    return next((row for row in rows if row.get(score, math.inf) <= target), None)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="RECIPE_OR_RUN")
    parser.add_argument("--target", nargs="+", type=float, default=[25.0, 15.0])
    parser.add_argument("--score", default="fid", choices=("fid", "kid"), help="lower is better in both")
    parser.add_argument("--extractor", default="digits")
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of ganzoo run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=None, help="where to keep the runs")
    options = parser.parse_args()
    targets = sorted(options.target, reverse=True)
    table = Table(title=f"seconds of training until {options.score} ({options.extractor}), {platform.machine()}")
    for column in ("recipe", "on", *(f"{target:g}" for target in targets), "best", "at the end", "ms a step"):
        table.add_column(column, justify="left" if column in ("recipe", "on") else "right")
    with tempfile.TemporaryDirectory() as scratch:
        for what in options.what:
            is_run = (Path(what) / "run.json").exists()
            run = ganzoo.load(what) if is_run else played(what, options, options.out or Path(scratch))
            rows = [row for row in run.metrics if options.score in row]
            if not rows:
                parser.error(f"{what}: no row has a {options.score}: its recipe has no [evaluate] table with it.")
            found = [reached(rows, options.score, target) for target in targets]
            times = [f"{row['seconds']:,.1f} s ({row['step']:,})" if row else "-" for row in found]
            scores = [row[options.score] for row in rows]
            step = 1e3 * rows[-1]["seconds"] / rows[-1]["step"]
            data = run.facts["dataset"]["name"]
            table.add_row(run.recipe.name, data, *times, f"{min(scores):.1f}", f"{scores[-1]:.1f}", f"{step:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
