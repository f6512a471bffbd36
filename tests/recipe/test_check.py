"""A constructor's signature is the schema: what it takes is taken, what it does not take is told in its own words."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen

from ganzoo.errors import PluginError, RecipeError
from ganzoo.recipe import read_recipe
from ganzoo.recipe.check import Checked, check
from ganzoo.recipe.messages import describe_type
from ganzoo.recipe.options import options_of

Shape = tuple[int, ...]


class Network:
    """A constructor with every kind of option that a recipe can hold."""

    def __init__(
        self,
        sample_shape: Shape,
        *,
        latent_dim: int = 100,
        hidden: Annotated[tuple[Annotated[int, Ge(1)], ...], Len(1)] = (256, 512, 1024),
        slope: Annotated[float, Interval(gt=0, le=1)] = 0.2,
        betas: tuple[float, float] = (0.5, 0.999),
        names: Sequence[str] = (),
        mode: Literal["a", "b"] = "a",
        levels: Literal[1, 3] = 1,
        bias: bool = True,
        folder: Path | None = None,
        either: int | str = 0,
        by_name: dict[str, float] | None = None,
        n_classes: int | None = None,
    ) -> None:
        self.given = locals()


def checked(constructor: Callable[..., Any] = Network, shelf: str = "generator", /, **table: Any) -> Checked:
    options = options_of(constructor, shelf=shelf, owner="it")
    return check(table, options, key=("generator",), place=lambda key: "mine.toml:7", owner='generator "mlp"')


def problems_of(constructor: Callable[..., Any] = Network, /, **table: Any) -> str:
    problems = checked(constructor, **table).problems
    assert len(problems) == 1
    return str(problems[0])


def test_the_message_of_the_style_guide() -> None:
    class MLP:
        def __init__(
            self,
            sample_shape: Shape,
            *,
            latent_dim: Annotated[int, Ge(1)] = 100,
            hidden: Annotated[list[Annotated[int, Ge(1)]], Len(1)] = [256, 512, 1024],  # noqa: B006
        ) -> None: ...

    assert problems_of(MLP, latent_dims=3) == (
        'mine.toml:7: generator.latent_dims is not an option of generator "mlp".\n'
        "  Did you mean latent_dim? Options: latent_dim (int, 100), hidden (list of int, [256, 512, 1024])."
    )


def test_defaults_are_taken_and_written_without_what_is_none() -> None:
    found = checked()
    assert not found.problems
    assert found.values["hidden"] == (256, 512, 1024)
    assert found.values["folder"] is None
    assert "sample_shape" not in found.values
    assert "n_classes" not in found.values
    assert found.written["hidden"] == [256, 512, 1024]
    assert "folder" not in found.written


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("hidden", [3, 4], (3, 4)),
        ("slope", 1, 1.0),
        ("betas", [0, 0.5], (0.0, 0.5)),
        ("names", ["x"], ["x"]),
        ("levels", 3, 3),
        ("folder", "a/b", Path("a/b")),
        ("either", "x", "x"),
        ("either", 5, 5),
        ("by_name", {"x": 1}, {"x": 1.0}),
        ("sample_shape", [3, 8, 8], (3, 8, 8)),
        ("n_classes", 7, 7),
        ("bias", False, False),
        ("latent_dim", -(2**63) + 1, -(2**63) + 1),
    ],
)
def test_what_a_type_takes(name: str, given: Any, taken: Any) -> None:
    found = checked(**{name: given})
    assert not found.problems
    assert found.values[name] == taken
    assert type(found.values[name]) is type(taken)
    assert checked(**{name: found.written[name]}).values == found.values


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("latent_dim", "3", 'should be int; found "3" (text).\n  Write latent_dim = 3.'),
        ("latent_dim", True, "should be int; found true.\n  The default is 100."),
        ("latent_dim", 3.0, "should be int; found 3.0 (float).\n  Write latent_dim = 3."),
        ("latent_dim", 3.5, "should be int; found 3.5 (float).\n  The default is 100."),
        ("latent_dim", 2**64, "should be int; found a number beyond TOML's 64 bits.\n  The default is 100."),
        ("hidden", [1, 0], "should be list of int, each at least 1, not empty; found 0 (int) at hidden[1]."),
        ("hidden", [], "should be list of int, each at least 1, not empty; found []."),
        ("hidden", 3, "should be list of int, each at least 1, not empty; found 3 (int).\n  Write hidden = [3]."),
        ("slope", 0, "should be float, above 0, at most 1; found 0 (int).\n  The default is 0.2."),
        ("slope", float("nan"), "should be float, above 0, at most 1; found nan (float)."),
        ("betas", [0.5], "should be list of 2 float; found [0.5].\n  The default is [0.5, 0.999]."),
        ("betas", [0.5, 0.5, 0.5], "should be list of 2 float; found [0.5, 0.5, 0.5]."),
        ("mode", "c", 'should be "a" or "b"; found "c" (text).'),
        ("mode", 1, 'should be "a" or "b"; found 1 (int).\n  The default is "a".'),
        ("levels", 2, "should be 1 or 3; found 2 (int).\n  The default is 1."),
        ("levels", True, "should be 1 or 3; found true.\n  The default is 1."),
        ("bias", 1, "should be bool; found 1 (int).\n  The default is true."),
        ("bias", "true", 'should be bool; found "true" (text).\n  Write bias = true.'),
        ("folder", 3, 'should be path; found 3 (int).\n  Write folder = "3".'),
        ("either", 1.5, "should be int or text; found 1.5 (float)."),
        ("by_name", {"x": "y"}, 'should be table of float; found "y" (text) at by_name.x.'),
        ("names", "x", 'should be list of text; found "x" (text).\n  Write names = ["x"].'),
    ],
)
def test_what_a_type_does_not_take(name: str, given: Any, said: str) -> None:
    assert problems_of(**{name: given}).startswith(f"mine.toml:7: generator.{name} {said}")


def test_an_option_without_a_default_must_be_given() -> None:
    class Folder:
        def __init__(self, *, path: str, size: Annotated[int, Gt(0)]) -> None: ...

    assert [str(problem) for problem in checked(Folder).problems] == [
        'mine.toml:7: generator "mlp" needs generator.path (text).\n  Write path = ... in [generator].',
        'mine.toml:7: generator "mlp" needs generator.size (int, above 0).\n  Write size = ... in [generator].',
    ]


def test_a_constructor_without_options_says_so() -> None:
    class Plain:
        pass

    assert problems_of(Plain, x=1).endswith('generator.x is not an option of generator "mlp".\n  It has no options.')


def test_options_are_inherited_with_the_constructor() -> None:
    class Child(Network):
        pass

    assert list(options_of(Child)) == list(options_of(Network))


def test_what_the_engine_gives_first_is_no_option() -> None:
    def optimizer(params: Any, *, lr: float = 0.1) -> None: ...

    class Game:
        def __init__(self, parts: Any, n_critic: int = 1, **more: Any) -> None: ...

    assert list(options_of(optimizer, shelf="optimizer")) == ["lr"]
    assert list(options_of(Game, shelf="game")) == ["n_critic"]


class Unknown:
    pass


def untyped(*, width=3): ...  # type: ignore[no-untyped-def]
def unheard(*, width: Unknown): ...  # type: ignore[no-untyped-def]
def missing(*, width: Nonesuch = 3): ...  # type: ignore[name-defined,no-untyped-def]  # noqa: F821
def positional(width: int, /): ...  # type: ignore[no-untyped-def]
def unwritable(*, width: Any = Unknown()): ...  # type: ignore[no-untyped-def]  # noqa: B008
def unfit(*, width: Annotated[str, Ge(1)] = "a"): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize("constructor", [untyped, unheard, missing, positional, unwritable])
def test_a_constructor_that_no_recipe_can_call_is_its_plugins_fault(constructor: Callable[..., Any]) -> None:
    with pytest.raises(PluginError, match=r"^mlp of plug 1: .*\b(width|Nonesuch)\b"):
        check({}, options_of(constructor, owner="mlp of plug 1"), key=("x",), place=str, owner="mlp of plug 1")


def test_a_constraint_that_does_not_go_with_its_type_is_its_plugins_fault() -> None:
    with pytest.raises(PluginError, match="`width`"):
        check({"width": "b"}, options_of(unfit), key=("x",), place=str, owner="mlp of plug 1")


def test_a_game_that_does_not_take_its_parts_is_its_plugins_fault() -> None:
    def game(*, n_critic: int = 1) -> None: ...

    with pytest.raises(PluginError, match="must take `parts` first"):
        options_of(game, shelf="game", owner="it")


class Colour(Enum):
    red = "red"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "int"),
        (str, "text"),
        (Path, "path"),
        (bool, "bool"),
        (float | None, "float"),
        (int | str, "int or text"),
        (list[int], "list of int"),
        (tuple[int, int], "list of 2 int"),
        (tuple[int, str], "list of 2 (int; text)"),
        (Sequence[Annotated[int, Ge(2)]], "list of int, each at least 2"),
        (dict[str, int], "table of int"),
        (dict, "table"),
        (Literal["x", 3, True], '"x", 3 or true'),
        (Annotated[int, Ge(1), Le(2000)], "int, at least 1, at most 2,000"),
        (Annotated[int, Interval(ge=0, lt=2**63)], "int, at least 0, below 2^63"),
        (Annotated[float, Lt(1.5)], "float, below 1.5"),
        (Annotated[str, MinLen(1), MaxLen(9)], "text, not empty, 9 of them at most"),
        (Annotated[list[int], Len(2)], "list of int, 2 or more of them"),
        (Colour, "Colour"),
    ],
)
def test_types_in_words(annotation: Any, words: str) -> None:
    assert describe_type(annotation) == words


def test_a_path_that_is_not_utf_8_is_refused_with_a_way_round_that_works(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/pi\xe9cs"))
    folder.mkdir()
    with pytest.raises(RecipeError, match=r"found text that is not Unicode\.\n  A recipe's file holds UTF-8 only\."):
        read_recipe("dcgan_folder", overrides=[f"dataset.path={folder}"])
    (tmp_path / "link").symlink_to(folder)
    assert read_recipe("dcgan_folder", overrides=[f"dataset.path={tmp_path / 'link'}"])
