"""Every generator plays against every discriminator, under every loss, on every kind of data: what fits, plays.

The shelves say what there is, so that a plugin which comes later is mixed with the others by being installed. Left out
are networks that only another game than the two-player one can feed: translators, and those that want labels.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache
from itertools import cycle, product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.core.data import DatasetInfo
from ganzoo.core.interfaces import Discriminator, Generator
from ganzoo.core.loop import Means, Player, play_round
from ganzoo.errors import RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.parts import build, build_game

DATA = {
    "points": "name = 'gaussians'",
    "28x28 grey": "name = 'glyphs'",
    "32x32 colour": "name = 'glyphs'\nsize = 32\nchannels = 3",
    "64x64 colour": "name = 'glyphs'\nsize = 64\nchannels = 3",
}

TINY = {"latent_dim": 3, "width": 2, "hidden": [4]}
"""What options of these names are set to: the product has hundreds of games in it."""

BATCH = 3


def networks(shelf: str, interface: type[nn.Module]) -> list[Entry]:
    """Those on a shelf that the two-player game can feed: forward takes latents, or samples, and nothing else."""
    found = []
    for entry in zoo().entries(shelf):
        kind = zoo().resolve(entry)
        needed = [p for p in inspect.signature(kind.forward).parameters.values() if p.default is p.empty]
        if issubclass(kind, interface) and len(needed) == 2:  # self, and what it is given
            found.append(entry)
    return found


GENERATORS = networks("generator", Generator)
DISCRIMINATORS = networks("discriminator", Discriminator)
LOSSES = zoo().entries("loss")

every_generator = pytest.mark.parametrize("generator", GENERATORS, ids=lambda entry: entry.name)
every_discriminator = pytest.mark.parametrize("discriminator", DISCRIMINATORS, ids=lambda entry: entry.name)
every_kind = pytest.mark.parametrize("kind", DATA)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def options(entry: Entry) -> str:
    """The lines of a component's table in a recipe: its name, and small sizes where it has such options."""
    taken = inspect.signature(zoo().resolve(entry)).parameters
    return "\n".join(
        [f'name = "{zoo().qualified_name(entry)}"', *(f"{k} = {v}" for k, v in TINY.items() if k in taken)]
    )


def mix(folder: Path, generator: Entry, discriminator: Entry, loss: Entry, kind: str) -> Recipe:
    path = folder / "mix.toml"
    tables = {"generator": generator, "discriminator": discriminator, "loss": loss}
    text = "".join(f"[{table}]\n{options(entry)}\n" for table, entry in tables.items())
    text += "".join(f"[optimizer.{player}]\nname = 'adam'\n" for player in ("generator", "discriminator"))
    path.write_text(f"{text}[dataset]\n{DATA[kind]}\n[train]\nsteps = 1\nbatch_size = {BATCH}\n")
    return read_recipe(path)


@cache
def info(kind: str) -> DatasetInfo:
    table = dict(line.split(" = ") for line in DATA[kind].splitlines())
    dataset = zoo().load("dataset", table.pop("name").strip("'"))
    made: DatasetInfo = dataset(**{name: int(value) for name, value in table.items()}).info(Path())
    return made


@cache
def fits(entry: Entry, kind: str) -> bool:
    """Whether a network by itself makes, or takes, samples of that kind."""
    shape = info(kind).sample_shape
    constructor = zoo().resolve(entry)
    taken = inspect.signature(constructor).parameters
    chosen = {name: value for name, value in TINY.items() if name in taken}
    filled = {"sample_shape": shape} if "sample_shape" in taken else {}
    try:
        with torch.device("meta"):
            network = constructor(**filled, **chosen)
            if isinstance(network, Generator):
                return tuple(network(torch.empty(BATCH, network.latent_dim)).shape) == (BATCH, *shape)
            return len(network(torch.empty(BATCH, *shape))) == BATCH
    except (ganzoo.OptionError, RuntimeError):
        return False


def test_networks_fit_the_data_that_their_pages_say() -> None:
    everything, images = set(DATA), set(DATA) - {"points"}
    made = {entry.name: {kind for kind in DATA if fits(entry, kind)} for entry in GENERATORS}
    taken = {entry.name: {kind for kind in DATA if fits(entry, kind)} for entry in DISCRIMINATORS}
    assert made.items() >= {"mlp": everything, "dcgan": images}.items()
    assert taken.items() >= {"mlp": everything, "dcgan": images, "wgan": images}.items()
    assert all([*made.values(), *taken.values()])  # one that fits nothing would make the tests below pass


@every_kind
@every_discriminator
@every_generator
def test_what_fits_can_be_rehearsed_and_a_misfit_names_both_shapes(
    generator: Entry, discriminator: Entry, kind: str, folder: Path
) -> None:
    recipe = mix(folder, generator, discriminator, LOSSES[0], kind)
    if fits(generator, kind) and fits(discriminator, kind):
        for loss in LOSSES:
            chosen = replace(recipe, loss=Choice("loss", loss, {}))
            assert set(dry_run(chosen, info(kind)).players) == {"generator", "discriminator"}
        return
    with pytest.raises(RecipeError) as caught:
        dry_run(recipe, info(kind))
    for problem in caught.value.problems:
        assert problem.what.startswith(("generator", "discriminator"))
        assert str(info(kind).sample_shape) in problem.what  # what the data hold,
        assert problem.what.count("(") > 1  # and what the network makes or takes


def covering() -> list[tuple[Entry, Entry, Entry, str]]:
    """Every pair of networks on each kind of data that both fit, the losses taking turns."""
    pairs = product(GENERATORS, DISCRIMINATORS, DATA)
    fitting = [(g, d, kind) for g, d, kind in pairs if fits(g, kind) and fits(d, kind)]
    return [(g, d, loss, kind) for (g, d, kind), loss in zip(fitting, cycle(LOSSES), strict=False)]


def test_the_steps_below_cover_every_pair_every_loss_and_every_kind_of_data() -> None:
    mixes = covering()
    assert {(g.name, d.name) for g, d, _, _ in mixes} == {(g.name, d.name) for g in GENERATORS for d in DISCRIMINATORS}
    assert {loss.name for _, _, loss, _ in mixes} == {entry.name for entry in LOSSES}
    assert {kind for *_, kind in mixes} == set(DATA)


@pytest.mark.parametrize(
    ("generator", "discriminator", "loss", "kind"),
    covering(),
    ids=lambda value: value.name if isinstance(value, Entry) else value,
)
def test_a_step_moves_both_players(
    generator: Entry, discriminator: Entry, loss: Entry, kind: str, folder: Path
) -> None:
    torch.manual_seed(0)
    recipe = mix(folder, generator, discriminator, loss, kind)
    game = build_game(recipe, info(kind))
    players = {
        name: Player(module, build(recipe.optimizers[name], list(module.parameters())))
        for name, module in game.players().items()
    }
    before = {name: copies(player.module) for name, player in players.items()}
    means = Means()
    real = {"real": torch.rand(BATCH, *info(kind).sample_shape) * 2 - 1}
    play_round(game, lambda: real, players, means, torch.autocast("cpu", enabled=False))
    assert {"loss/generator", "loss/discriminator", "d_real", "d_fake"} <= means.read().keys()
    assert all(torch.tensor(value).isfinite() for value in means.read().values())
    for name, player in players.items():
        after = copies(player.module)
        assert all(tensor.isfinite().all() for tensor in after)
        moved = [not torch.equal(old, new) for old, new in zip(before[name], after, strict=True)]
        assert sum(moved) > len(moved) / 2  # a bias before a norm, or a shift of all scores, may stand still
    assert game.sample(2).shape == (2, *info(kind).sample_shape)


def copies(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_a_misfit_is_told_before_any_training(folder: Path) -> None:
    text = (
        'extends = "vanilla_mnist"\n[generator]\nname = "dcgan"\n[dataset]\nname = "gaussians"\n'
        "[train]\nsteps = 1\nbatch_size = 3\n"
    )
    (folder / "mine.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(folder / "mine.toml", out=folder / "run", quiet=True)
    [problem] = caught.value.problems
    assert problem.where == f"{folder}/mine.toml:2"
    assert problem.what.startswith('generator "dcgan" cannot be built: it takes images (channels, height, width)')
    assert problem.what.endswith("and the data hold (2,).")
    assert not (folder / "run").exists()
