"""`ganzoo evaluate`: scores a run and shows each score with its protocol."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ganzoo.cli.no_network import no_network_option
from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.runs.score import Score

Seed = click.IntRange(min=0, max=2**63 - 1)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    help="Which; may be given several times. Default: all that fit.",
)
@click.option(
    "-n",
    "count",
    metavar="N",
    type=click.IntRange(min=1),
    help="Samples a draw. Default: the published number, or 10,000.",
)
@click.option(
    "--split", type=click.Choice(["test", "train"]), default="test", show_default=True, help="Of the real data."
)
@click.option("--seed", metavar="N", type=Seed, default=0, show_default=True, help="Of everything that is drawn.")
@click.option(
    "--draws",
    metavar="N",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Of N samples, for the interval.",
)
@click.option("--ema/--no-ema", default=True, show_default=True, help="The averaged generator, where the run has one.")
@click.option("--best", is_flag=True, help="The best checkpoint that [evaluate] found, and not the newest.")
@click.option("--extractor", metavar="NAME", help="Whose features are compared. Default: the one that suits the data.")
@click.option("--set", "settings", metavar="NAME.KEY=VALUE", multiple=True, help="An option: --set kid.subsets=50")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--data-root", type=click.Path(path_type=Path), metavar="DIR", help="The folder of all data sets.")
@no_network_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    run: Path,
    metrics: tuple[str, ...],
    count: int | None,
    split: Literal["train", "test"],
    seed: int,
    draws: int,
    ema: bool,
    best: bool,
    extractor: str | None,
    settings: tuple[str, ...],
    device: str,
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Score the samples of the run in the directory RUN against real ones, and record the scores in it.

    `ganzoo list metrics` and `ganzoo list extractors` list the choices. Scores under different protocols (another n,
    split, extractor) cannot be compared, so each is shown with its protocol.
    """
    options = parse_options(settings)
    wanted = [{"name": name, **options.pop(name, {})} for name in dict.fromkeys(metrics)]
    extractor_choice = None if extractor is None else {"name": extractor, **options.pop(extractor, {})}
    if options:
        raise GanzooError(
            f"--set {next(iter(options))}.…: it sets options of something that --metric or --extractor names.",
            remedy="Name it: --metric kid --set kid.subsets=50",
        )
    from ganzoo.evaluation.evaluate import evaluate as score
    from ganzoo.runs.run import load

    found = score(
        load(run, best=best),
        metrics=wanted,
        n=count,
        split=split,
        seed=seed,
        ema=ema,
        extractor=extractor_choice,
        draws=draws,
        device=device,
        data_root=data_root,
        report_progress=report_progress,
    )
    if as_json:
        click.echo(json.dumps({"scores": [one.to_json() for one in found]}, indent=2))
    else:
        print_scores(found)


def parse_options(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parses NAME.KEY=VALUE strings to options by name; values are TOML. Raises: GanzooError."""
    options: dict[str, dict[str, Any]] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        name, dot, key = path.strip().rpartition(".")
        try:
            value = tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
        except tomllib.TOMLDecodeError:
            value = text.strip()
        if not (equals and dot and name and key):
            raise GanzooError(f"--set {setting}: this should be NAME.KEY=VALUE.", remedy="--set kid.subsets=50")
        options.setdefault(name, {})[key] = value
    return options


def report_progress(what: str) -> None:
    """Prints what is being done to standard error, if that is a terminal."""
    if sys.stderr.isatty():
        click.echo(f"{what} ...", err=True)


def print_scores(scores: Sequence[Score]) -> None:
    """Prints a table of the scores, and under it each protocol once."""
    from rich.table import Table
    from rich.text import Text

    from ganzoo.display.console import messages as messages
    from ganzoo.display.console.terminal import Terminal, is_interactive

    one = scores[0]
    letters = messages.protocol_letters(scores)
    terminal = Terminal(plain=not is_interactive())
    averaged = "averaged weights" if one.ema else "the weights themselves"
    table = Table(title=f"{one.run}, step {one.step:,}, {averaged}, seed {one.seed}", title_justify="left", box=None)
    for column in ("score", "value", "interval", "real data", "better", "protocol"):
        table.add_column(column, justify="left" if column in ("score", "better", "protocol") else "right")
    for score in scores:
        numbers = (f"{score.value:.4g}", messages.format_interval(score), messages.format_real_data_score(score))
        cells = (score.name, *numbers, score.better, letters[score.protocol.key][0])
        table.add_row(*map(Text, cells))
    terminal.print(table)
    for mark, protocol in letters.values():
        terminal.print(Text(f"{mark}  {protocol}"), soft_wrap=True)
    known = {
        f"{name.replace('_', ' ')} {format_fact(fact)}": None
        for s in scores
        for name, fact in s.extractor_facts.items()
    }
    if known:
        terminal.print(Text(f"extractor  {', '.join(known)}"), soft_wrap=True)
    terminal.print(Text(f"data       {one.protocol.checksum}"), soft_wrap=True)
    terminal.print(Text(f"interval   {one.interval}"), soft_wrap=True)
    terminal.print(Text("real data  the same score of real samples of the other split"), soft_wrap=True)


def format_fact(fact: str | float) -> str:
    """A fact as text."""
    return fact if isinstance(fact, str) else f"{fact:.4g}"
