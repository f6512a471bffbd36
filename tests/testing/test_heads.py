"""Networks with several outputs: honest ones keep the contracts, and what nothing trains is still found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.testing import Failure, NotChecked, checks_of

Install = Callable[..., str]


def outcomes(plugin: str) -> dict[str, Exception | None]:
    """How every check ended, the slow one left out."""
    return {str(check): check.outcome() for check in checks_of(plugin) if "imports no torch" not in str(check)}


def test_heads_scales_and_several_tensors_keep_the_contracts(install: Install) -> None:
    ended = outcomes(install("manyheads", source="hydra"))
    assert {name: str(outcome) for name, outcome in ended.items() if isinstance(outcome, Failure)} == {}
    for check in ("generator labelled", "discriminator two-heads", "discriminator side-head", "discriminator scales"):
        assert ended[f"{check}: uses every parameter"] is None
    assert isinstance(ended["generator masked: keeps in range"], NotChecked)
    assert ended["recipe classes_by_a_method: resumes exactly"] is None


def test_networks_are_tried_with_the_data_of_their_own_recipes(install: Install) -> None:
    names = [name for name in outcomes(install("tried", source="hydra")) if "labelled: shapes at" in name]
    assert names[:2] == [
        "generator labelled: shapes at 1x12x12 of classes_by_a_method",
        "generator labelled: shapes at 1x12x12 of classes_by_two_heads",
    ]
    assert "generator labelled: shapes at 3x64x64" in names  # images of other sizes are made, or refused


def test_a_head_that_no_game_trains_is_found(install: Install) -> None:
    change = ("games", "told = cross_entropy(real_classes, label) + cross_entropy(fake_classes, label)", "told = 0")
    deaf = ("games", "self.loss.generator(scores) + cross_entropy(classes, label)", "self.loss.generator(scores)")
    ended = outcomes(install("deaf", change, deaf, source="hydra"))
    failed = {name: str(outcome) for name, outcome in ended.items() if isinstance(outcome, Failure)}
    assert "no gradient reaches classes.weight" in failed["discriminator side-head: uses every parameter"]


@pytest.mark.parametrize("recipe", ["classes_by_two_heads", "classes_by_a_method", "layers"])
def test_they_train_and_are_sampled(install: Install, recipe: str, tmp_path: Path) -> None:
    install("trained", source="hydra")
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    assert run.status == "finished"
    wanted = {"label": "across"} if recipe != "layers" else {}
    assert tuple(run.sample(4, **wanted).shape) == (4, 1, 12, 12)
