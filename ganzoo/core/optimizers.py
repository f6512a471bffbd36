"""torch's optimizers, with the defaults that adversarial training is known for and the quickest step the device has.

A fused step updates all parameters in one kernel. There is none on the meta device, where a recipe is rehearsed, and
none for RMSprop, which torch steps in a few kernels for all parameters on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import nn

from ganzoo.errors import OptionError

Rate = Annotated[float, Interval(gt=0.0, le=1e3)]
Beta = Annotated[float, Interval(ge=0.0, lt=1.0)]
Epsilon = Annotated[float, Interval(gt=0.0, le=1.0)]
Decay = Annotated[float, Interval(ge=0.0, le=1e3)]


def adam(
    params: Iterable[nn.Parameter],
    *,
    lr: Rate = 2e-4,
    betas: tuple[Beta, Beta] = (0.5, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980), with the lr and beta1 of DCGAN (arXiv:1511.06434) as defaults.

    lr: step size; betas: decay of the averages of the gradient and of its square; eps: added to the root of the
    latter; weight_decay: added to the gradient, times the weight.
    """
    params = list(params)
    fused = can_fuse(params)
    return Adam(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)


class Adam(torch.optim.Adam):
    """torch's Adam, whose fused step on a CPU goes to the kernel without asking again what cannot have changed.

    State, groups and numbers are torch's. It is 2 % of a step of the MLP GAN: what torch asks of each parameter at each
    step takes longer than the kernel's work on all the small ones.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step. torch takes it where there is no fused kernel, no state yet, or not every gradient."""
        params = [param for group in self.param_groups for param in group["params"]]
        quick = all(param.is_cpu and param.grad is not None and self.state.get(param) for param in params)
        if closure is not None or not quick or not all(group["fused"] for group in self.param_groups):
            return torchs_step(self, closure)
        for group in self.param_groups:
            states = [self.state[param] for param in group["params"]]
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(
                group["params"],
                [param.grad for param in group["params"]],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )
        return None


def torchs_step(optimizer: torch.optim.Adam, closure: Callable[[], Any] | None) -> Any:
    """Adam's step as torch has it, without the hooks: torch wraps them around a class's `step` once it has made such an
    optimizer, and around ours too, which would call them twice.
    """
    step = torch.optim.Adam.step
    return (
        getattr(step, "__wrapped__", step)(optimizer, closure) if hasattr(step, "hooked") else step(optimizer, closure)
    )


def adamw(
    params: Iterable[nn.Parameter],
    *,
    lr: Rate = 2e-4,
    betas: tuple[Beta, Beta] = (0.5, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.01,
) -> torch.optim.Optimizer:
    """Adam whose weight decay is apart from the gradient (Loshchilov and Hutter, 2019, arXiv:1711.05101).

    lr: step size; betas: decay of the averages of the gradient and of its square; eps: added to the root of the
    latter; weight_decay: each step takes lr * weight_decay of the weight.
    """
    params = list(params)
    fused = can_fuse(params)
    return torch.optim.AdamW(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)


def rmsprop(
    params: Iterable[nn.Parameter],
    *,
    lr: Rate = 5e-5,
    alpha: Beta = 0.99,
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
    momentum: Beta = 0.0,
    centered: bool = False,
) -> torch.optim.Optimizer:
    """RMSprop (Hinton's course, 2012, lecture 6), WGAN's choice, with its lr (arXiv:1701.07875) as default.

    lr: step size; alpha: decay of the average of the squared gradient; eps: added to its root; weight_decay: added
    to the gradient, times the weight; momentum: of the steps; centered: divide by the gradient's standard deviation.
    """
    return torch.optim.RMSprop(
        list(params),
        lr=lr,
        alpha=alpha,
        eps=eps,
        weight_decay=weight_decay,
        momentum=momentum,
        centered=centered,
    )


def sgd(
    params: Iterable[nn.Parameter],
    *,
    lr: Rate = 1e-2,
    momentum: Beta = 0.0,
    nesterov: bool = False,
    weight_decay: Decay = 0.0,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent, as in Algorithm 1 of Goodfellow et al. (2014, arXiv:1406.2661).

    lr: step size; momentum: share of the step before that goes on; nesterov: look ahead along the momentum;
    weight_decay: added to the gradient, times the weight. Raises: OptionError if nesterov has no momentum to follow.
    """
    if nesterov and momentum == 0.0:
        raise OptionError("sgd: nesterov = true needs a momentum above 0.", remedy="Set momentum = 0.9, for example.")
    params = list(params)
    fused = can_fuse(params)
    return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=fused)


def can_fuse(params: Sequence[nn.Parameter]) -> bool:
    """Whether torch has one kernel for the step of all these parameters."""
    return all(param.is_floating_point() and param.device.type in ("cpu", "cuda") for param in params)
