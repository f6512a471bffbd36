"""`ganzoo new`: a ready-to-publish plugin package, from the files in `ganzoo/template`."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from typing import Any

import click

from ganzoo import __version__
from ganzoo.errors import GanzooError
from ganzoo.plugins import zoo
from ganzoo.plugins.components import SHELVES
from ganzoo.plugins.credit import first_value, read_metadata
from ganzoo.plugins.discovery import normalize_name
from ganzoo.plugins.hookspecs import PROJECT

RESERVED = frozenset({PROJECT, "zoo", "plugin", "plugins", "recipes", *SHELVES, *SHELVES.values()})
"""Names with another meaning in ganzoo."""

MAX_NAME_LENGTH = 40

DEFAULT_AUTHOR = "Your Name"

GAME_ONLY = ("game.py", "test_game.py")
"""Files of the template that only a package with a game of its own has."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names derived from one: "My GAN" -> ganzoo-my-gan, ganzoo_my_gan, my-gan, my_gan_mnist."""

    distribution: str
    package: str
    component: str
    recipe: str


@click.command()
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Make the package in this folder.  [default: here]",
)
@click.option("--author", metavar="NAME", help="For LICENSE and pyproject.toml.  [default: git's user.name]")
@click.option("--description", metavar="TEXT", help="One line for pyproject.toml and the README.")
@click.option("--game", is_flag=True, help="With a game of its own, for a GAN that is not trained as two players.")
def new(name: str, folder: Path, author: str | None, description: str | None, game: bool) -> None:
    """Make a plugin package called NAME: a model, a recipe, tests, CI, ready to be changed and published.

    NAME is written as you like, "my-gan" or "My GAN": the package is ganzoo-my-gan, the model my-gan.
    """
    names = parse_name(name)
    check_available(names)
    author = author or git_author()
    facts = {
        **asdict(names),
        "author": one_line(author or DEFAULT_AUTHOR, "--author"),
        "description": one_line(description or f"{names.component}: a GAN for ganzoo", "--description"),
        "year": date.today().year,
        "versions": compatible_versions(__version__),
        "game": game,
    }
    made = write(folder / names.distribution, render_template(facts))
    click.echo(f"{made}: a plugin package, with the recipe {names.recipe}")
    if author is None:
        click.echo(
            f'Its author is "{DEFAULT_AUTHOR}", because git has no user.name: write yours in pyproject.toml and '
            "LICENSE, or give --author."
        )
    where = shlex.quote(f"{made if made.is_absolute() else f'./{made}'}[dev]")
    click.echo(
        f"\n  python -m pip install -e {where}\n  ganzoo check {names.distribution}\n  ganzoo run {names.recipe}"
    )


def parse_name(name: str) -> Names:
    """The names derived from `name`. Raises: GanzooError where it is not valid, with what to write instead."""
    words = [word for word in re.split(r"[\s._-]+", name.strip().lower()) if word]
    if words[:1] == [PROJECT]:
        words = words[1:]
    rule = f"A name has letters from a to z, digits, spaces and hyphens, {MAX_NAME_LENGTH} at most"
    bare = "-".join(words)
    if not bare:
        raise GanzooError(f'"{name}" leaves nothing to call a plugin by.', remedy=f"{rule}: my-gan.")
    if not re.fullmatch(r"[a-z0-9-]+", bare) or len(bare) > MAX_NAME_LENGTH:
        plain = unicodedata.normalize("NFKD", bare).encode("ascii", "ignore").decode()
        near = "-".join(re.findall(r"[a-z0-9]+", plain))[:MAX_NAME_LENGTH].strip("-")
        raise GanzooError(f'"{name}" cannot be the name of a package.', remedy=f"{rule}: {near or 'my-gan'}.")
    if bare in RESERVED:
        raise GanzooError(f'"{bare}" means something else in ganzoo.', remedy=f"Take another name: my-{bare}.")
    package = f"{PROJECT}_{bare.replace('-', '_')}"
    return Names(f"{PROJECT}-{bare}", package, bare, f"{bare.replace('-', '_')}_mnist")


def check_available(names: Names) -> None:
    """Raises: GanzooError, naming the owner, where Python, an installed package or a plugin has one of the names."""
    another = f"Take another name: my-{names.component}."
    module = names.component.replace("-", "_")
    if module in sys.stdlib_module_names:
        raise GanzooError(f'"{module}" is a module of Python\'s own.', remedy=another)
    installed = packages_distributions()
    projects = {normalize_name(first_value(read_metadata(found), "name")) for found in distributions()}
    for taken in (names.distribution, names.package, names.component, module):
        if taken in installed or normalize_name(taken) in projects:
            who = ", ".join(sorted(set(installed.get(taken, [taken]))))
            raise GanzooError(f'"{taken}" is installed here already (distribution {who}).', remedy=another)
    for shelf in SHELVES:
        wanted = names.recipe if shelf == "recipe" else names.component
        for entry in zoo().entries(shelf):
            if entry.name == wanted:
                source = f"{entry.distribution} {entry.version}"
                raise GanzooError(f'the {shelf} "{wanted}" is on the shelf already, from {source}.', remedy=another)


def git_author() -> str | None:
    """git's user.name; None without git, or where it is not set."""
    git = shutil.which("git")
    if git is None:
        return None
    asked = subprocess.run([git, "config", "user.name"], capture_output=True, text=True, check=False)  # noqa: S603
    return asked.stdout.strip() or None


def one_line(text: str, option: str) -> str:
    """The text. Raises: GanzooError where it is not one line of printable characters."""
    if not text.isprintable():
        raise GanzooError(f"{option}: {text!r} is not one line of text.", remedy="Write it on one line.")
    return text


def compatible_versions(version: str) -> str:
    """The versions of ganzoo that a plugin written for `version` works with: "0.1.4" -> ">=0.1,<0.2"."""
    major, minor = version.split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}" if major == "0" else f">={major}.{minor},<{int(major) + 1}"


def render_template(facts: dict[str, Any]) -> dict[str, str]:
    """The files of the package: path -> text."""
    import tomlkit
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(PROJECT, "testing/template"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Python and TOML are no HTML
    )
    environment.filters["toml"] = lambda text: tomlkit.string(text).as_string()
    files = {}
    for source in environment.list_templates(extensions=["jinja"]):
        path = source.removesuffix(".jinja").replace("PACKAGE", facts["package"]).replace("RECIPE", facts["recipe"])
        if facts["game"] or Path(path).name not in GAME_ONLY:
            files[path] = environment.get_template(source).render(facts)
    return files


def write(target: Path, files: dict[str, str]) -> Path:
    """Writes all files, or none. Raises: GanzooError where `target` exists, or cannot be created."""
    from ganzoo.datasets.atomic import atomic_folder

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_folder(target) as folder:
            for path, text in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        if target.exists():
            raise GanzooError(f"{target} is there already.", remedy="Remove it, or name another --dir.") from error
        raise GanzooError(
            f"{target} cannot be made: {error.strerror or error}.", remedy="Name another --dir."
        ) from error
    return target
