"""`ganzoo report`: writes a run as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.errors import GanzooError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "out", metavar="FILE", type=click.Path(path_type=Path), help="The page.  [default: report.html in RUN]"
)
def report(run: Path, out: Path | None) -> None:
    """Write one self-contained HTML page about the run in the directory RUN: facts, grids, curves, recipe."""
    from ganzoo.datasets.atomic import replace_file
    from ganzoo.display.report import page
    from ganzoo.runs.run import load

    loaded = load(run)
    target = out or loaded.directory / "report.html"
    if target.is_dir() or not target.parent.is_dir():
        wrong = "is a folder" if target.is_dir() else f"cannot be written: there is no folder {target.parent}"
        raise GanzooError(f"{target} {wrong}.", remedy="Name a file: -o report.html")
    try:
        replace_file(target, page(loaded).encode())
    except OSError as error:
        raise GanzooError(f"{target}: cannot be written: {error.strerror or error}.") from error
    click.echo(f"{target}: {loaded.name}, step {loaded.step:,}")
