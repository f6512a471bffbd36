"""Regularizers: a penalty on a player's loss, a constraint on its weights, or both."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ganzoo.core.interfaces import Generator, Regularizer
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.streams import only_torchs_stream, start_stream
from ganzoo.testing.subject import Subject

CALLS = 5


def regularizer_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a regularizer."""
    scalar = Check(str(subject), "adds a scalar or constrains", adds_a_scalar, lambda: subject, needs=needs)
    yield scalar
    for asks, question in {
        "can be differentiated": can_be_differentiated,
        "leaves samples and weights alone": leaves_things_alone,
        "goes on after a resume": resumes,
    }.items():
        yield Check(str(subject), asks, question, lambda: subject, needs=[*needs, scalar])


def player(regularizer: Regularizer) -> nn.Module:
    """A small smooth network of points, for a regularizer of a discriminator or of a generator."""
    start_stream(5)
    if getattr(regularizer, "player", "") == "generator":
        return SmoothGenerator()
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))


class SmoothGenerator(Generator):
    """Points from latents."""

    latent_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (N, 3) -> points (N, 2)."""
        points: Tensor = self.network(latents)
        return points


def samples() -> tuple[Tensor, Tensor]:
    """Real and generated points."""
    start_stream(6)
    return torch.randn(6, 2), torch.randn(6, 2)


def first_penalty(regularizer: Regularizer, network: nn.Module) -> Tensor | None:
    """The first penalty that is due, if one is within a few moves."""
    due = (regularizer.penalty(network, *samples()) for _ in range(CALLS))
    return next((penalty for penalty in due if penalty is not None), None)


def weights(network: nn.Module) -> list[Tensor]:
    """Copies of the parameters."""
    return [parameter.detach().clone() for parameter in network.parameters()]


def adds_a_scalar(subject: Subject) -> None:
    """`penalty` returns a finite scalar, or None at moves where it is not due; or `constrain` changes weights."""
    regularizer: Regularizer = subject.build()
    require(isinstance(regularizer, nn.Module), "it is no module, so that its state would not be saved.")
    network = player(regularizer)
    penalty = first_penalty(regularizer, network)
    if penalty is None:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(100.0)
        before = weights(network)
        regularizer.constrain(network)
        changed = any(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
        require(changed, f"no penalty in {CALLS} moves, and constrain changes no weight.", "return the penalty.")
    elif not isinstance(penalty, Tensor) or penalty.ndim:
        seen = (
            f"has the shape {tuple(penalty.shape)}" if isinstance(penalty, Tensor) else f"is a {type(penalty).__name__}"
        )
        raise Failure(f"the penalty {seen}.", "take the mean over the batch: `.mean()`.")
    else:
        require(penalty.isfinite(), f"the penalty is {penalty.item()}.")


def can_be_differentiated(subject: Subject) -> None:
    """The penalty's gradient reaches the weights of the player, and is finite."""
    regularizer: Regularizer = subject.build()
    network = player(regularizer)
    penalty = first_penalty(regularizer, network)
    if penalty is None:
        raise NotChecked("it adds no penalty")
    remedy = "torch.autograd.grad(..., create_graph=True), and no detach, .item() or torch.no_grad around it."
    require(penalty.requires_grad, "the penalty does not depend on the weights: it would change nothing.", remedy)
    slopes = torch.autograd.grad(penalty, list(network.parameters()), allow_unused=True)
    reached = [slope for slope in slopes if slope is not None]
    require(any(bool(slope.any()) for slope in reached), "the penalty's gradient by every weight is zero.", remedy)
    finite = all(bool(slope.isfinite().all()) for slope in reached)
    require(finite, "the penalty's gradient is not finite.", "add a small number under square roots.")


def leaves_things_alone(subject: Subject) -> None:
    """`penalty` changes neither samples nor weights; `constrain` changes weights in place: the optimizer holds them."""
    regularizer: Regularizer = subject.build()
    network = player(regularizer)
    given, before, held = samples(), weights(network), list(network.parameters())
    regularizer.penalty(network, *given)
    unchanged = all(torch.equal(old, new) for old, new in zip(samples(), given, strict=True))
    require(unchanged, "penalty changed the samples in place.", "work on a copy: the game uses them again.")
    same = all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    require(same, "penalty changed weights.", "change weights in constrain, which is called after the step.")
    regularizer.constrain(network)
    kept = all(old is new for old, new in zip(held, network.parameters(), strict=True))
    require(kept, "constrain put new parameters in the place of the old.", "change them in place under no_grad.")


def resumes(subject: Subject) -> None:
    """Its state_dict holds all that the next penalties depend on, and they draw from torch's default stream alone."""
    first: Regularizer = subject.build()
    second: Regularizer = subject.build()
    network = player(first)

    def penalties(regularizer: Regularizer, calls: range) -> list[float | None]:
        made = []
        for call in calls:
            given = samples()
            start_stream(call)
            penalty = regularizer.penalty(network, *given)
            made.append(None if penalty is None else penalty.item())
        return made

    with only_torchs_stream("penalty"):
        penalties(first, range(CALLS))
    state = {name: tensor.contiguous() for name, tensor in first.state_dict().items()}
    second.load_state_dict(load(save(state)))
    more = range(CALLS, 3 * CALLS)
    require(
        penalties(first, more) == penalties(second, more),
        "after saving and loading, its penalties go another way.",
        "keep what changes from move to move in a registered buffer, or in get_extra_state as a tensor.",
    )
