"""`ganzoo check`: the conformance kit against an installed plugin, as pytest would print it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ganzoo.cli.complete import plugins
from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.testing import Check

SIGNS = {"kept": (".", "green"), "failed": ("F", "red"), "not checked": ("s", "yellow")}
"""How a check ends -> what stands for it, and its colour."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One check and how it ended: "kept", "failed" or "not checked", and what is to be said of it."""

    check: Check
    how: str
    said: str = ""


@click.command()
@click.argument("package", shell_complete=plugins)
@click.option("-k", "word", metavar="WORD", default="", help="Only checks with WORD in their names, say generator.")
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first that fails.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each check, and why some were not made.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(package: str, word: str, fail_fast: bool, verbose: bool, as_json: bool) -> int:
    """Check an installed plugin against every contract: PACKAGE is its name, or its distribution's.

    Made-up data, a few steps, no network; the CPU does. Exit status: 0 all kept, 1 some failed.
    """
    from ganzoo.testing import checks_of

    began = time.perf_counter()
    every = checks_of(package)
    chosen = [one for one in every if word.lower() in str(one).lower()]
    if not chosen:
        raise GanzooError(f'no check of {package} has "{word}" in its name.', remedy="`-v` shows all their names.")
    # what a plugin prints would end up in the middle of the JSON
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        endings = run(chosen, fail_fast=fail_fast, verbose=verbose, silent=as_json)
    seconds = time.perf_counter() - began
    if as_json:
        click.echo(json.dumps(facts(package, endings, seconds), indent=2))
    else:
        conclude(endings, seconds, left_out=len(every) - len(chosen), verbose=verbose)
    return int(any(ending.how == "failed" for ending in endings))


def run(checks: Iterable[Check], *, fail_fast: bool, verbose: bool, silent: bool) -> list[Ending]:
    """Makes the checks one after another, showing each as it ends."""
    endings: list[Ending] = []
    for one in checks:
        if not silent and not verbose and (not endings or endings[-1].check.subject != one.subject):
            click.echo(f"{'' if not endings else chr(10)}{one.subject} ", nl=False)
        ending = ending_of(one)
        endings.append(ending)
        if not silent:
            sign, colour = SIGNS[ending.how]
            said = f"{one} {click.style(ending.how.upper(), fg=colour)}\n" if verbose else click.style(sign, fg=colour)
            click.echo(said, nl=False)
        if fail_fast and ending.how == "failed":
            break
    return endings


def ending_of(one: Check) -> Ending:
    """Makes a check."""
    from ganzoo.testing import Failure

    outcome = one.outcome()
    if outcome is None:
        return Ending(one, "kept")
    return Ending(one, "failed" if isinstance(outcome, Failure) else "not checked", str(outcome))


def conclude(endings: list[Ending], seconds: float, *, left_out: int, verbose: bool) -> None:
    """What failed and what to do about it, what was not checked and why, and the sum."""
    if not verbose:
        click.echo("")
    for ending in endings:
        if ending.how == "failed":
            click.echo(
                f"\n{click.style('FAILED', fg='red')} {click.style(str(ending.check), bold=True)}\n  {ending.said}"
            )
    reasons: dict[str, list[str]] = {}
    for ending in endings:
        if ending.how == "not checked":
            reasons.setdefault(ending.said, []).append(str(ending.check))
    if reasons:
        click.echo("\nNot checked:" if verbose else "")
    for reason, names in reasons.items() if verbose else ():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        click.echo(f"  {names[0]}{more}: {reason}")
    counts = [f"{n} {how}" for how in SIGNS if (n := sum(ending.how == how for ending in endings)) or how == "kept"]
    counts += [f"{left_out} left out"] if left_out else []
    colour = "red" if any(ending.how == "failed" for ending in endings) else "green"
    hint = " (-v says why)" if reasons and not verbose else ""
    click.echo(click.style(f"{', '.join(counts)} in {seconds:.1f} s", fg=colour, bold=True) + hint)


def facts(package: str, endings: list[Ending], seconds: float) -> dict[str, object]:
    """The same for programs."""
    return {
        "plugin": package,
        "seconds": round(seconds, 3),
        "counts": {how: sum(ending.how == how for ending in endings) for how in SIGNS},
        "checks": [
            {
                "name": str(ending.check),
                "subject": ending.check.subject,
                "asks": ending.check.asks,
                "contract": ending.check.contract,
                "outcome": ending.how,
                "message": ending.said,
            }
            for ending in endings
        ],
    }
