"""Checks of all networks: building, saving, copying, devices, randomness."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ganzoo.errors import GanzooError
from ganzoo.runs.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from ganzoo.testing.checks import Check
from ganzoo.testing.determinism import is_built_alike, output, same_in_evaluation, same_in_training
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.subject import SHAPES, Network, Subject, format_shape, perturbed
from ganzoo.training.ema import WeightAverages

CheckFunction = Callable[[Network], None]


def network_checks(
    subject: Subject, needs: list[Check], shapes: CheckFunction, questions: Mapping[str, CheckFunction]
) -> Iterator[Check]:
    """`shapes` at every shape, then the checks of all networks and `questions` at the first shape it accepts."""

    def takes_some(network: Network) -> None:
        """There are samples that it does not refuse, and at their shape it is right, too."""
        shapes(network)

    at = [
        Check(str(subject), f"shapes at {format_shape(shape)}", shapes, partial(Network, subject, shape), needs=needs)
        for shape in SHAPES
    ]
    yield from at
    taken = Check(str(subject), "takes some samples", takes_some, lambda: subject.network, needs=[*needs, *at])
    yield taken
    needs = [*needs, *at, taken]
    built = Check(str(subject), "is built from torch's stream", is_built_alike, lambda: subject.network, needs=needs)
    yield built
    asked: dict[str, Check] = {}
    for asks, question in {**questions, **NETWORK_CHECKS}.items():
        first = [asked[name] for name in PREREQUISITES.get(asks, ()) if name in asked]
        asked[asks] = Check(str(subject), asks, question, lambda: subject.network, needs=[*needs, built, *first])
    yield from asked.values()


def build_or_skip(network: Network) -> nn.Module:
    """A new network. Raises: NotChecked where it refuses this shape as it should; Failure where it crashes."""
    try:
        return network.build()
    except GanzooError as refusal:
        raise NotChecked(f"refused: {refusal.what}") from refusal
    except (Failure, NotChecked):
        raise
    except Exception as error:
        raise Failure(
            f"building it for samples {network.shape} raises {type(error).__name__}: {error}",
            "refuse what it cannot make with ganzoo.OptionError(what, remedy=...), which is shown to the user.",
        ) from error


def leaves_inputs_alone(network: Network) -> None:
    """Forward does not write into its input, which others use after it: the same samples go to several networks."""
    module = network.build()
    inputs = network.inputs(module, 3)
    before = [given.clone() for given in inputs]
    module(*inputs)
    for given, old in zip(inputs, before, strict=True):
        require(
            torch.equal(given, old),
            "forward changed its input in place.",
            "no `inplace=True` and no `_`-method on the input itself: work on what the first layer returns.",
        )


def every_parameter_learns(network: Network) -> None:
    """Every parameter gets a gradient: one that gets none is dead weight in files, optimizers and parameter counts."""
    module = perturbed(network.build())
    made = output(module, *network.inputs(module, 4))
    (made * torch.randn_like(made)).sum().backward()
    dead = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    require(not dead, f"no gradient reaches {', '.join(dead)}.", "use it in forward, or take it out.")


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
            r"\bcpu\b|device|copy out of meta", str(error)
        ):  # no more than a missing kernel, or an .item()
            raise NotChecked(f"it does not run without numbers: {error}") from error
        raise Failure(
            f"moved to another device, it fails: {str(error).splitlines()[0]}",
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
                f"under autocast it fails: {error}",
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
