"""A network under test: the options and the data that it is tried with, and its inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from ganzoo.core.conditions import conditions_of
from ganzoo.core.data import DatasetInfo, Shape
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import GanzooError, OptionError
from ganzoo.kinds.kind import Kind
from ganzoo.plugins import error_location, error_text
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.model import Choice
from ganzoo.testing.failure import Failure, NotChecked
from ganzoo.testing.streams import start_stream
from ganzoo.testing.subject import Subject
from ganzoo.testing.synthetic import LARGER, STANDARD, info_without_files, stored_examples

LARGE = 3 * 128 * 128
"""Numbers in a sample from which the standard data are tried before those of a recipe."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a network is tried with. info: the data; choice: its options, None for the defaults; recipe: its name."""

    info: DatasetInfo
    choice: Choice | None = None
    recipe: str = ""

    def __str__(self) -> str:
        """As in names of checks: "3x32x32", "17 numbers of third_token"."""
        return format_shape(self.info.sample_shape) + (f" of {self.recipe}" if self.recipe else "")


class Network:
    """A generator, a discriminator or an augmentation for samples of one data set, with its inputs."""

    def __init__(self, subject: Subject, case: Case) -> None:
        self.subject = subject
        self.case = case

    @property
    def info(self) -> DatasetInfo:
        """The data that it is for."""
        return self.case.info

    @cached_property
    def kinds(self) -> FieldKinds:
        """The kinds of the data's fields."""
        return FieldKinds(self.info)

    @property
    def kind(self) -> Kind:
        """The kind of the samples."""
        return self.kinds.sample

    @property
    def shape(self) -> Shape:
        """The shape of one sample as networks see it."""
        return self.kinds.unit_shape(self.info.sample_key)

    def build(self, seed: int = 0, **given: object) -> nn.Module:
        """A new one. Raises: Failure where it is no module; OptionError for a condition that the data do not give."""
        made = self.subject.build(seed=seed, choice=self.case.choice, info=self.info, **given)
        if not isinstance(made, nn.Module):
            raise Failure(f"{self.subject} is a {type(made).__name__}.", "inherit from ganzoo's class for this shelf.")
        if lacking := [key for key in conditions_of(made) if key not in self.info.gives]:
            raise OptionError(f"it is conditioned on {' and '.join(lacking)}, which these data do not give.")
        return made

    def inputs(self, module: nn.Module, n: int, seed: int = 0) -> tuple[Tensor, ...]:
        """The inputs of its forward: n latents or samples, and a value of each of its conditions, in their order."""
        with own_randomness(torch.device("cpu")):
            start_stream(1000 + seed)
            first = module.latents(n) if takes_latents(module) else samples_like(self.kind, self.input_shape, n)  # type: ignore[operator]
        return (first, *(self.condition(key, n) for key in conditions_of(module)))

    @property
    def input_shape(self) -> Shape:
        """The shape of a sample that it is given: a translator's is of the first domain."""
        if "input_shape" in (self.case.choice or self.subject.choice).filled and self.info.domains:
            return self.kinds.unit_shape(self.info.domains[0])
        return self.shape

    def condition(self, key: str, n: int) -> Tensor:
        """n values of a condition, as networks see them."""
        stored = stored_examples(self.kinds, key, n, torch.Generator().manual_seed(2))
        return self.kinds.to_unit(key, stored)


def cases_of(subject: Subject) -> list[Case]:
    """The data of its plugin's own recipes that use it, with their options, and standard data of the same kinds.

    Where no recipe of its plugin uses it, or their data cannot be described without files: the standard data.
    """
    own = []
    for entry, recipe in subject.own_recipes.items():
        if info := described((recipe.dataset, recipe.fallback)):
            own.append(Case(info, subject.chosen_by(recipe), entry.name))
    kinds = {case.info.kind for case in own}
    standard = [Case(info) for info in STANDARD if not own or info.kind in kinds]
    small = [case for case in own if not standard or math.prod(case.info.sample_shape) < LARGE]
    return [*small, *standard, *(case for case in own if case not in small)]


def described(choices: Sequence[Choice | None]) -> DatasetInfo | None:
    """The description of the first data set that gives one without files; its own checks report what it raises."""
    for choice in choices:
        with suppress(Exception):
            if choice is not None and (info := info_without_files(choice)) and info.sample_shape:
                return info
    return None


class FirstNetwork:
    """The network at the first case that it accepts, once it is asked for."""

    def __init__(self, subject: Subject, cases: Sequence[Case]) -> None:
        self.subject = subject
        self.cases = cases

    @cached_property
    def network(self) -> Network:
        """Raises: Failure if it accepts none."""
        larger = [] if any(case.recipe for case in self.cases) else [Case(info) for info in LARGER]
        for case in (*self.cases, *larger):
            network = Network(self.subject, case)
            try:
                network.build()
            except GanzooError:
                continue
            return network
        raise Failure(
            f"it refuses samples of every shape that was tried: {', '.join(map(str, (*self.cases, *larger)))}.",
            "raise OptionError only for what it truly cannot do; ship a recipe that uses it, with data that it takes.",
        )


def build_or_skip(network: Network) -> nn.Module:
    """A new network. Raises: NotChecked where it refuses these data as it should; Failure where it crashes."""
    try:
        return network.build()
    except GanzooError as refusal:
        raise NotChecked(f"refused: {refusal.what}") from refusal
    except (Failure, NotChecked):
        raise
    except Exception as error:
        raise Failure(
            f"building it for samples {network.shape} raises {type(error).__name__}: {error_text(error)}"
            f"{error_location(error)}",
            "refuse what it cannot make with ganzoo.OptionError(what, remedy=...), which is shown to the user.",
        ) from error


def takes_latents(module: nn.Module) -> bool:
    """Whether it is a generator from latents; translators have no `latent_dim`."""
    return hasattr(module, "latent_dim")


def samples_like(kind: Kind, shape: Shape, n: int) -> Tensor:
    """n random samples (n, *shape): all over the kind's bounds; normal where it has none."""
    if kind.bounds is None:
        return torch.randn(n, *shape)
    low, high = kind.bounds
    return torch.rand(n, *shape) * (high - low) + low


def perturbed(module: nn.Module) -> nn.Module:
    """The same module with noise added to every weight, so that zero-initialised weights are not taken for unused."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return module


def format_shape(shape: Shape) -> str:
    """A shape as in test ids: "3x32x32", "2 numbers"."""
    return "x".join(map(str, shape)) if shape[1:] else f"{shape[0]} numbers"
