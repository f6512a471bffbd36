"""Checks of all networks: building, saving, copying, devices, randomness."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch

from ganzoo.plugins import error_text
from ganzoo.recipe.shape_errors import error_summary
from ganzoo.runs.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from ganzoo.testing.checks import Check
from ganzoo.testing.determinism import call, is_built_alike, output, same_in_evaluation, same_in_training
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.network import FirstNetwork, Network, cases_of, perturbed
from ganzoo.testing.recipe_fixture import RecipeFixture, recipe_reader
from ganzoo.testing.recording import named_parameters
from ganzoo.testing.subject import Subject, is_class_of
from ganzoo.training.ema import WeightAverages

CheckFunction = Callable[[Network], None]


def network_checks(
    subject: Subject, needs: list[Check], shapes: CheckFunction, questions: Mapping[str, CheckFunction]
) -> Iterator[Check]:
    """`shapes` on every data set, then the checks of all networks and `questions` on the first that it accepts."""

    def takes_some(network: Network) -> None:
        """There are samples that it does not refuse, and at their shape it is right, too."""
        shapes(network)

    cases = cases_of(subject)
    first = FirstNetwork(subject, cases)
    at = [
        Check(str(subject), f"shapes at {case}", shapes, partial(Network, subject, case), needs=needs) for case in cases
    ]
    yield from at
    taken = Check(str(subject), "takes some samples", takes_some, lambda: first.network, needs=[*needs, *at])
    yield taken
    needs = [*needs, *at, taken]
    built = Check(str(subject), "is built from torch's stream", is_built_alike, lambda: first.network, needs=needs)
    yield built
    asked: dict[str, Check] = {}
    for asks, question in {**questions, **NETWORK_CHECKS}.items():
        before = [asked[name] for name in PREREQUISITES.get(asks, ()) if name in asked]
        asked[asks] = Check(str(subject), asks, question, lambda: first.network, needs=[*needs, built, *before])
    yield from asked.values()


def leaves_inputs_alone(network: Network) -> None:
    """Forward does not write into its input, which others use after it: the same samples go to several networks."""
    module = network.build()
    inputs = network.inputs(module, 3)
    before = [given.clone() for given in inputs]
    call(module, *inputs)
    for given, old in zip(inputs, before, strict=True):
        require(
            torch.equal(given, old),
            "forward changed its input in place.",
            "no `inplace=True` and no `_`-method on the input itself: work on what the first layer returns.",
        )


def every_parameter_learns(network: Network) -> None:
    """Every parameter gets a gradient, from forward or in a game of its plugin: one that gets none is dead weight."""
    module = perturbed(network.build())
    made = output(module, *network.inputs(module, 4))
    (made * torch.randn_like(made)).sum().backward()
    dead = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    unused = [name for name in dead if name not in trained_in_games(network.subject)] if dead else []
    remedy = "use it in forward, or ship a recipe whose game trains it, or take it out."
    require(not unused, f"no gradient reaches {', '.join(unused)}.", remedy)


def trained_in_games(subject: Subject) -> set[str]:
    """The parameters that get a gradient where the plugin's own recipes play the network: heads that a game calls."""
    found: set[str] = set()
    for entry in subject.own_recipes:
        with suppress(Exception):  # the recipe's own checks report it
            recording = RecipeFixture(recipe_reader(entry), entry.distribution).recording
            named = named_parameters(recording.training)
            trained = {id(named[name]) for name in recording.with_gradient if name in named}
            for module in recording.training.game.modules():
                if is_class_of(module, subject.target):
                    found |= {name for name, parameter in module.named_parameters() if id(parameter) in trained}
    return found


def survives_saving(network: Network) -> None:
    """Saved and loaded into a freshly built one, it gives the same output: all that it needs is in its state_dict."""
    first, second = network.build(seed=1), network.build(seed=2)
    inputs = network.inputs(first, 3)
    with torch.no_grad():
        output(first, *inputs)  # in training: running statistics have moved
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint"
            save_checkpoint(path, Checkpoint({"network": first.state_dict()}, {}))
            load_weights(second, load_checkpoint(path).tensors["network"], "the checkpoint")
        require(
            torch.equal(output(first.eval(), *inputs), output(second.eval(), *inputs)),
            "saved and loaded, it gives another output.",
            "register what forward reads: nn.Parameter for what learns, self.register_buffer(...) for what does not.",
        )


def can_be_averaged(network: Network) -> None:
    """A copy of it, as [ema] makes one, gives the same output and does not change with the original."""
    module = network.build()
    inputs = network.inputs(module, 3)
    with torch.no_grad():
        averages = WeightAverages({"network": module}, decay=0.9)
        copied = averages.averaged["network"].module.eval()
        module.eval()
        kept = output(module, *inputs)
        for parameter in module.parameters():
            parameter.add_(1.0)
        require(
            torch.equal(output(copied, *inputs), kept),
            "its copy does not give what the original gave before it was changed.",
            "copy.deepcopy(network) must copy everything: share no module and no tensor between instances.",
        )
        averages.update(1)


def follows_its_device(network: Network) -> None:
    """Moved to another device it works there: every tensor in it is registered, or made where its input is."""
    module = network.build().to("meta")
    try:
        inputs = [given.to("meta") for given in network.inputs(network.build(), 3)]
        made = output(module, *inputs)
    except Exception as error:
        if not re.search(
            r"\bcpu\b|device|copy out of meta", error_text(error)
        ):  # no more than a missing kernel, or an .item()
            raise NotChecked(f"it does not run without numbers: {error_text(error)}") from error
        raise Failure(
            f"moved to another device, it fails: {error_summary(error)}",
            "no device in forward: `torch.zeros(n, device=latents.device)`, and register_buffer for constants.",
        ) from error
    require(made.device.type == "meta", f"on another device its output is on {made.device}.", "name no device.")


def runs_in_bf16(network: Network) -> None:
    """Under autocast to bfloat16 (`[train] precision = "bf16"`) it runs, forward and backward, and stays finite."""
    module = network.build()
    inputs = network.inputs(module, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        try:
            made = output(module, *inputs)
        except RuntimeError as error:
            raise Failure(
                f"under autocast it fails: {error_text(error)}",
                "name no dtype in forward: `torch.zeros(n, dtype=latents.dtype)`, or `x.to(weight.dtype)`.",
            ) from error
    require(made.is_floating_point() and bool(made.isfinite().all()), "under autocast its output is not finite.")
    made.float().sum().backward()


NETWORK_CHECKS: Mapping[str, CheckFunction] = {
    "leaves its input alone": leaves_inputs_alone,
    "is the same again in evaluation": same_in_evaluation,
    "draws from torch's stream in training": same_in_training,
    "uses every parameter": every_parameter_learns,
    "survives saving and loading": survives_saving,
    "can be copied and averaged": can_be_averaged,
    "follows its device": follows_its_device,
    "runs in bfloat16": runs_in_bf16,
}
"""The checks of every network, by name."""

PREREQUISITES: Mapping[str, tuple[str, ...]] = {
    "uses every parameter": ("follows its input", "passes gradients to samples"),
    "follows its device": ("survives saving and loading",),
    "can be differentiated twice": ("passes gradients to samples",),
}
"""Checks that are skipped if another one fails, as they would report the same fault."""
