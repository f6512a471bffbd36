"""The component under test, built with the default options of a recipe."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.core.data import Shape
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import GanzooError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.check import check
from ganzoo.recipe.model import Choice
from ganzoo.recipe.options import Option, options_of
from ganzoo.recipe.parts import BuildError, build
from ganzoo.testing.failure import Failure, NotChecked
from ganzoo.testing.streams import start_stream

N_CLASSES = 10
"""Classes of the synthetic data."""

SHAPES: tuple[Shape, ...] = ((1, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 64), (2,))
"""Sample shapes that every network is tested with."""

LARGER_SHAPES: tuple[Shape, ...] = ((1, 64, 64), (3, 128, 128), (3, 256, 256))
"""Sample shapes for networks that refuse all of SHAPES."""


class Subject:
    """One entry on a shelf. Properties that can fail are evaluated when used."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def __str__(self) -> str:
        return f"{self.entry.shelf} {self.entry.name}"

    @cached_property
    def target(self) -> Any:
        """The class or function. Raises: PluginError."""
        return zoo().resolve(self.entry)

    @cached_property
    def options(self) -> Mapping[str, Option]:
        """The constructor's options. Raises: PluginError where they cannot be read."""
        return options_of(self.target, shelf=self.entry.shelf, whose=str(self))

    @cached_property
    def choice(self) -> Choice:
        """The component with its default options, or with those of an installed recipe if one has no default.

        Raises: NotChecked where there is no such recipe.
        """
        required = [name for name, option in self.options.items() if option.required]
        if not required:
            checked = check({}, self.options, key=(), place=lambda _: "", whose=str(self))
            filled = tuple(name for name, option in self.options.items() if option.from_data)
            return Choice(self.entry.shelf, self.entry, checked.values, filled)
        for entry in zoo().entries("recipe"):
            try:
                choices = list(read_recipe(zoo().recipe_path(entry)).choices())
            except GanzooError:
                continue
            if found := next((choice for choice in choices if choice.entry == self.entry), None):
                return found
        raise NotChecked(f"{' and '.join(required)} must be given, and no installed recipe gives it", blocks=True)

    def build(self, *first: Any, seed: int = 0, shape: Shape = (), **given: Any) -> Any:
        """A new one, its random numbers drawn from `seed`. first: what the engine gives ("params"); shape: the data's.

        Raises: what the constructor raises.
        """
        from_data = {"sample_shape": shape, "n_classes": N_CLASSES, "input_shape": None}
        filled = {name: from_data[name] for name in self.choice.filled}
        start_stream(seed)
        try:
            return build(self.choice, *first, **{**filled, **given})
        except BuildError as error:
            raise error.cause from None

    @cached_property
    def network(self) -> Network:
        """The network at the first shape that it accepts. Raises: Failure if it accepts none."""
        for shape in (*SHAPES, *LARGER_SHAPES):
            network = Network(self, shape)
            try:
                network.build()
            except GanzooError:
                continue
            return network
        raise Failure(
            "it refuses samples of every shape that was tried: "
            f"{', '.join(map(format_shape, (*SHAPES, *LARGER_SHAPES)))}.",
            "raise OptionError only for what it truly cannot do.",
        )


class Network:
    """A generator or discriminator for samples of one shape, with its inputs."""

    def __init__(self, subject: Subject, shape: Shape) -> None:
        self.subject = subject
        self.shape = shape

    def build(self, seed: int = 0) -> nn.Module:
        """A new one. Raises: Failure where it is no module."""
        made = self.subject.build(shape=self.shape, seed=seed)
        if not isinstance(made, nn.Module):
            raise Failure(f"{self.subject} is a {type(made).__name__}.", "inherit from ganzoo's class for this shelf.")
        return made

    def inputs(self, module: nn.Module, n: int, seed: int = 0) -> tuple[Tensor, ...]:
        """The inputs of its forward: latents or samples, and labels if it names them."""
        with own_randomness(torch.device("cpu")):
            start_stream(1000 + seed)
            first = module.latents(n) if takes_latents(module) else samples_like(self.shape, n)  # type: ignore[operator]
            labels = torch.arange(n) % N_CLASSES
        named = "labels" in inspect.signature(module.forward).parameters
        return (first, labels) if named and "n_classes" in self.subject.choice.filled else (first,)


def takes_latents(module: nn.Module) -> bool:
    """Whether it is a generator from latents; translators have no `latent_dim`."""
    return hasattr(module, "latent_dim")


def samples_like(shape: Shape, n: int) -> Tensor:
    """n random samples: images in [-1, 1], points around the origin."""
    return torch.rand(n, *shape) * 2 - 1 if len(shape) > 1 else torch.randn(n, *shape)


def perturbed(module: nn.Module) -> nn.Module:
    """The same module with noise added to every weight, so that zero-initialised weights are not taken for unused."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return module


def format_shape(shape: Shape) -> str:
    """A shape as in test ids: "3x32x32", "2 numbers"."""
    return "x".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} numbers"
