"""The conformance kit as authors meet it, and the engine's own components before it."""

from __future__ import annotations

import random
import unittest
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ganzoo.errors import PluginError
from ganzoo.testing import Check, Failure, NotChecked, checks_of

Install = Callable[..., str]

HIDDEN = "self.norm(self.hidden(latents) + self.tilt)"


@pytest.mark.parametrize("check", [*checks_of("ganzoo"), *checks_of("ganzoo_vanilla")], ids=str)
def test_the_engine_and_the_reference_plugin_keep_the_contracts(check: Check) -> None:
    check()


def outcomes(plugin: str, word: str = "") -> dict[str, Exception | None]:
    """How every check ended that has `word` in its name, the slow one left out."""
    checks = [check for check in checks_of(plugin) if word in str(check) and "imports no torch" not in str(check)]
    return {str(check): check.outcome() for check in checks}


def failures(plugin: str, word: str = "") -> dict[str, str]:
    return {name: str(outcome) for name, outcome in outcomes(plugin, word).items() if isinstance(outcome, Failure)}


def test_a_plugin_goes_by_its_own_name_and_its_distributions_however_spelled(install: Install) -> None:
    install("spelled")
    names = [[str(check) for check in checks_of(name)] for name in ("spelled", "ganzoo-spelled", "Ganzoo_Spelled")]
    assert names[0] == names[1] == names[2]
    assert len(set(names[0])) == len(names[0]) > 100


def test_no_such_plugin_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(PluginError, match=r'no plugin "ganzoo-vanila"[\s\S]*Did you mean ganzoo-vanilla'):
        checks_of("ganzoo-vanila")


def test_a_plugin_that_does_not_come_in_is_an_error_with_its_cause(install: Install) -> None:
    install("broken", ("plugin", "@hookimpl", "1 / 0\n\n\n@hookimpl"))
    with pytest.raises(PluginError, match=r"plugin broken .* is broken: ZeroDivisionError"):
        checks_of("broken")


def test_a_failure_says_what_was_found_what_was_promised_and_what_to_change(install: Install) -> None:
    install("talks", ("parts", "self.last(hidden).tanh()", "self.last(hidden)"))
    [check] = [check for check in checks_of("talks") if str(check) == "generator sketch: keeps in range"]
    with pytest.raises(AssertionError) as caught:
        check()
    found, contract, remedy = str(caught.value).splitlines()
    assert "its images reach" in found
    assert (
        contract
        == "  The contract: Samples keep within their kind's bounds, [-1, 1] for images, however unusual the input."
    )
    assert remedy == "  To mend it: end with what keeps within -1 and 1: nn.Tanh() for images."


def test_a_check_that_was_not_made_is_a_skipped_test(install: Install) -> None:
    install("skips")
    [check] = [check for check in checks_of("skips") if str(check) == "generator sketch: shapes at 3x32x32"]
    with pytest.raises(unittest.SkipTest, match="a sketch has no colours") as caught:
        check()
    assert isinstance(caught.value, NotChecked)


def test_an_exception_of_the_plugin_is_a_failure_that_names_its_line(install: Install) -> None:
    install("raises", ("parts", "        return softplus(-fake.float()).mean()\n", "        return 1 / 0\n"))
    failed = failures("raises", "loss logistic")
    assert list(failed) == ["loss logistic: is a scalar"]
    assert "ZeroDivisionError: division by zero (raises/parts.py, line" in failed["loss logistic: is a scalar"]


def test_checking_leaves_random_streams_and_threads_as_they_were(install: Install) -> None:
    install("quiet")
    threads = torch.get_num_threads()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    outcomes("quiet")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert torch.get_num_threads() == threads


def test_what_no_recipe_plays_is_played_with_a_partner_of_the_same_plugin(install: Install) -> None:
    line = '        Component("recipe", "duel_dots", "healthy:duel_dots.toml", "the duel, on dots"),\n'
    install("alone", ("plugin", line, ""))
    ended = outcomes("alone")
    assert ended["generator sketch: resumes exactly"] is None
    assert ended["discriminator judge: resumes exactly"] is None
    # a game cannot be played by a recipe that the kit makes up
    assert isinstance(ended["game duel: fits together"], Failure)
    assert "ship a recipe" in str(ended["game duel: fits together"])


def test_an_option_without_a_default_gets_its_value_from_the_plugins_recipe(install: Install) -> None:
    install(
        "asks",
        ("parts", "latent_dim: int = 4", "latent_dim: int"),
        ("duel_dots", 'name = "sketch"', 'name = "sketch"\nlatent_dim = 5'),
    )
    assert failures("asks") == {}


def test_without_a_recipe_that_gives_it_the_network_is_not_checked(install: Install) -> None:
    line = '        Component("recipe", "duel_dots", "healthy:duel_dots.toml", "the duel, on dots"),\n'
    install("asks_all", ("parts", "latent_dim: int = 4", "latent_dim: int"), ("plugin", line, ""))
    ended = outcomes("asks_all", "generator sketch")
    assert str(ended["generator sketch: keeps in range"]) == (
        "latent_dim must be given, and no installed recipe gives it"
    )


def test_networks_that_name_a_condition_are_given_it(install: Install) -> None:
    plugin = install(
        "labelled",
        ("parts", "latent_dim: int = 4", "n_classes: int, latent_dim: int = 4"),
        ("parts", "self.norm = nn.", "self.embedding = nn.Embedding(n_classes, width)\n        self.norm = nn."),
        ("parts", "def forward(self, latents: torch.Tensor)", "def forward(self, latents, label: torch.Tensor)"),
        ("parts", HIDDEN, HIDDEN.replace("self.tilt", "self.tilt + self.embedding(label)")),
        ("parts", "sample_shape: Shape, *, width: int = 8", "sample_shape: Shape, *, n_classes: int, width: int = 8"),
        ("parts", "self.first = nn.", "self.embedding = nn.Embedding(n_classes, width)\n        self.first = nn."),
        ("parts", "def forward(self, samples: torch.Tensor) -> torch.Tensor:\n        hidden",
         "def forward(self, samples, label: torch.Tensor):\n        hidden"),
        ("parts", "hidden = leaky_relu(self.first(samples.flatten(1)))",
         "hidden = leaky_relu(self.first(samples.flatten(1)) + self.embedding(label))"),
        ("parts", "def features(self, samples: torch.Tensor)", "def features(self, samples, label: torch.Tensor)"),
    )  # fmt: skip
    ended = {
        name: outcome
        for shelf in ("generator sketch", "discriminator judge")
        for name, outcome in outcomes(plugin, shelf).items()
    }
    assert ended["generator sketch: uses every parameter"] is None
    assert ended["discriminator judge: can be differentiated twice"] is None
    assert [name for name, outcome in ended.items() if isinstance(outcome, Failure)] == []


TRANSLATOR = (
    ("parts", "    Source,\n    joint,", "    Source,\n    Translator,\n    joint,"),
    ("parts", "class Sketch(Generator)", "class Sketch(Translator)"),
    ("parts", "*, latent_dim: int = 4,", "*, input_shape: Shape | None = None,"),
    ("parts", "latent_dim: random numbers a sample; width", "width"),
    ("parts", "        self.latent_dim = latent_dim\n", ""),
    ("parts", "nn.Linear(latent_dim, width)", "nn.Linear(math.prod(input_shape or sample_shape), width)"),
    ("parts", "self.hidden(latents)", "self.hidden(latents.flatten(1))"),
)
"""Changes that make a translator of the generator."""


def test_a_translator_is_checked_from_samples_to_samples(install: Install) -> None:
    plugin = install("translates", *TRANSLATOR)
    ended = outcomes(plugin, "generator sketch")
    assert ended["generator sketch: follows its input"] is None
    assert str(ended["generator sketch: has latents of its own"]) == "it makes samples from samples"
    # the plugin's recipe has no use for it, and says so elsewhere
    assert [name for name, outcome in ended.items() if isinstance(outcome, Failure)] == []


def test_a_translator_that_takes_only_what_it_makes_is_caught(install: Install) -> None:
    narrow = [
        (file, old, new.replace("math.prod(input_shape or sample_shape)", "math.prod(sample_shape)"))
        for file, old, new in TRANSLATOR
    ]
    grey = ("parts", "sample_shape[0] == 3", "sample_shape[0] == 7")
    failed = failures(install("narrow", *narrow, grey), "generator sketch")
    assert {name.partition(" at ")[0] for name in failed} == {"generator sketch: shapes"}
    assert "mat1 and mat2 shapes cannot be multiplied" in str(failed)


def test_a_recipe_with_parts_of_a_plugin_that_is_not_here_is_not_checked(install: Install) -> None:
    change = ("duel_dots", 'name = "judge"', 'name = "elsewhere"')
    assert "recipe duel_dots: fits together" in failures(install("misnames", change))
    requires = 'ganzoo>=0.1,<0.2\nRequires-Dist: ganzoo-elsewhere>=1; extra == "zoo"'
    ended = outcomes(install("borrows", change, requires=requires), "recipe duel_dots")
    assert "ganzoo-elsewhere, which ganzoo-borrows names, is not installed" in str(
        ended["recipe duel_dots: fits together"]
    )
    assert not any(isinstance(outcome, Failure) for outcome in ended.values())


def test_nothing_is_downloaded(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = """        import urllib.request

        from ganzoo.errors import DatasetUnavailable

        try:
            urllib.request.urlopen("http://127.0.0.1:9")
        except OSError as error:
            raise DatasetUnavailable(f"dots: {error}", remedy="Fetch them.") from error
        stream = torch.Generator().manual_seed(1)
"""
    install("fetches", ("parts", "        stream = torch.Generator().manual_seed(1)\n", fetch))
    ended = outcomes("fetches", "dataset dots")
    assert str(ended["dataset dots: holds what its info says"]).startswith("its files are not here")
    assert "no network during a check" in str(ended["dataset dots: holds what its info says"].__cause__)
