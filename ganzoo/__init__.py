"""ganzoo: a plugin-based zoo of generative adversarial networks.

`ganzoo.train(recipe)` plays a recipe and returns the run; `ganzoo.load(directory)` returns one played before. Plugin
authors find every class to inherit from here too. Importing ganzoo imports no torch: names are resolved when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.core.conditions import Given as Given
    from ganzoo.core.conditions import conditioned as conditioned
    from ganzoo.core.conditions import conditions_of as conditions_of
    from ganzoo.core.data import Batch as Batch
    from ganzoo.core.data import Dataset as Dataset
    from ganzoo.core.data import DatasetInfo as DatasetInfo
    from ganzoo.core.data import Examples as Examples
    from ganzoo.core.data import Field as Field
    from ganzoo.core.data import Shape as Shape
    from ganzoo.core.data import Source as Source
    from ganzoo.core.game import Draw as Draw
    from ganzoo.core.game import Game as Game
    from ganzoo.core.game import Move as Move
    from ganzoo.core.game import Parts as Parts
    from ganzoo.core.game import PlayerRole as PlayerRole
    from ganzoo.core.game import Preview as Preview
    from ganzoo.core.interfaces import Augmentation as Augmentation
    from ganzoo.core.interfaces import Discriminator as Discriminator
    from ganzoo.core.interfaces import Generator as Generator
    from ganzoo.core.interfaces import Loss as Loss
    from ganzoo.core.interfaces import Regularizer as Regularizer
    from ganzoo.core.interfaces import Schedule as Schedule
    from ganzoo.core.interfaces import Translator as Translator
    from ganzoo.core.latents import slerp as slerp
    from ganzoo.core.latents import walk_latents as walk_latents
    from ganzoo.core.losses import Hinge as Hinge
    from ganzoo.core.losses import LeastSquares as LeastSquares
    from ganzoo.core.losses import Minimax as Minimax
    from ganzoo.core.losses import NonSaturating as NonSaturating
    from ganzoo.core.losses import Relativistic as Relativistic
    from ganzoo.core.losses import Wasserstein as Wasserstein
    from ganzoo.core.losses import full_precision as full_precision
    from ganzoo.core.noise import joint as joint
    from ganzoo.core.regularizers import R1 as R1
    from ganzoo.core.regularizers import R2 as R2
    from ganzoo.core.regularizers import GradientPenalty as GradientPenalty
    from ganzoo.core.regularizers import LazyPenalty as LazyPenalty
    from ganzoo.core.regularizers import WeightClip as WeightClip
    from ganzoo.core.regularizers import gradient as gradient
    from ganzoo.core.scores import chance as chance
    from ganzoo.core.scores import over_scales as over_scales
    from ganzoo.core.scores import scales as scales
    from ganzoo.core.two_player import TwoPlayer as TwoPlayer
    from ganzoo.datasets.atomic import replace_file as replace_file
    from ganzoo.errors import GanzooError as GanzooError
    from ganzoo.errors import MetricError as MetricError
    from ganzoo.errors import OptionError as OptionError
    from ganzoo.evaluation.comparison import Comparison as Comparison
    from ganzoo.evaluation.comparison import compare as compare
    from ganzoo.evaluation.doctor.diagnosis import diagnose as diagnose
    from ganzoo.evaluation.doctor.finding import Finding as Finding
    from ganzoo.evaluation.evaluate import evaluate as evaluate
    from ganzoo.kinds.kind import Kind as Kind
    from ganzoo.kinds.kind import Media as Media
    from ganzoo.metrics.interface import Extractor as Extractor
    from ganzoo.metrics.interface import Features as Features
    from ganzoo.metrics.interface import Metric as Metric
    from ganzoo.metrics.interface import Samples as Samples
    from ganzoo.plugins.components import Component as Component
    from ganzoo.plugins.hookspecs import hookimpl as hookimpl
    from ganzoo.runs.run import Run as Run
    from ganzoo.runs.run import load as load
    from ganzoo.runs.score import Score as Score
    from ganzoo.training.launch import train as train
    from ganzoo.training.resume import resume as resume

__version__ = "0.1.0"

_NAMES = {
    "core.conditions": ("Given", "conditioned", "conditions_of"),
    "core.game": ("Draw", "Game", "Move", "Parts", "PlayerRole", "Preview"),
    "core.data": ("Batch", "Dataset", "DatasetInfo", "Examples", "Field", "Shape", "Source"),
    "core.interfaces": (
        "Augmentation",
        "Discriminator",
        "Generator",
        "Loss",
        "Regularizer",
        "Schedule",
        "Translator",
    ),
    "core.latents": ("slerp", "walk_latents"),
    "core.losses": (
        "Hinge",
        "LeastSquares",
        "Minimax",
        "NonSaturating",
        "Relativistic",
        "Wasserstein",
        "full_precision",
    ),
    "core.noise": ("joint",),
    "core.regularizers": ("R1", "R2", "GradientPenalty", "LazyPenalty", "WeightClip", "gradient"),
    "core.scores": ("chance", "over_scales", "scales"),
    "core.two_player": ("TwoPlayer",),
    "datasets.atomic": ("replace_file",),
    "errors": ("GanzooError", "MetricError", "OptionError"),
    "evaluation.comparison": ("Comparison", "compare"),
    "evaluation.doctor.diagnosis": ("diagnose",),
    "evaluation.doctor.finding": ("Finding",),
    "evaluation.evaluate": ("evaluate",),
    "kinds.kind": ("Kind", "Media"),
    "metrics.interface": ("Extractor", "Features", "Metric", "Samples"),
    "plugins.components": ("Component",),
    "plugins.hookspecs": ("hookimpl",),
    "runs.run": ("Run", "load"),
    "runs.score": ("Score",),
    "training.launch": ("train",),
    "training.resume": ("resume",),
}
"""Module -> the public names that live there."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ganzoo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
