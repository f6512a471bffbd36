"""`ganzoo doctor`: what this machine has, or what is wrong with a run's training."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.no_network import no_network_option

if TYPE_CHECKING:
    from ganzoo.evaluation.doctor.diagnosis import Diagnosis
    from ganzoo.evaluation.doctor.finding import Finding
    from ganzoo.runs.run import Run

Line = tuple[str, str]
"""A label and a text."""

LABEL = 14
"""Columns that labels take."""

STYLES = {"failure": "bold red", "warning": "bold yellow", "note": "bold"}


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--no-samples", is_flag=True, help="Judge by rows and weights alone, which takes no data and no time.")
@no_network_option
@click.option("--data-root", type=click.Path(path_type=Path), metavar="DIR", help="The folder of all data sets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(run: Path | None, no_samples: bool, data_root: Path | None, as_json: bool) -> None:
    """Report what is wrong with the training of the run in the directory RUN.

    Each finding has its figures, what they mean, what to change in the recipe, and the paper to read.

    Without RUN, report what this machine has: device, memory, data sets, extras, plugins.
    """
    if run is None:
        if no_samples:
            raise click.UsageError("--no-samples is about a run: name one.")
        from ganzoo.evaluation.doctor.machine import describe_machine

        found = describe_machine(data_root)
        if as_json:
            click.echo(json.dumps(found, indent=2))
        else:
            print_lines(machine_lines(found))
        return
    from ganzoo.evaluation.doctor.diagnosis import examine
    from ganzoo.runs.run import load

    loaded = load(run)
    diagnosis = examine(loaded, samples=not no_samples, data_root=data_root, report_progress=report_progress)
    if as_json:
        click.echo(json.dumps(to_json(loaded, diagnosis), indent=2))
    else:
        print_lines(diagnosis_lines(loaded, diagnosis))


def to_json(run: Run, diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as one JSON object."""
    return {
        "run": run.name,
        "status": run.status,
        "step": run.step,
        "total_steps": run.total_steps,
        "findings": [finding.to_json() for finding in diagnosis.findings],
        "checked": list(diagnosis.checked),
        "not_examined": list(diagnosis.not_examined),
    }


def diagnosis_lines(run: Run, diagnosis: Diagnosis) -> Iterator[Line]:
    """A diagnosis as labelled lines."""
    yield (
        "run",
        f"{run.name}: {run.facts['recipe']} on {run.facts['dataset']['name']}, {run.status}, "
        f"step {run.step:,} of {run.total_steps:,}",
    )
    for checked in diagnosis.checked:
        yield "looked at", checked
    for missed in diagnosis.not_examined:
        yield "not examined", missed
    for finding in diagnosis.findings:
        yield "", ""
        yield from finding_lines(finding)
    if not diagnosis.findings:
        yield "", ""
        yield "findings", "none: what was looked at is as it is in healthy runs"


def finding_lines(finding: Finding) -> Iterator[Line]:
    """A finding as labelled lines."""
    yield finding.severity, finding.title
    yield "seen", finding.seen
    yield "it means", finding.means
    for number, line in enumerate(finding.change):
        yield "or" if number else "change", line
    if finding.paper:
        yield "see", finding.paper


def machine_lines(found: Mapping[str, Any]) -> Iterator[Line]:
    """The machine as labelled lines."""
    cpu, memory = found["cpu"], found["memory"]
    yield "ganzoo", f"{found['ganzoo']}, Python {found['python']}"
    yield "", ", ".join(f"{name} {version}" for name, version in found["libraries"].items())
    bf16 = {True: "bf16 in hardware", False: "bf16 slow, in software", None: "bf16 unknown"}[cpu["bf16"]]
    yield "cpu", f"{cpu['name']}, {cpu['cores']} cores, {cpu['threads']} threads, {cpu['instructions']}, {bf16}"
    yield "memory", f"{gigabytes(memory['available'])} of {gigabytes(memory['total'])} free"
    for number, gpu in enumerate(found["gpus"]):
        yield f"cuda:{number}", f"{gpu['name']}, {gigabytes(gpu['memory'])}, {'bf16' if gpu['bf16'] else 'no bf16'}"
    if not found["gpus"]:
        yield "gpu", "none that torch sees: --device auto trains on the CPU"
    root = found["data_root"]
    yield "data root", root["path"] if root["exists"] else f"{root['path']} (not there yet: downloads will make it)"
    here = {state: [name for name, had in found["datasets"].items() if had is state] for state in (True, False, None)}
    for label, names in (("at hand", here[True]), ("not here", here[False]), ("cannot say", here[None])):
        if names:
            yield label, ", ".join(names)
    yield "cache", found["cache"]
    for extra, missing in found["extras"].items():
        yield f"[{extra}]", f"missing {', '.join(missing)}: pip install 'ganzoo[{extra}]'" if missing else "installed"
    broken = [plugin for plugin in found["plugins"] if plugin["status"] == "broken"]
    yield "plugins", f"{len(found['plugins']) - len(broken)} in order, {len(broken)} broken"
    for plugin in found["plugins"]:
        if plugin["slow"]:
            yield "slow", plugin["slow"]
    for plugin in broken:
        yield "broken", f"{plugin['name']} of {plugin['distribution']} {plugin['version']}: {plugin['cause']}"


def gigabytes(size: int) -> str:
    """Bytes in GiB."""
    return f"{size / 2**30:.1f} GiB"


def report_progress(what: str) -> None:
    """Prints what is being done to standard error, if that is a terminal."""
    if sys.stderr.isatty():
        click.echo(f"{what} ...", err=True)


def print_lines(lines: Iterator[Line]) -> None:
    """Prints the lines, each with its label."""
    from rich.text import Text

    from ganzoo.display.console.messages import one_line
    from ganzoo.display.console.terminal import Terminal, is_interactive

    terminal = Terminal(plain=not is_interactive())
    for label, text in lines:
        style = STYLES.get(label, "dim")
        line = Text.assemble((f"{label:<{LABEL}}", style), one_line(text))
        line.rstrip()
        terminal.print(line, soft_wrap=True)
