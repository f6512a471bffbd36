"""`ganzoo show`: a thing, a plugin, a recipe, each with whose work it is."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganzoo.cli import exit_status
from ganzoo.cli.show import print_pretty
from ganzoo.plugins import zoo

Captured = pytest.CaptureFixture[str]

SOURCE = """
from ganzoo import Component, hookimpl

class Tilted:
    \"\"\"A loss that leans to one side.\"\"\"

    def __init__(self, *, lean: float = 0.5) -> None: ...

@hookimpl
def ganzoo_components():
    return [
        Component("loss", "tilted", "shown_plugin:Tilted", "leans to one side", "arXiv:0000.00002"),
        Component("regularizer", "tilted", "shown_plugin:Tilted", "leans as well"),
    ]
"""

METADATA = """Metadata-Version: 2.4
Name: Shown-Gan
Version: 1.4
Summary: Losses that lean
Author-email: Ada Alpha <ada@example.org>
License-Expression: Apache-2.0
Project-URL: Issues, https://example.org/issues
Project-URL: Homepage, https://example.org/shown
"""


@pytest.fixture(autouse=True)
def fresh_zoo() -> Iterator[None]:
    zoo.cache_clear()
    yield
    zoo.cache_clear()


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with metadata as a modern build backend writes them, and a broken one beside it."""
    for name, source in (("shown_plugin", SOURCE), ("shown_broken", "1 / 0")):
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA if name == "shown_plugin" else METADATA.replace("Shown-Gan", name))
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


def shown(name: str, capsys: Captured) -> dict[str, Any]:
    assert exit_status(["show", name, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("name", ["shown_plugin", "shown-gan", "Shown_Gan"])
def test_a_plugin_goes_by_its_name_and_its_distributions(name: str, capsys: Captured) -> None:
    facts = shown(name, capsys)
    assert facts["components"] == []
    assert facts["plugins"] == [
        {
            "name": "shown_plugin",
            "summary": "Losses that lean",
            "status": "ok",
            "cause": "",
            "distribution": "Shown-Gan",
            "version": "1.4",
            "author": "Ada Alpha",
            "homepage": "https://example.org/shown",
            "licence": "Apache-2.0",
            "components": [
                {"shelf": "loss", "name": "tilted", "summary": "leans to one side", "paper": "arXiv:0000.00002"},
                {"shelf": "regularizer", "name": "tilted", "summary": "leans as well", "paper": ""},
            ],
        }
    ]


@pytest.mark.usefixtures("stranger")
def test_a_thing_credits_author_distribution_version_and_paper(capsys: Captured) -> None:
    facts = shown("tilted", capsys)
    assert [thing["shelf"] for thing in facts["components"]] == ["loss", "regularizer"]
    thing = facts["components"][0]
    assert {name: thing[name] for name in ("author", "distribution", "version", "paper")} == {
        "author": "Ada Alpha",
        "distribution": "Shown-Gan",
        "version": "1.4",
        "paper": "arXiv:0000.00002",
    }
    assert [(option["name"], option["type"], option["default"]) for option in thing["options"]] == [
        ("lean", "float", 0.5)
    ]


@pytest.mark.usefixtures("stranger")
def test_a_broken_plugin_is_shown_with_its_cause(capsys: Captured) -> None:
    [plugin] = shown("shown_broken", capsys)["plugins"]
    assert (plugin["status"], plugin["author"], plugin["components"]) == ("broken", "Ada Alpha", [])
    assert "division by zero" in plugin["cause"]


@pytest.mark.usefixtures("stranger")
def test_people_and_pipes_read_the_same_credits(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    facts = shown("shown-gan", capsys)
    print_pretty(facts)
    pretty = capsys.readouterr().out
    assert exit_status(["show", "shown-gan"]) == 0
    plain = capsys.readouterr().out
    for said in ("Shown-Gan", "1.4", "Ada Alpha", "Apache-2.0", "https://example.org/shown", "leans to one side"):
        assert said in pretty
        assert said in plain
    assert exit_status(["show", "hinge"]) == 0
    assert "author: The ganzoo developers\ndistribution: ganzoo\n" in capsys.readouterr().out


def test_a_name_of_nothing_names_the_nearest_plugin_too(capsys: Captured) -> None:
    assert exit_status(["show", "ganzoo_vanila"]) == 2
    said = capsys.readouterr().err
    assert "no such plugin" in said
    assert "Did you mean ganzoo_vanilla?" in said


def test_a_recipes_values_say_where_they_are_from(capsys: Captured) -> None:
    assert exit_status(["show", "vanilla_mnist", "--set", "generator.latent_dim=7", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["recipe"]["values"]
    assert values["generator.latent_dim"] == {"value": 7, "from": "--set generator.latent_dim=7"}
    assert "vanilla_mnist.toml" in values["generator.hidden"]["from"]
    assert values["game.n_critic"]["value"] == 1


def test_set_is_for_recipes_only(capsys: Captured) -> None:
    assert exit_status(["show", "ganzoo_vanilla", "--set", "a=1"]) == 2
    assert "--set is for recipes" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ganzoo_vanilla", "hinge"])
def test_a_data_root_is_for_recipes_only(name: str, capsys: Captured) -> None:
    assert exit_status(["show", name, "--data-root", "data"]) == 2
    assert "--data-root is for recipes" in capsys.readouterr().err


PLANNED = """
from torch import nn
from ganzoo import Component, Discriminator, hookimpl

class Planned(Discriminator):
    \"\"\"Says what it does with its samples.\"\"\"

    def __init__(self, sample_shape: tuple[int, ...], *, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(sample_shape[0], 1))

    def forward(self, samples):
        return self.network(samples).squeeze(1)

    def plan(self) -> str:
        if self.broken:
            raise RuntimeError("no idea")
        return "points ->\\n  one score"

@hookimpl
def ganzoo_components():
    return [Component("discriminator", "planned", "shown_plans:Planned", "says what it does", "")]
"""

RECIPE = """
description = "A recipe whose networks are shown"
extends = "wgan_gp_gaussians"

[discriminator]
name = "planned"
"""


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with a plugin's discriminator that has a plan."""
    (tmp_path / "shown_plans.py").write_text(PLANNED)
    info = tmp_path / "shown_plans-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA.replace("Shown-Gan", "shown_plans"))
    (info / "entry_points.txt").write_text("[ganzoo]\nshown_plans = shown_plans\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    recipe = tmp_path / "planned.toml"
    recipe.write_text(RECIPE)
    return recipe


def test_any_plugins_network_may_say_its_plan(planned: Path, capsys: Captured) -> None:
    networks = shown(str(planned), capsys)["recipe"]["networks"]
    assert (networks["dataset"], networks["sample_shape"], networks["unknown"]) == ("gaussians", [2], "")
    generator, discriminator = networks["built"]
    assert (generator["table"], generator["name"], generator["plan"]) == ("generator", "mlp", "")
    assert generator["parameters"] > 0
    assert discriminator == {
        "table": "discriminator",
        "name": "planned",
        "sample_shape": [2],
        "parameters": 3,
        "plan": "points -> one score",
    }


def test_a_plan_that_fails_does_not_keep_the_recipe_from_being_shown(planned: Path, capsys: Captured) -> None:
    assert exit_status(["show", str(planned), "--set", "discriminator.broken=true"]) == 0
    said = capsys.readouterr().out
    assert "#   plan  unknown: plan() fails: no idea" in said
    assert "discriminator.broken = true" in said


def folder_of_images(path: Path, width: int, height: int) -> Path:
    path.mkdir()
    for number in range(4):
        Image.new("RGB", (width, height), (number, 0, 0)).save(path / f"{number}.png")
    return path


def test_the_plan_follows_the_size_of_the_images_in_a_folder(tmp_path: Path, capsys: Captured) -> None:
    folder = folder_of_images(tmp_path / "wide", width=53, height=37)
    arguments = ["show", "dcgan_folder", "--set", f"dataset.path={folder}", "--set", "dataset.size=[37, 53]"]
    assert exit_status(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-5] == "# networks for image-folder, sample shape 3x37x53"
    assert said[-4].startswith("# generator dcgan: ")
    assert said[-4].endswith(" parameters")
    assert said[-3] == "#   plan  latents -> 5x7 -> 10x14 -> 19x27 -> 37x53"
    assert said[-1] == "#   plan  37x53 -> 19x27 -> 10x14 -> 5x7 -> score"


def test_people_and_pipes_read_the_same_plan(capsys: Captured) -> None:
    facts = shown("dcgan_mnist", capsys)
    print_pretty(facts)
    assert "plan  latents -> 7x7 -> 14x14 -> 28x28" in capsys.readouterr().out
    assert facts["recipe"]["networks"]["built"][0]["plan"] == "latents -> 7x7 -> 14x14 -> 28x28"


def test_a_recipe_whose_data_are_not_here_is_shown_with_the_reason(tmp_path: Path, capsys: Captured) -> None:
    root = ["--data-root", str(tmp_path)]
    assert exit_status(["show", "dcgan_folder", "--set", "dataset.path=wide", *root]) == 0
    said = capsys.readouterr().out
    assert "train.steps = 10000" in said
    assert "# networks for image-folder, sample shape unknown" in said
    assert f"# not built: image-folder: there is no folder wide, neither here nor under {tmp_path}." in said
    folder_of_images(tmp_path / "wide", width=60, height=40)
    assert exit_status(["show", "dcgan_folder", "--set", "dataset.path=wide", *root]) == 0
    assert "# networks for image-folder, sample shape 3x64x64" in capsys.readouterr().out


def test_networks_that_cannot_be_built_are_told_with_a_remedy_that_works(tmp_path: Path, capsys: Captured) -> None:
    folder = folder_of_images(tmp_path / "small", width=6, height=6)
    recipe = ["show", "dcgan_folder", "--set", f"dataset.path={folder}"]
    assert exit_status([*recipe, "--set", "dataset.size=6"]) == 0
    said = capsys.readouterr().out
    assert 'not built: generator "dcgan" cannot be built: it takes images' in said
    assert "scaled up by dataset.size = 64" in said
    assert exit_status([*recipe, "--set", "dataset.size=64"]) == 0
    assert "# generator dcgan: " in capsys.readouterr().out


def test_what_needs_no_recipe_imports_no_torch_for_its_plan(tmp_path: Path) -> None:
    code = "import sys; from ganzoo.cli import exit_status; exit_status(['show', 'ganzoo_dcgan'])"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    "name", ["n" * 5_000, "n" * 5_000 + ".toml", "fifo", "fifo.toml", "/dev/zero", "loop.toml", "."]
)
def test_a_name_that_is_of_no_recipe_ends_in_a_message(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for pipe in ("fifo", "fifo.toml"):
        os.mkfifo(pipe)
    Path("loop.toml").symlink_to("loop.toml")
    assert exit_status(["show", name]) == 2
    assert name[:1_000] in capsys.readouterr().err  # of a very long one the beginning is shown
