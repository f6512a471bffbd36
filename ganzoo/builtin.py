"""The engine's own components, through the same door as everybody's. Imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganzoo.components import Component
from ganzoo.hookspecs import hookimpl


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """Games, losses, regularizers, optimizers, schedules and data sets of the engine, and the recipes it ships."""
    return [
        Component(
            "game", "two-player", "ganzoo.two_player:TwoPlayer", "a generator against a discriminator", "arXiv:1406.2661"
        ),
        Component("loss", "minimax", "ganzoo.losses:Minimax", "the original, saturating objective", "arXiv:1406.2661"),
        Component(
            "loss", "non-saturating", "ganzoo.losses:NonSaturating", "the generator maximises log D(G(z))", "arXiv:1406.2661"
        ),
        Component("loss", "least-squares", "ganzoo.losses:LeastSquares", "LSGAN: scores regressed on targets", "arXiv:1611.04076"),
        Component("loss", "hinge", "ganzoo.losses:Hinge", "a margin for the discriminator", "arXiv:1705.02894"),
        Component("loss", "wasserstein", "ganzoo.losses:Wasserstein", "the critic estimates a distance", "arXiv:1701.07875"),
        Component("loss", "relativistic", "ganzoo.losses:Relativistic", "real against generated, in pairs", "arXiv:1807.00734"),
        Component(
            "regularizer",
            "gradient-penalty",
            "ganzoo.regularizers:GradientPenalty",
            "WGAN-GP: gradients of norm one between real and generated",
            "arXiv:1704.00028",
        ),
        Component("regularizer", "r1", "ganzoo.regularizers:R1", "no gradients at real samples", "arXiv:1801.04406"),
        Component("regularizer", "r2", "ganzoo.regularizers:R2", "no gradients at generated samples", "arXiv:1801.04406"),
        Component("regularizer", "weight-clip", "ganzoo.regularizers:WeightClip", "weights in a box", "arXiv:1701.07875"),
        Component("optimizer", "adam", "ganzoo.optimizers:adam", "Adam, fused", "arXiv:1412.6980"),
        Component("optimizer", "adamw", "ganzoo.optimizers:adamw", "Adam with decoupled weight decay", "arXiv:1711.05101"),
        Component("optimizer", "rmsprop", "ganzoo.optimizers:rmsprop", "RMSprop, as WGAN uses it"),
        Component("optimizer", "sgd", "ganzoo.optimizers:sgd", "stochastic gradient descent with momentum"),
        Component("schedule", "constant", "ganzoo.schedules:Constant", "the same learning rate throughout"),
        Component("schedule", "linear-decay", "ganzoo.schedules:LinearDecay", "constant, then a straight line down"),
        Component("schedule", "cosine", "ganzoo.schedules:Cosine", "half a cosine down", "arXiv:1608.03983"),
        Component("dataset", "mnist", "ganzoo.datasets.mnist:MNIST", "70,000 handwritten digits, 28x28"),
        Component(
            "dataset", "fashion-mnist", "ganzoo.datasets.mnist:FashionMNIST", "70,000 articles of clothing, 28x28", "arXiv:1708.07747"
        ),
        Component(
            "dataset", "kmnist", "ganzoo.datasets.mnist:KMNIST", "70,000 cursive Japanese characters, 28x28", "arXiv:1812.01718"
        ),
        Component("dataset", "cifar10", "ganzoo.datasets.cifar10:CIFAR10", "60,000 colour photographs, 32x32"),
        Component("dataset", "image-folder", "ganzoo.datasets.image_folder:ImageFolder", "any folder of images"),
        Component("dataset", "glyphs", "ganzoo.datasets.glyphs:Glyphs", "70,000 digits drawn by ganzoo, offline"),
        Component(
            "dataset", "gaussians", "ganzoo.datasets.gaussians:Gaussians", "points: a ring of 8 or a grid of 25", "arXiv:1705.07761"
        ),
        *recipes(),
    ]


def recipes() -> Iterator[Component]:
    """The recipes that ganzoo ships: in a wheel inside the package, in a checkout beside it."""
    package = Path(__file__).parent
    folder = next((path for path in (package / "recipes", package.parent / "recipes") if path.is_dir()), None)
    for path in sorted(folder.glob("*.toml")) if folder else ():
        try:
            summary = tomllib.loads(path.read_text(encoding="utf-8")).get("description", "")
        except (OSError, ValueError):
            summary = "(cannot be read)"
        yield Component("recipe", path.stem, f"ganzoo:recipes/{path.name}", str(summary))
