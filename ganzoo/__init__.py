"""ganzoo: a plugin-based zoo of generative adversarial networks.

`ganzoo.train(recipe)` plays a recipe and returns the run; `ganzoo.load(directory)` returns one played before. Plugin
authors find every class to inherit from here too. Importing ganzoo imports no torch: names are resolved when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.comparison import Comparison as Comparison
    from ganzoo.comparison import compare as compare
    from ganzoo.components import Component as Component
    from ganzoo.doctor.diagnosis import diagnose as diagnose
    from ganzoo.doctor.finding import Finding as Finding
    from ganzoo.errors import GanzooError as GanzooError
    from ganzoo.errors import OptionError as OptionError
    from ganzoo.evaluation import evaluate as evaluate
    from ganzoo.game import Draw as Draw
    from ganzoo.game import Game as Game
    from ganzoo.game import Move as Move
    from ganzoo.game import Parts as Parts
    from ganzoo.hookspecs import hookimpl as hookimpl
    from ganzoo.interfaces import Batch as Batch
    from ganzoo.interfaces import Dataset as Dataset
    from ganzoo.interfaces import DatasetInfo as DatasetInfo
    from ganzoo.interfaces import Discriminator as Discriminator
    from ganzoo.interfaces import Examples as Examples
    from ganzoo.interfaces import Generator as Generator
    from ganzoo.interfaces import Loss as Loss
    from ganzoo.interfaces import Regularizer as Regularizer
    from ganzoo.interfaces import Schedule as Schedule
    from ganzoo.interfaces import Shape as Shape
    from ganzoo.interfaces import Source as Source
    from ganzoo.interfaces import Translator as Translator
    from ganzoo.launch import resume as resume
    from ganzoo.launch import train as train
    from ganzoo.metrics.interface import Extractor as Extractor
    from ganzoo.metrics.interface import Features as Features
    from ganzoo.metrics.interface import Metric as Metric
    from ganzoo.metrics.interface import MetricError as MetricError
    from ganzoo.metrics.interface import Samples as Samples
    from ganzoo.metrics.score import Score as Score
    from ganzoo.run import Run as Run
    from ganzoo.run import load as load

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "comparison",
    "compare": "comparison",
    "Component": "components",
    "diagnose": "doctor.diagnosis",
    "Finding": "doctor.finding",
    "GanzooError": "errors",
    "OptionError": "errors",
    "Draw": "game",
    "Game": "game",
    "Move": "game",
    "Parts": "game",
    "hookimpl": "hookspecs",
    "Batch": "interfaces",
    "Dataset": "interfaces",
    "DatasetInfo": "interfaces",
    "Discriminator": "interfaces",
    "Examples": "interfaces",
    "Generator": "interfaces",
    "Loss": "interfaces",
    "Regularizer": "interfaces",
    "Schedule": "interfaces",
    "Shape": "interfaces",
    "Source": "interfaces",
    "Translator": "interfaces",
    "evaluate": "evaluation",
    "resume": "launch",
    "train": "launch",
    "Extractor": "metrics.interface",
    "Features": "metrics.interface",
    "Metric": "metrics.interface",
    "MetricError": "metrics.interface",
    "Samples": "metrics.interface",
    "Score": "metrics.score",
    "Run": "run",
    "load": "run",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ganzoo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
