"""Generators (latents -> samples) and translators (samples -> samples)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganzoo.core.noise import drawn_in_blocks
from ganzoo.errors import GanzooError
from ganzoo.testing.checks import Check
from ganzoo.testing.determinism import output, outputs
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.network import Network, build_or_skip, perturbed, samples_like, takes_latents
from ganzoo.testing.networks import network_checks
from ganzoo.testing.streams import only_torchs_stream, start_stream
from ganzoo.testing.subject import Subject


def generator_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a generator."""
    questions = {
        "has latents of its own": has_latents,
        "follows its input": follows_its_input,
        "keeps in range": in_range,
        "does not mix a batch in evaluation": each_by_itself,
    }
    yield from network_checks(subject, needs, makes_samples, questions)


def makes_samples(network: Network) -> None:
    """One input makes one sample of the shape that networks see, in float32, or several tensors of which its game makes
    samples; what it cannot make it refuses (OptionError)."""
    module = build_or_skip(network)
    for n in (3, 1):
        module.train(n > 1)  # batch norm needs two
        with torch.no_grad():
            made = outputs(module, *network.inputs(module, n))
        for each in made:
            right = (n, *network.shape) if len(made) == 1 else (n, *each.shape[1:])
            require(
                each.shape == right,
                f"{n} inputs make {tuple(each.shape)}; it was built for sample_shape {network.shape}.",
                f"return {right}, or refuse that sample_shape in the constructor with ganzoo.OptionError.",
            )
            require(each.isfinite().all(), "its samples are not finite.")
        require(made[0].dtype == torch.float32, f"its samples are {made[0].dtype}.", "return float32.")
    if "input_shape" in network.subject.options and network.info.kind == "image":
        takes_other_samples(network)


def takes_other_samples(network: Network) -> None:
    """Raises: Failure unless a translator takes images with other channels than it makes, or refuses them."""
    given = (4 - network.shape[0], *network.shape[1:])  # colours for grey, and the other way round
    if given[0] < 1:
        return
    try:
        module = network.build(input_shape=given)
    except GanzooError:
        return
    _, *conditions = network.inputs(module, 2)
    with torch.no_grad():
        made = tuple(output(module, samples_like(network.kind, given, 2), *conditions).shape)
    right = made == (2, *network.shape)
    require(
        right,
        f"of samples {given} it makes {made}; it was built for input_shape {given} and sample_shape {network.shape}.",
        "let the first layer take input_shape.",
    )


def has_latents(network: Network) -> None:
    """`latents(n)` draws (n, latent_dim) from torch's default stream, in float32, on the generator's device, and by
    `joint`, so that a sample does not depend on how many are drawn."""
    module = network.build()
    if not takes_latents(module):
        raise NotChecked("it makes samples from samples")
    with only_torchs_stream("latents"):
        drawn = draw(module, 5)
        again = draw(module, 5)
    latent_dim = module.latent_dim
    require(isinstance(latent_dim, int), f"latent_dim is {latent_dim!r}.", "set self.latent_dim to an int.")
    right = drawn.shape == (5, latent_dim) and drawn.dtype == torch.float32
    require(right, f"latents(5) is {tuple(drawn.shape)} {drawn.dtype}.", f"return (5, {latent_dim}), float32.")
    require(torch.equal(drawn, again), "the same seed draws other latents.", "draw with torch.randn.")
    require(not torch.equal(drawn[0], drawn[1]), "two latents of a batch are equal.")
    with drawn_in_blocks(16):
        same = torch.equal(draw(module, 5)[:3], draw(module, 3))
    require(same, "its third latent depends on how many are drawn.", "draw with ganzoo.joint(torch.randn, n, ...).")
    moved = draw(network.build().to("meta"), 5).device.type
    require(moved == "meta", f"on another device its latents are on {moved}.", "device=next(self.parameters()).device")


def follows_its_input(network: Network) -> None:
    """Other latents make other samples: the generator does not ignore what it is given."""
    module = perturbed(network.build()).eval()
    ours, others = network.inputs(module, 3), network.inputs(module, 3, seed=1)
    with torch.no_grad():
        one, other = output(module, *ours), output(module, others[0], *ours[1:])
    remedy = "let the first layer read the input, and check what multiplies or masks it."
    for first, second in zip(one, other, strict=True):
        require(not torch.equal(first, second), "two different inputs make the same sample.", remedy)


def in_range(network: Network) -> None:
    """Samples keep within their kind's bounds, [-1, 1] for images, however unusual the input."""
    if network.kind.bounds is None:
        raise NotChecked(f"{network.kind.plural} may be anywhere")
    low, high = network.kind.bounds
    module = perturbed(network.build())
    first, *conditions = network.inputs(module, 4)
    for scale in (1.0, 1e3):
        with torch.no_grad():
            made = outputs(module, first * scale, *conditions)
        if len(made) > 1:
            raise NotChecked("it makes several tensors, and its game samples of them")
        lowest, highest = (end.item() for end in made[0].aminmax())
        furthest = lowest if low - lowest > highest - high else highest
        found = f"its {network.kind.plural} reach {furthest:.3g}{'' if scale == 1 else ' for very large inputs'}."
        remedy = f"end with what keeps within {low:g} and {high:g}: nn.Tanh() for images."
        require(low - 1e-6 <= lowest and highest <= high + 1e-6, found, remedy)


def each_by_itself(network: Network) -> None:
    """In evaluation mode an output depends on its own input alone, not on the others in the batch."""
    module = network.build().eval()
    ours, others = network.inputs(module, 4), network.inputs(module, 4, seed=1)
    mixed = [torch.cat((given[:1], other[1:])) for given, other in zip(ours, others, strict=True)]
    with torch.no_grad():
        require(
            torch.allclose(output(module, *ours)[0], output(module, *mixed)[0], rtol=1e-4, atol=1e-6),
            "the first output changes when the rest of the batch does, in evaluation mode.",
            "statistics over the batch are for training: use the running ones when `self.training` is False.",
        )


def draw(module: nn.Module, n: int) -> Tensor:
    """n latents, drawn from seed 7. Raises: Failure where that is no tensor."""
    start_stream(7)
    drawn = module.latents(n)  # type: ignore[operator]  # a generator's method
    if not isinstance(drawn, Tensor):
        raise Failure(f"latents(n) returns a {type(drawn).__name__}.", "return one tensor.")
    return drawn
