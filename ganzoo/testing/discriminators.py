"""Discriminators: samples -> scores."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganzoo.core.conditions import conditions_of
from ganzoo.core.regularizers import R1
from ganzoo.recipe.shape_errors import error_summary
from ganzoo.testing.checks import Check
from ganzoo.testing.determinism import call, joined, output, outputs
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.network import Network, build_or_skip, perturbed
from ganzoo.testing.networks import network_checks
from ganzoo.testing.subject import Subject

BOUND_TOLERANCE = 1e-3
"""The distance to an end of the range of scores, relative to it, below which a score counts as saturated."""


def discriminator_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a discriminator."""
    questions = {
        "gives logits": gives_logits,
        "says per_sample truly": per_sample_is_true,
        "passes gradients to samples": passes_gradients,
        "can be differentiated twice": twice_differentiable,
        "gives features, where it offers them": gives_features,
    }
    yield from network_checks(subject, needs, scores_samples, questions)


def scores_samples(network: Network) -> None:
    """A sample gets a score (N,), or one a patch (N, ...), or a list of such, one a scale or a head, in float32; what
    it can't score it refuses (OptionError)."""
    module = build_or_skip(network)
    for n in (3, 1):
        module.train(n > 1)  # batch norm needs two
        with torch.no_grad():
            made = outputs(module, *network.inputs(module, n))
        for scores in made:
            require(
                scores.shape[:1] == (n,),
                f"{n} samples {network.shape} get scores {tuple(scores.shape)}.",
                "return (N,), or refuse that sample_shape in the constructor with ganzoo.OptionError.",
            )
            require(scores.dtype == torch.float32, f"its scores are {scores.dtype}.", "return float32.")
            require(scores.isfinite().all(), "its scores are not finite.")


def gives_features(network: Network) -> None:
    """Where it offers `features`, for games that match them, these are (N, ...) tensors with gradients: a list of what
    its layers make of samples and conditions."""
    module = perturbed(network.build())
    if not callable(getattr(type(module), "features", None)):
        raise NotChecked("it does not offer the features of its layers")
    samples, *conditions = network.inputs(module, 3)
    samples = samples.requires_grad_()
    made = module.features(samples, **dict(zip(conditions_of(module), conditions, strict=True)))  # type: ignore[operator]
    remedy = "return a list of what the layers give, from the first layer to the last."
    right = isinstance(made, list | tuple) and made and all(isinstance(each, Tensor) for each in made)
    require(right, f"features is a {type(made).__name__}.", remedy)
    for number, each in enumerate(made):
        require(each.shape[:1] == (3,), f"of 3 samples, features {number} are {tuple(each.shape)}.", "(N, ...) each.")
        require(each.requires_grad, f"features {number} have no gradient.", "no detach in features.")


def gives_logits(network: Network) -> None:
    """Scores are unbounded: no sigmoid or tanh at the end, for losses have theirs in a form that cannot overflow."""
    seen: list[Tensor] = []
    for sample_scale, weight_scale in ((1.0, 1.0), (1e3, 1.0), (1e3, 3.0), (1e3, 10.0)):
        module = perturbed(network.build())
        inputs = network.inputs(module, 16)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(weight_scale)
            scores = output(module, inputs[0] * sample_scale, *inputs[1:])
        if bool(scores.isfinite().all()):
            seen.append(scores.flatten())
    if len(seen) < 2:
        raise NotChecked("its scores are not finite for unusual samples")
    *_, wild, wilder = seen
    low, high = (end.item() for end in torch.cat(seen).aminmax())
    at_an_end = torch.minimum(wilder - low, high - wilder) <= BOUND_TOLERANCE * (high - low)
    grows = wilder.abs().max() > 1.01 * wild.abs().max()
    require(
        grows or at_an_end.float().mean() < 0.5,
        f"scores stay in [{low:.2g}, {high:.2g}], and lie at its ends for very large samples and weights.",
        "take the sigmoid (or tanh) out of the last layer and return its logit.",
    )


def per_sample_is_true(network: Network) -> None:
    """`per_sample = True` says that a score does not depend on the rest of its batch, in training neither."""
    module = network.build()
    if not getattr(module, "per_sample", False):
        raise NotChecked("it does not claim to look at each sample by itself")
    ours, others = network.inputs(module, 4), network.inputs(module, 4, seed=1)
    mixed = [torch.cat((given[:1], other[1:])) for given, other in zip(ours, others, strict=True)]
    with torch.no_grad():
        alone, among = (output(copy.deepcopy(module), *given)[0] for given in (ours, mixed))
    require(
        torch.allclose(alone, among, rtol=1e-4, atol=1e-6),
        "it says per_sample = True, and in training the first score changes when the rest of the batch does.",
        "set per_sample = False, or take out what looks across the batch (batch norm, minibatch statistics).",
    )


def passes_gradients(network: Network) -> None:
    """Every sample gets a gradient from its score: that is all the generator ever learns from."""
    module = perturbed(network.build())
    samples, *conditions = network.inputs(module, 4)
    samples = samples.requires_grad_()
    output(module, samples + 0.0, *conditions).sum().backward()
    reached = samples.grad is not None and bool(samples.grad.flatten(1).any(dim=1).all())
    require(reached, "no gradient reaches some samples.", "no detach, no rounding, no torch.no_grad in forward.")


def twice_differentiable(network: Network) -> None:
    """A penalty on its gradient (`r1`, `gradient-penalty`) can be differentiated, or its docstring says otherwise."""
    if "double backward" in (network.subject.target.__doc__ or ""):
        raise NotChecked("its docstring says that it has no double backward")
    module = perturbed(network.build())
    samples, *conditions = network.inputs(module, 4)
    try:
        penalty = R1().penalty(FixedConditions(module, *conditions), samples, samples)
        if penalty is None:
            raise NotChecked("the penalty was not due")
        penalty.backward()
    except RuntimeError as error:
        raise Failure(
            f"the gradient of its gradient fails: {error_summary(error)}",
            'use operations that can be differentiated twice, or say "no double backward" in the docstring.',
        ) from error
    slopes = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    require(all(bool(slope.isfinite().all()) for slope in slopes), "the gradient of its gradient is not finite.")


class FixedConditions(nn.Module):
    """A discriminator with its conditions given, which gets a copy of the samples; its scores side by side."""

    def __init__(self, discriminator: nn.Module, *conditions: Tensor) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.conditions = conditions

    def forward(self, samples: Tensor) -> Tensor:
        """samples (N, *sample_shape) -> scores."""
        return joined(call(self.discriminator, samples.clone(), *self.conditions))
