"""The rehearsal gives a game the batches that training gives: the keys that it needs, and no others."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import RecipeError

Install = Callable[[str, str], None]

PLUGIN = '''
import torch
from ganzoo import Component, Dataset, DatasetInfo, Examples, Field, TwoPlayer, hookimpl


@hookimpl
def ganzoo_components():
    return [Component("game", "reader", "reading:Reader"), Component("dataset", "measured", "reading:Measured")]


SEEN = []


class Measured(Dataset):
    """Points with a whole number, a vector and a mask each, stored in three dtypes."""

    def info(self, root):
        return DatasetInfo(
            fields={
                "real": Field((2,), "float32"),
                "age": Field((), "int64", "condition"),
                "pose": Field((3,), "float64", "condition"),
                "where": Field((2,), "uint8", "mask"),
                "label": Field.label(("one", "other")),
            },
            size=40,
            kind="point",
        )

    def load(self, root, split="train"):
        tensors = {
            "real": torch.linspace(-1, 1, 80).view(40, 2),
            "age": torch.arange(40),
            "pose": torch.ones(40, 3, dtype=torch.float64),
            "where": torch.ones(40, 2, dtype=torch.uint8),
            "label": torch.arange(40) % 2,
        }
        return Examples(tensors=tensors, checksum="sha256:measured", origin="a test")


class Reader(TwoPlayer):
    """needs, conditions: as a game says them; reads: what it reads in truth; shows: in its preview; asks: by `get`."""

    def __init__(
        self,
        parts,
        *,
        needs: tuple[str, ...] = ("real",),
        conditions: tuple[str, ...] = (),
        reads: str = "real",
        shows: str = "real",
        asks: str = "",
    ) -> None:
        super().__init__(parts)
        self.needs, self.conditions, self.reads, self.shows, self.asks = needs, conditions, reads, shows, asks

    def play(self, draw):
        def look():
            batch = draw()
            SEEN.append({key: (value.dtype, tuple(value.shape)) for key, value in batch.items()})
            SEEN[-1]["asked"] = (self.asks in batch, batch.get(self.asks) is None)
            batch[self.reads]
            return batch

        yield from super().play(look)

    def preview(self, batch):
        batch[self.shows]
        return super().preview(batch)
'''

EVERYTHING = ("real", "age", "pose", "where", "label")


@pytest.fixture
def recipe(tmp_path: Path, install_plugin: Install, small_recipe: Callable[[Path, str], Path]) -> Path:
    install_plugin("reading", PLUGIN)
    return small_recipe(tmp_path / "keys.toml", '[game]\nname = "reader"\n[train]\nsteps = 2\nbatch_size = 8\n')


def train(recipe: Path, dataset: str = "measured", **options: object) -> ganzoo.Run:
    named = {f"game__{name}": value for name, value in options.items()}
    return ganzoo.train(
        recipe,
        out=recipe.parent / "run",
        device="cpu",
        quiet=True,
        dataset={"name": dataset},
        **named,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "needs", [["real"], ["real", "label"], ["label", "real", "pose"], list(EVERYTHING)], ids=lambda keys: "-".join(keys)
)
def test_keys_shapes_and_dtypes_are_the_same_in_rehearsal_and_training(recipe: Path, needs: list[str]) -> None:
    train(recipe, needs=needs, asks="label")
    rehearsed, *trained = importlib.import_module("reading").SEEN
    assert list(rehearsed) == [*needs, "asked"]
    assert trained == [rehearsed] * 2
    assert rehearsed["asked"] == ("label" in needs, "label" not in needs)


@pytest.mark.parametrize("where", ["reads", "shows"])
def test_a_key_that_is_read_and_not_declared_is_named_before_training(recipe: Path, where: str) -> None:
    """The data give it: it was read in the rehearsal, and missing at step 0."""
    with pytest.raises(RecipeError, match=r'the game "reader" reads "label" of a batch, and needs only real') as caught:
        train(recipe, **{where: "label"})
    assert 'needs = ("label", ...)' in str(caught.value)
    assert not (recipe.parent / "run").exists()


@pytest.mark.parametrize("where", ["needs", "conditions"])
def test_a_key_that_the_data_do_not_give_is_named_before_training(recipe: Path, where: str) -> None:
    asked = {"needs": ["real", "caption"]} if where == "needs" else {"conditions": ["caption"]}
    with pytest.raises(RecipeError, match=r'the game "reader" needs "caption" of each sample, and dataset') as caught:
        train(recipe, **asked)
    assert "gives real and age and pose and where and label" in str(caught.value)
    assert not (recipe.parent / "run").exists()


def test_a_game_that_samples_by_what_it_does_not_train_on_is_rehearsed_with_it(recipe: Path) -> None:
    run = train(recipe, conditions=["label"])
    assert run.sample(2, label="other").shape == (2, 2)
