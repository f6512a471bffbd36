"""`ganzoo card`: a model card from real runs."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.errors import GanzooError


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "out", metavar="FILE.md", type=click.Path(path_type=Path), help="Write the card into a file of its own."
)
@click.option(
    "--into",
    metavar="FILE.md",
    type=click.Path(path_type=Path),
    help="Update the card's part of a page, or append it; the rest of the page is unchanged.",
)
@click.option("--name", metavar="NAME", default="", help="The card's.  [default: the recipe's]")
@click.option(
    "--paper",
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="Published numbers, their sources, and why ours differ.  [default: FILE.papers.toml beside FILE.md]",
)
def card(runs: tuple[Path, ...], out: Path | None, into: Path | None, name: str, paper: Path | None) -> None:
    """Make a model card from the runs in the directories RUN...: one recipe, run with one seed or several.

    It states what ran, for how long and on what device, with samples, scores under their protocols, and published
    results. A picture of samples is written next to the file. Without -o or --into the card is printed, without the
    picture.
    """
    target = out or into
    if out and into:
        raise GanzooError("-o and --into are two places.", remedy="-o writes a file anew, --into renews a part of one.")
    if target and (target.suffix.lower() != ".md" or target.is_dir() or not target.parent.is_dir()):
        raise GanzooError(f"{target}: a card is a Markdown file in a folder that exists.", remedy="-o card.md")
    from ganzoo.datasets.atomic import replace_file
    from ganzoo.evaluation.cards import make_card, read_paper_results, replace_block

    page = read_page(into) if into and into.exists() else ""
    made = make_card(runs, name=name)
    default = target.with_suffix(".papers.toml") if target else None
    source = paper or (default if default and default.is_file() else None)
    if source:
        made = make_card(made.runs, name=made.name, paper_results=read_paper_results(source, made.name))
    if target is None:
        click.echo(made.markdown().rstrip())
        return
    picture = target.with_name(f"{made.name}.png")
    try:
        text = replace_block(page, made.name, made.markdown(picture.name))
        figure = made.figure()
    except GanzooError as error:
        raise GanzooError(f"{target}: {error.what}", remedy=error.remedy) from error
    replace_file(picture, figure)
    replace_file(target, text.encode())
    click.echo(f"{target}: the card of {made.name}, with {picture.name}")


def read_page(path: Path) -> str:
    """A page's text. Raises: GanzooError where it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise GanzooError(f"{path}: cannot be read: {error}.") from error
