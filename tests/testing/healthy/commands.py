"""A command."""

import click


def ending(lines: int) -> str:
    return "line" if lines == 1 else "lines"


@click.command()
@click.argument("words", nargs=-1)
@click.option("--upper", is_flag=True, help="In capitals.")
def echo_words(words: tuple[str, ...], upper: bool) -> None:
    """Say WORDS, one a line."""
    for word in words:
        click.echo(word.upper() if upper else word)
    click.echo(f"{len(words)} {ending(len(words))}")
