"""A recipe says what runs: values, defaults and where each is from; parents, --set and flags on top."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganzoo.errors import RecipeError
from ganzoo.plugins import zoo
from ganzoo.recipe import differences, read_recipe, recipe_toml
from ganzoo.recipe.model import Recipe

SMALL = """
[generator]
name = "mlp"
latent_dim = 8

[discriminator]
name = "mlp"

[loss]
name = "non-saturating"

[dataset]
name = "mnist"

[optimizer.generator]
name = "adam"

[optimizer.discriminator]
name = "adam"

[train]
epochs = 2
"""

FULL = """\
description = "Every table there is: \\"quoted\\", ünïcödé"

[game]
name = "two-player"
n_critic = 2

[generator]
name = "mlp"
latent_dim = 16
hidden = [32, 64]
output = "none"

[discriminator]
name = "mlp"
hidden = [64]

[loss]
name = "non-saturating"
label_smoothing = 0.1

[[regularizer]]
name = "gradient-penalty"
weight = 5.0
one_sided = true
every = 2

[[regularizer]]
name = "r1"
weight = 0.5

[dataset]
name = "glyphs"
size = 32
channels = 3
fallback = { name = "glyphs", size = 32, channels = 3 }

[optimizer.generator]
name = "adam"
lr = 2e-4
betas = [0.5, 0.999]
eps = 1e-8

[optimizer.discriminator]
name = "rmsprop"
lr = 5e-5
centered = true

[schedule.generator]
name = "linear-decay"
start = 0.25

[ema]
decay = 0.99
players = ["generator"]
every = 2

[train]
steps = 20
batch_size = 8
seed = 3
precision = "bf16"
log_every = 5
sample_every = 10
samples = 16
checkpoint_every = 10
keep = 2

[train.stop]
seconds = 60.0
metric = "loss/generator"
patience = 20
direction = "up"
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def told(path: Path, **more: object) -> list[str]:
    """What is wrong with a recipe, its folder left out."""
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, **more)  # type: ignore[arg-type]
    assert caught.value.exit_status == 2
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_the_shipped_recipe_says_what_runs(recipes: Path) -> None:
    recipe = read_recipe(recipes / "vanilla_mnist.toml")
    assert recipe.name == "vanilla_mnist"
    assert recipe.generator is not None
    assert recipe.generator.entry.distribution == "ganzoo-vanilla"
    assert recipe.generator.options["latent_dim"] == 100
    assert recipe.generator.options["hidden"] == (256, 512, 1024)
    assert recipe.generator.filled == ("sample_shape", "n_classes")
    assert recipe.game.entry.name == "two-player"
    assert recipe.game.options == {"n_critic": 1}
    assert recipe.fallback is not None
    assert recipe.fallback.entry.name == "glyphs"
    assert list(recipe.optimizers) == ["generator", "discriminator"]
    assert (recipe.train.epochs, recipe.train.steps) == (100, None)
    assert recipe.ema is not None
    assert recipe.ema.players == ("generator",)


def test_a_recipe_can_be_named_by_its_name_on_the_shelf(recipes: Path) -> None:
    assert read_recipe("vanilla_mnist") == read_recipe(recipes / "vanilla_mnist.toml")
    assert read_recipe("vanilla-mnist") == read_recipe("vanilla_mnist")


@pytest.mark.parametrize("text", [SMALL, FULL], ids=["small", "full"])
def test_the_saved_recipe_reads_back_as_an_equal_one(text: str, tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, text))
    saved = write(tmp_path, recipe_toml(recipe), "recipe.toml")
    again = read_recipe(saved)
    assert again == recipe
    assert differences(recipe, again) == []
    assert recipe_toml(again) == recipe_toml(recipe)


def test_the_saved_recipe_leaves_nothing_to_defaults(tmp_path: Path) -> None:
    saved = read_recipe(write(tmp_path, recipe_toml(read_recipe(write(tmp_path, FULL))), "saved.toml"))
    assert not [key for key, origin in saved.origins.items() if origin.text.startswith("default")]


def test_options_are_of_the_types_that_constructors_declare(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, FULL.replace("weight = 0.5", "weight = 1")))
    assert recipe.generator is not None
    assert recipe.generator.options["hidden"] == (32, 64)
    assert recipe.optimizers["generator"].options["betas"] == (0.5, 0.999)
    weight = recipe.regularizers[1].options["weight"]
    assert isinstance(weight, float)  # a whole number is taken where a float is declared
    assert weight == 1.0
    assert [choice.table for choice in recipe.regularizers] == ["regularizer[0]", "regularizer[1]"]


def test_what_the_data_would_fill_in_can_be_given(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, SMALL), overrides=["generator.sample_shape=[3, 8, 8]"])
    assert recipe.generator is not None
    assert recipe.generator.filled == ("n_classes",)
    assert recipe.generator.options["sample_shape"] == (3, 8, 8)
    assert "sample_shape = [3, 8, 8]" in recipe_toml(recipe)


def test_every_value_knows_where_it_is_from(tmp_path: Path) -> None:
    write(tmp_path, SMALL, "parent.toml")
    child = write(tmp_path, 'extends = "parent.toml"\n\n[generator]\nhidden = [9]\n')
    recipe = read_recipe(
        child, overrides=["loss.label_smoothing=0.2"], settings={"train.seed": (5, "--seed 5"), "ema.decay": (0.5, "x")}
    )
    origins = {key: origin.text.replace(f"{tmp_path}/", "") for key, origin in recipe.origins.items()}
    assert origins["generator.hidden"] == "mine.toml:4"
    assert origins["generator.latent_dim"] == "parent.toml:4"
    assert origins["generator.output"].startswith("default of ganzoo-vanilla ")
    assert origins["generator.sample_shape"] == "filled in from the data"
    assert origins["loss.label_smoothing"] == "--set loss.label_smoothing=0.2"
    assert origins["train.seed"] == "--seed 5"
    assert origins["train.keep"].startswith("default of ganzoo ")
    assert origins["game.name"].startswith("default of ganzoo ")
    assert recipe.train.seed == 5


def test_a_child_changes_keys_and_keeps_the_rest(tmp_path: Path) -> None:
    write(tmp_path, FULL, "parent.toml")
    parent = read_recipe(tmp_path / "parent.toml")
    child = read_recipe(
        write(tmp_path, 'extends = "parent.toml"\n[generator]\nhidden = [7]\n[[regularizer]]\nname = "r2"\n')
    )
    assert differences(parent, child) == [
        "generator.hidden: [32, 64] -> [7]",
        'regularizer[0].name: "gradient-penalty" -> "r2"',
        "regularizer[0].weight: 5.0 -> 10.0",
        "regularizer[0].one_sided: true -> nothing",
        "regularizer[0].every: 2 -> 1",
        'regularizer[1].name: "r1" -> nothing',
        "regularizer[1].weight: 0.5 -> nothing",
        "regularizer[1].every: 1 -> nothing",
    ]


def test_a_child_that_chooses_another_component_leaves_the_old_ones_options(tmp_path: Path) -> None:
    write(tmp_path, FULL, "parent.toml")
    text = 'extends = "parent.toml"\n[optimizer.discriminator]\nname = "sgd"\nlr = 0.1\n'
    recipe = read_recipe(write(tmp_path, text))
    assert recipe.optimizers["discriminator"].entry.name == "sgd"
    assert "centered" not in recipe.optimizers["discriminator"].options
    assert recipe.optimizers["discriminator"].options["lr"] == 0.1


@pytest.mark.parametrize(("said", "other"), [("steps = 7", "epochs"), ("epochs = 7", "steps")])
def test_a_child_with_another_budget_replaces_the_parents(said: str, other: str, tmp_path: Path) -> None:
    write(tmp_path, FULL if other == "steps" else SMALL, "parent.toml")
    recipe = read_recipe(write(tmp_path, f'extends = "parent.toml"\n[train]\n{said}\n'))
    assert getattr(recipe.train, other) is None
    assert 7 in (recipe.train.epochs, recipe.train.steps)


def test_a_recipe_can_extend_an_installed_one_by_name(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, 'extends = "vanilla_mnist"\n[train]\nepochs = 1\n'))
    assert differences(read_recipe("vanilla_mnist"), recipe) == ["train.epochs: 100 -> 1"]


def test_grandparents_count(tmp_path: Path) -> None:
    write(tmp_path, SMALL, "a.toml")
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", 'extends = "../a.toml"\n[train]\nseed = 1\n', "b.toml")
    recipe = read_recipe(write(tmp_path, 'extends = "sub/b.toml"\n[train]\nkeep = 9\n'))
    assert (recipe.train.seed, recipe.train.keep, recipe.train.epochs) == (1, 9, 2)


def read(tmp_path: Path, *overrides: str) -> Recipe:
    return read_recipe(write(tmp_path, FULL), overrides=overrides)


def test_set_takes_toml_values_and_bare_words(tmp_path: Path) -> None:
    recipe = read(
        tmp_path, "generator.hidden=[5]", "generator.output=tanh", "description = two words", "train.seed = 0x10"
    )
    assert recipe.generator is not None
    assert (recipe.generator.options["hidden"], recipe.generator.options["output"]) == ((5,), "tanh")
    assert (recipe.description, recipe.train.seed) == ("two words", 16)


def test_set_reaches_into_arrays(tmp_path: Path) -> None:
    recipe = read(tmp_path, "regularizer[1].weight=3.5", "generator.hidden[0]=6")
    assert recipe.regularizers[1].options["weight"] == 3.5
    assert recipe.regularizers[0].options["weight"] == 5.0
    assert recipe.generator is not None
    assert recipe.generator.options["hidden"] == (6, 64)


def test_the_order_of_sets_does_not_matter(tmp_path: Path) -> None:
    one = read(tmp_path, "optimizer.generator.name=sgd", "optimizer.generator.momentum=0.9")
    assert one == read(tmp_path, "optimizer.generator.momentum=0.9", "optimizer.generator.name=sgd")
    assert one.optimizers["generator"].options["momentum"] == 0.9
    assert "betas" not in one.optimizers["generator"].options


def test_the_last_of_two_sets_of_one_key_holds(tmp_path: Path) -> None:
    assert read(tmp_path, "train.seed=1", "train.seed=2").train.seed == 2


def test_a_budget_that_is_set_replaces_the_recipes(tmp_path: Path) -> None:
    recipe = read(tmp_path, "train.epochs=3")
    assert (recipe.train.epochs, recipe.train.steps) == (3, None)
    flags = read_recipe(
        tmp_path / "mine.toml", overrides=["train.epochs=3"], settings={"train.steps": (4, "--steps 4")}
    )
    assert (flags.train.epochs, flags.train.steps) == (None, 4)


def test_python_values_are_settings_too(tmp_path: Path) -> None:
    settings = {"generator.hidden": ((3, 4), "generator__hidden=(3, 4)")}
    recipe = read_recipe(write(tmp_path, FULL), settings=settings)
    assert recipe.generator is not None
    assert recipe.generator.options["hidden"] == (3, 4)


def test_a_byte_order_mark_and_windows_line_ends_are_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    assert read_recipe(path) == read_recipe(write(tmp_path, FULL))
    path.write_bytes(path.read_bytes().replace(b"keep = 2", b"keep = 0"))
    line = FULL.splitlines().index("keep = 2") + 1
    assert told(path)[0].startswith(f"windows.toml:{line}: train.keep")


def test_a_component_of_a_named_plugin_is_taken_from_it(tmp_path: Path) -> None:
    recipe = read(tmp_path, "generator.name=ganzoo_vanilla:mlp")
    assert recipe.generator is not None
    assert recipe.generator.entry.plugin == "ganzoo_vanilla"


def test_a_game_table_without_a_name_is_the_default_games(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, SMALL + "[game]\nn_critic = 5\n"))
    assert (recipe.game.entry.name, recipe.game.options) == ("two-player", {"n_critic": 5})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("latent_dim = 8", 'latent_dim = "8"'),
            'mine.toml:4: generator.latent_dim should be int, at least 1; found "8" (text).\n  Write latent_dim = 8.',
        ),
        (
            ("latent_dim = 8", "latent_dim = 0"),
            "mine.toml:4: generator.latent_dim should be int, at least 1; found 0 (int).\n  The default is 100.",
        ),
        (
            ("latent_dim = 8", "hidden = 8"),
            "mine.toml:4: generator.hidden should be list of int, each at least 1, not empty; found 8 (int).\n"
            "  Write hidden = [8].",
        ),
        (
            ("latent_dim = 8", 'hidden = [\n  1,\n  "2",\n]'),
            'mine.toml:4: generator.hidden should be list of int, each at least 1, not empty; found "2" (text) at '
            "hidden[1].\n  The default is [256, 512, 1024].",
        ),
        (
            ('"mlp"\nlatent_dim', '"mpl"\nlatent_dim'),
            'mine.toml:3: generator.name: there is no generator "mpl".\n  Did you mean mlp? There are: '
            f"{', '.join(entry.name for entry in zoo().entries('generator'))}.",
        ),
        (
            ("epochs = 2", "epochs = 2\nsteps = 3"),
            "mine.toml:23: train.steps and train.epochs (mine.toml:22) are two budgets.\n"
            "  Keep one: epochs for passes over the data, steps for rounds.",
        ),
        (("epochs = 2", ""), "mine.toml:21: train has no budget.\n  Write epochs = 10 or steps = 20000."),
        (
            ("epochs = 2", 'epochs = 2\nprecision = "bf61"'),
            'mine.toml:23: train.precision should be "fp32" or "bf16"; found "bf61" (text).\n  Did you mean bf16?',
        ),
        (
            ("[loss]", "[los]"),
            "mine.toml:9: los is not part of a recipe.\n"
            "  Did you mean loss? A recipe has: description, game, generator, discriminator, loss, regularizer, "
            "augment, dataset, optimizer, schedule, start, ema, evaluate, train, extends, unset.",
        ),
        (
            ('[dataset]\nname = "mnist"', "[dataset]"),
            "mine.toml:12: dataset has no name.\n  There are: cifar10, fashion-mnist, gaussians, glyph-domains, "
            "glyphs, image-folder, kmnist, mnist, paired-folders, stacked-glyphs, stacked-mnist, unpaired-folders.",
        ),
        (
            ("epochs = 2", "epochs = 2\n[augment]\nflip = true"),
            "mine.toml:23: augment should be an array of tables; found a table.\n"
            "  Write [[augment]], with two brackets.",
        ),
        (
            ("epochs = 2", "epochs = "),
            "mine.toml:22: this is not TOML: Invalid value.\n  See https://toml.io for how to write it.",
        ),
        (
            ('name = "mnist"', 'name = "mnist"\nfallback = 3'),
            "mine.toml:14: dataset.fallback should be a data set's name, or a table with a name; found 3 (int).\n"
            '  Write fallback = "glyphs".',
        ),
        (
            ('[optimizer.generator]\nname = "adam"\n', '[optimizer]\nname = "adam"\n'),
            'mine.toml:16: optimizer.name should be a table, for a player; found "adam" (text).\n'
            "  Each player has its own: write [optimizer.generator], say.",
        ),
        (
            ("epochs = 2", "epochs = 2\n[regularizer]\nname = 'r1'"),
            "mine.toml:23: regularizer should be an array of tables; found a table.\n"
            "  Write [[regularizer]], with two brackets.",
        ),
        (
            ("epochs = 2", "epochs = 2\n[train.stop]\npatience = 3"),
            "mine.toml:24: train.stop.patience needs train.stop.metric.\n"
            '  Write metric = "loss/generator" or another logged name.',
        ),
    ],
    ids=lambda value: value[1].replace("\n", " ")[:30] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_with_its_place_and_its_remedy(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    assert change[0] in SMALL
    problems = told(write(tmp_path, SMALL.replace(*change)))
    assert problems == [message]


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = SMALL.replace("latent_dim = 8", "latent_dim = 0\nhiden = [1]").replace('"adam"', '"adm"')
    problems = told(write(tmp_path, text.replace("epochs = 2", "keep = 0")), overrides=["loss.x=1"])
    heads = [problem.split(": ")[0] for problem in problems]
    assert heads == ["mine.toml:4", "mine.toml:5", "mine.toml:17", "mine.toml:20", "mine.toml:22", "mine.toml:23",
                     "--set loss.x=1"]  # fmt: skip


def test_a_mistake_in_a_parent_names_the_parents_line(tmp_path: Path) -> None:
    write(tmp_path, SMALL.replace("latent_dim = 8", "latent_dim = 0"), "parent.toml")
    assert told(write(tmp_path, 'extends = "parent.toml"\n'))[0].startswith(
        "parent.toml:4: generator.latent_dim should"
    )


def test_a_parent_that_is_not_there_is_told_at_the_line_that_names_it(tmp_path: Path) -> None:
    path = write(tmp_path, '# comment\nextends = "gone.toml"\n')
    assert told(path) == [
        'mine.toml:2: extends = "gone.toml": gone.toml: there is no such file.\n'
        "  `ganzoo list recipes` shows the installed ones."
    ]


def test_recipes_that_extend_one_another_are_told_so(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "mine.toml"\n', "other.toml")
    problems = told(write(tmp_path, 'extends = "other.toml"\n'))
    assert len(problems) == 1
    assert "goes round in a circle: mine.toml -> other.toml -> mine.toml." in problems[0]
    assert problems[0].startswith("mine.toml:1: ")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("generator.hidden=3", "generator.hidden should be list of int, each at least 1, not empty; found 3 (int)."),
        ("generator.hiden=[3]", 'generator.hiden is not an option of generator "mlp".'),
        ("generator", "this should be KEY=VALUE."),
        ("=3", "this should be KEY=VALUE."),
        ("a..b=3", "this should be KEY=VALUE."),
        ("regularizer[7].weight=3", "the recipe has no regularizer[7].weight."),
        ("regularizer.7.weight=3", "the recipe has no regularizer[7].weight."),
        ("regularizer.weight=3", "the recipe has no regularizer.weight."),
        ("optimizer[0].lr=3", "the recipe has no optimizer[0].lr."),
        ("unset=[]", "unset belongs into a recipe file."),
        ("extends=x.toml", "extends belongs into a recipe file."),
        ("train=3", "train should be a table; found 3 (int)."),
        ("train.steps=many", 'train.steps should be int, at least 1; found "many" (text).'),
        ("train.seed.x=3", "train.seed should be int, at least 0, below 2^63; found a table."),
        ("ema.decay=\udc80", "ema.decay should be float, at least 0, below 1; found text that is not Unicode."),
        ("x." * 12 + "y=1", "x is not part of a recipe."),
    ],
)  # fmt: skip
def test_a_wrong_override_is_told_by_the_words_of_the_command_line(override: str, message: str, tmp_path: Path) -> None:
    problems = told(write(tmp_path, FULL), overrides=[override])
    assert problems[0].split("\n")[0] == f"--set {override}: {message}"


def test_differences_are_told_key_by_key(tmp_path: Path) -> None:
    old = read(tmp_path)
    new = read(tmp_path, "generator.hidden=[256]", "optimizer.generator.lr=1", "train.epochs=3")
    assert differences(old, new) == [
        "generator.hidden: [32, 64] -> [256]",
        "optimizer.generator.lr: 0.0002 -> 1.0",
        "train.steps: 20 -> nothing",
        "train.epochs: nothing -> 3",
    ]
    assert differences(old.values, new.values) == differences(old, new)
