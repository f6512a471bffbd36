"""`ganzoo check`: runs the conformance kit on an installed plugin, with output like pytest's."""

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

OUTCOMES = {"kept": (".", "green"), "failed": ("F", "red"), "not checked": ("s", "yellow")}
"""Outcome of a check -> its sign and colour."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check and its outcome: "kept", "failed" or "not checked", with a message."""

    check: Check
    outcome: str
    message: str = ""


@click.command()
@click.argument("package", shell_complete=plugins)
@click.option("-k", "word", metavar="WORD", default="", help="Only checks with WORD in their names, say generator.")
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first that fails.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each check, and the reasons for skipped checks.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(package: str, word: str, fail_fast: bool, verbose: bool, as_json: bool) -> int:
    """Check an installed plugin against every contract: PACKAGE is its name, or its distribution's.

    The checks train a few steps on synthetic data, on the CPU and without a network. Exit status: 0 all kept, 1 some
    failed.
    """
    from ganzoo.testing import checks_of

    began = time.perf_counter()
    all_checks = checks_of(package)
    chosen = [one for one in all_checks if word.lower() in str(one).lower()]
    if not chosen:
        raise GanzooError(f'no check of {package} has "{word}" in its name.', remedy="`-v` shows all their names.")
    # output of a plugin must not be mixed with the JSON
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        results = run_checks(chosen, fail_fast=fail_fast, verbose=verbose, silent=as_json)
    seconds = time.perf_counter() - began
    if as_json:
        click.echo(json.dumps(to_json(package, results, seconds), indent=2))
    else:
        print_summary(results, seconds, left_out=len(all_checks) - len(chosen), verbose=verbose)
    return int(any(result.outcome == "failed" for result in results))


def run_checks(checks: Iterable[Check], *, fail_fast: bool, verbose: bool, silent: bool) -> list[CheckResult]:
    """Runs the checks one after another, printing each outcome."""
    results: list[CheckResult] = []
    for one in checks:
        if not silent and not verbose and (not results or results[-1].check.subject != one.subject):
            click.echo(f"{'' if not results else chr(10)}{one.subject} ", nl=False)
        result = run_check(one)
        results.append(result)
        if not silent:
            sign, colour = OUTCOMES[result.outcome]
            message = (
                f"{one} {click.style(result.outcome.upper(), fg=colour)}\n" if verbose else click.style(sign, fg=colour)
            )
            click.echo(message, nl=False)
        if fail_fast and result.outcome == "failed":
            break
    return results


def run_check(one: Check) -> CheckResult:
    """Runs a check."""
    from ganzoo.testing import Failure

    outcome = one.outcome()
    if outcome is None:
        return CheckResult(one, "kept")
    return CheckResult(one, "failed" if isinstance(outcome, Failure) else "not checked", str(outcome))


def print_summary(results: list[CheckResult], seconds: float, *, left_out: int, verbose: bool) -> None:
    """Prints what failed and what to do about it, what was not checked and why, and the counts."""
    if not verbose:
        click.echo("")
    for result in results:
        if result.outcome == "failed":
            click.echo(
                f"\n{click.style('FAILED', fg='red')} {click.style(str(result.check), bold=True)}\n  {result.message}"
            )
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.outcome == "not checked":
            reasons.setdefault(result.message, []).append(str(result.check))
    if reasons:
        click.echo("\nNot checked:" if verbose else "")
    for reason, names in reasons.items() if verbose else ():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        click.echo(f"  {names[0]}{more}: {reason}")
    counts = [
        f"{n} {outcome}"
        for outcome in OUTCOMES
        if (n := sum(result.outcome == outcome for result in results)) or outcome == "kept"
    ]
    counts += [f"{left_out} left out"] if left_out else []
    colour = "red" if any(result.outcome == "failed" for result in results) else "green"
    hint = " (-v says why)" if reasons and not verbose else ""
    click.echo(click.style(f"{', '.join(counts)} in {seconds:.1f} s", fg=colour, bold=True) + hint)


def to_json(package: str, results: list[CheckResult], seconds: float) -> dict[str, object]:
    """The results as a JSON object."""
    return {
        "plugin": package,
        "seconds": round(seconds, 3),
        "counts": {outcome: sum(result.outcome == outcome for result in results) for outcome in OUTCOMES},
        "checks": [
            {
                "name": str(result.check),
                "subject": result.check.subject,
                "asks": result.check.asks,
                "contract": result.check.contract,
                "outcome": result.outcome,
                "message": result.message,
            }
            for result in results
        ],
    }
