"""Published results for a card, read from TOML: numbers, sources, and why ours differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Len

from ganzoo.errors import Problem, RecipeError
from ganzoo.recipe.check import check
from ganzoo.recipe.messages import describe_value
from ganzoo.recipe.options import options_of
from ganzoo.recipe.source import Source, is_tables, read_file

Text = Annotated[str, Len(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number from a paper. score: its name in ganzoo ("fid"); spread: as the paper gives it, such as over seeds.

    protocol: how it was measured, as text; source: paper and table ("arXiv:1711.10337, Table 2").
    """

    score: Text
    value: float
    protocol: Text
    source: Text
    spread: Annotated[float, Ge(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperResults:
    """One table of a TOML file about papers, named after a recipe.

    paper: of the model, if it differs from that of the components; why: the reason why our numbers differ from the
    published ones; published: these numbers.
    """

    paper: str = ""
    why: str = ""
    published: tuple[Published, ...] = ()


NO_PAPER_RESULTS = PaperResults()

HEAD = {name: option for name, option in options_of(PaperResults).items() if name != "published"}
NUMBER = options_of(Published)


def read_paper_results(path: Path, recipe: str) -> PaperResults:
    """Reads the table of a recipe from a TOML file about papers; empty if there is none. The whole file is checked.

    Raises: RecipeError with all problems, such as a number without source or protocol, or numbers without `why`.
    """
    source = read_file(path)
    problems: list[Problem] = []
    tables = {name: _table(source, name, value, problems) for name, value in source.values.items()}
    if problems:
        raise RecipeError(problems)
    return tables.get(recipe, NO_PAPER_RESULTS)


def _table(source: Source, name: str, value: Any, problems: list[Problem]) -> PaperResults:
    """Checks one recipe's table; problems are added to `problems`."""
    if not isinstance(value, dict):
        what = f"{name} should be a table, named after a recipe; found {describe_value(value)}."
        problems.append(Problem(source.place((name,)), what, f"Write [RECIPE] above it, such as [{name}]."))
        return NO_PAPER_RESULTS
    owner = f"the card of {name}"
    head = check(
        {key: one for key, one in value.items() if key != "published"},
        HEAD,
        key=(name,),
        place=source.place,
        owner=owner,
    )
    problems += head.problems
    numbers = value.get("published", [])
    if numbers and not is_tables(numbers):
        what = f"{name}.published should be an array of tables; found {describe_value(numbers)}."
        problems.append(Problem(source.place((name, "published")), what, f"Write [[{name}.published]]."))
        return NO_PAPER_RESULTS
    published = []
    for number, table in enumerate(numbers):
        checked = check(table, NUMBER, key=(name, "published", number), place=source.place, owner="a published number")
        problems += checked.problems
        published += [] if checked.problems else [Published(**checked.values)]
    if numbers and not head.values.get("why", "").strip():
        what = f"{name}.why is missing: numbers are published, and nothing says why ours are others."
        problems.append(Problem(source.place((name, "published")), what, f'Write why = "..." in [{name}].'))
    return NO_PAPER_RESULTS if head.problems else PaperResults(**head.values, published=tuple(published))
