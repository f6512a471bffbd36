"""Losses: two functions of scores."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganzoo.core.interfaces import Loss
from ganzoo.errors import GanzooError
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, require
from ganzoo.testing.subject import Subject

EXTREME = 1e3
"""Far beyond where a float32 sigmoid is exactly 0 or 1 (about 100)."""


def loss_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a loss."""
    scalar = Check(str(subject), "is a scalar", is_a_scalar, lambda: subject, needs=needs)
    yield scalar
    for asks, question in {
        "pulls the right way": pulls_the_right_way,
        "stays finite at extreme scores": stays_finite,
        "says needs_real_scores truly": needs_real_truly,
        "takes scores of any shape": takes_any_shape,
        "refuses scores that do not pair": refuses_unpaired,
        "computes in float32": computes_in_float32,
        "logs scalars": logs_scalars,
    }.items():
        yield Check(str(subject), asks, question, lambda: subject, needs=[*needs, scalar])


def both(loss: Loss, real: Tensor, fake: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The two players' losses, as a game computes them."""
    yield "discriminator", loss.discriminator(real, fake)
    yield "generator", loss.generator(fake, real if loss.needs_real_scores else None)


def scores(*shape: int) -> tuple[Tensor, Tensor]:
    """Real and fake scores of one shape, that gradients may reach."""
    return torch.randn(*shape).requires_grad_(), torch.randn(*shape).requires_grad_()


def is_a_scalar(subject: Subject) -> None:
    """Both functions return one number, a tensor of no dimensions, with a gradient by the scores."""
    for player, value in both(subject.build(), *scores(6)):
        if not isinstance(value, Tensor) or value.ndim:
            seen = (
                f"has the shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"is a {type(value).__name__}"
            )
            raise Failure(f"the {player}'s loss {seen}.", "take the mean: `.mean()`.")
        require(value.requires_grad, f"the {player}'s loss has no gradient.", "no detach and no .item() in a loss.")


def pulls_the_right_way(subject: Subject) -> None:
    """A discriminator that errs is pulled to score real higher and fake lower; a generator, to get higher scores."""
    loss: Loss = subject.build()
    real, fake = torch.full((6,), -0.5).requires_grad_(), torch.full((6,), 0.5).requires_grad_()
    to_real, to_fake = torch.autograd.grad(loss.discriminator(real, fake), (real, fake), allow_unused=True)
    right = "a loss is minimised: -log D(x) for real, -log(1 - D(G(z))) for fake, -log D(G(z)) for the generator."
    for kind, slope, sign in (("real", to_real, -1.0), ("fake", to_fake, 1.0)):
        way = "falls" if sign < 0 else "rises"
        seen = "no gradient" if slope is None else f"the slope {slope.sum().item():.3g}"
        right_way = slope is not None and slope.sum().item() * sign > 0
        require(right_way, f"the discriminator's loss should be one that {way} with {kind} scores: {seen}.", right)
    real, fake = torch.full((6,), 0.5).requires_grad_(), torch.full((6,), -0.5).requires_grad_()
    (to_fake,) = torch.autograd.grad(dict(both(loss, real, fake))["generator"], fake)
    steepness = to_fake.sum().item()
    found = f"the generator's loss should be one that falls with fake scores: the slope {steepness:.3g}."
    require(steepness < 0, found, right)


def stays_finite(subject: Subject) -> None:
    """However sure the discriminator is, loss and gradient are numbers: one infinity ends a run of days."""
    loss: Loss = subject.build()
    for real_at, fake_at in ((EXTREME, -EXTREME), (-EXTREME, EXTREME), (EXTREME, EXTREME), (-EXTREME, -EXTREME)):
        real, fake = torch.full((6,), real_at).requires_grad_(), torch.full((6,), fake_at).requires_grad_()
        for player, value in both(loss, real, fake):
            slopes = torch.autograd.grad(value, (real, fake), allow_unused=True)
            finite = value.isfinite() and all(bool(slope.isfinite().all()) for slope in slopes if slope is not None)
            require(
                finite,
                f"with real scores {real_at:g} and fake ones {fake_at:g} the {player}'s loss is {value.item()}, "
                f"or its gradient is not finite.",
                "log(sigmoid(s)) is -softplus(-s), log(1 - sigmoid(s)) is -softplus(s).",
            )


def needs_real_truly(subject: Subject) -> None:
    """`needs_real_scores` says whether the generator's loss reads the real scores, which the game then computes."""
    loss: Loss = subject.build()
    real, fake = scores(6)
    with torch.no_grad():
        value, other = loss.generator(fake, real), loss.generator(fake, real + 1.0)
    if loss.needs_real_scores:
        remedy = "set needs_real_scores = False: a pass of the discriminator is spent on them."
        require(not torch.equal(value, other), "needs_real_scores is True, and they change nothing.", remedy)
    else:
        remedy = "set needs_real_scores = True."
        require(torch.equal(value, other), "needs_real_scores is False, and the real scores change it.", remedy)
        require(torch.equal(value, loss.generator(fake)), "without real scores it gives another value.", remedy)


def refuses_unpaired(subject: Subject) -> None:
    """Scores (N,) and (N, 1) are not compared each with each: they are refused, or give what equal shapes do."""
    loss: Loss = subject.build()
    real, fake = scores(6)
    with torch.no_grad():
        right = dict(both(loss, real, fake))
        for player, value in right.items():
            try:
                seen = dict(both(loss, real, fake[:, None]))[player]
            except (GanzooError, ValueError, RuntimeError):
                continue
            require(
                torch.allclose(seen, value),
                f"of real scores (6,) and fake ones (6, 1) the {player}'s loss is {seen.item():.3g}, "
                f"and {value.item():.3g} where both are (6,).",
                "torch subtracts such scores each from each: raise ganzoo.errors.GanzooError where shapes differ.",
            )


def takes_any_shape(subject: Subject) -> None:
    """Scores of patches (N, 1, h, w) count like scores of as many samples: the mean is over all of them."""
    loss: Loss = subject.build()
    real, fake = scores(4, 1, 3, 3)
    with torch.no_grad():
        for (player, patches), (_, flat) in zip(
            both(loss, real, fake), both(loss, real.flatten(), fake.flatten()), strict=True
        ):
            if patches.ndim or not torch.allclose(patches, flat, rtol=1e-5, atol=1e-6):
                raise Failure(
                    f"the {player}'s loss of 4 x 9 patches is {patches.tolist()}, of the same 36 scores {flat.item()}.",
                    "take the mean over everything: `.mean()`, no `dim`.",
                )


def computes_in_float32(subject: Subject) -> None:
    """Of bfloat16 scores, as networks give them under autocast, it makes a float32 loss with a float32's precision."""
    loss: Loss = subject.build()
    real, fake = (given.detach().bfloat16() for given in scores(64))
    for (player, coarse), (_, exact) in zip(
        both(loss, real, fake), both(loss, real.float(), fake.float()), strict=True
    ):
        remedy = "begin with `scores.float()` (ganzoo.full_precision)."
        require(coarse.dtype == torch.float32, f"of bfloat16 scores the {player}'s loss is {coarse.dtype}.", remedy)
        close = torch.allclose(coarse, exact, rtol=1e-5, atol=1e-6)
        require(close, f"of bfloat16 scores the {player}'s loss is {coarse.item()}, not {exact.item()}.", remedy)


def logs_scalars(subject: Subject) -> None:
    """What a loss tells besides, from detached scores (`metrics`), are finite scalar tensors."""
    loss: Loss = subject.build()
    for name, value in loss.metrics(*(given.detach() for given in scores(6))).items():
        right = isinstance(value, Tensor) and value.ndim == 0 and bool(value.isfinite())
        require(right, f"{name} is {value!r}.", "return `value.mean()`, a tensor without dimensions.")
