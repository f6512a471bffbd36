"""The engine's own components, registered in the same way as those of any plugin. Imports no torch."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ganzoo.plugins.components import NAME, Component
from ganzoo.plugins.hookspecs import hookimpl

GAMES = [("two-player", "core.two_player:TwoPlayer", "a generator against a discriminator", "arXiv:1406.2661")]
LOSSES = [
    ("minimax", "core.losses:Minimax", "the original, saturating objective", "arXiv:1406.2661"),
    ("non-saturating", "core.losses:NonSaturating", "the generator maximises log D(G(z))", "arXiv:1406.2661"),
    ("least-squares", "core.losses:LeastSquares", "scores are regressed on targets", "arXiv:1611.04076"),
    ("hinge", "core.losses:Hinge", "a margin for the discriminator", "arXiv:1705.02894"),
    ("wasserstein", "core.losses:Wasserstein", "the critic estimates a distance", "arXiv:1701.07875"),
    ("relativistic", "core.losses:Relativistic", "real against generated, in pairs", "arXiv:1807.00734"),
]
REGULARIZERS = [
    ("gradient-penalty", "core.regularizers:GradientPenalty", "gradients of norm one in between", "arXiv:1704.00028"),
    ("r1", "core.regularizers:R1", "small gradients at real samples", "arXiv:1801.04406"),
    ("r2", "core.regularizers:R2", "small gradients at generated samples", "arXiv:1801.04406"),
    ("weight-clip", "core.regularizers:WeightClip", "weights held in a box", "arXiv:1701.07875"),
]
AUGMENTATIONS = [
    (
        "instance-noise",
        "core.augmentations:InstanceNoise",
        "Gaussian noise, on samples of any shape",
        "arXiv:1610.04490",
    ),
    ("flip", "core.augmentations:Flip", "images mirrored left to right", ""),
    ("translation", "core.augmentations:Translation", "images shifted by whole pixels", "arXiv:2006.10738"),
    ("cutout", "core.augmentations:Cutout", "a grey rectangle in each image", "arXiv:2006.10738"),
]
OPTIMIZERS = [
    ("adam", "core.optimizers:adam", "adaptive moments", "arXiv:1412.6980"),
    ("adamw", "core.optimizers:adamw", "Adam with decoupled weight decay", "arXiv:1711.05101"),
    ("rmsprop", "core.optimizers:rmsprop", "gradients over their running root mean square", ""),
    ("sgd", "core.optimizers:sgd", "stochastic gradient descent, with momentum or without", ""),
]
SCHEDULES = [
    ("constant", "core.schedules:Constant", "the same learning rate throughout", ""),
    ("linear-decay", "core.schedules:LinearDecay", "constant for a while, then a straight line down", ""),
    ("cosine", "core.schedules:Cosine", "half a cosine down", "arXiv:1608.03983"),
]
DATASETS = [
    ("mnist", "datasets.mnist:MNIST", "70,000 handwritten digits, 28x28", "doi:10.1109/5.726791"),
    ("fashion-mnist", "datasets.mnist:FashionMNIST", "70,000 articles of clothing, 28x28", "arXiv:1708.07747"),
    ("kmnist", "datasets.mnist:KMNIST", "70,000 cursive Japanese characters, 28x28", "arXiv:1812.01718"),
    ("cifar10", "datasets.cifar10:CIFAR10", "60,000 colour photographs of ten kinds, 32x32", ""),
    ("image-folder", "datasets.image_folder:ImageFolder", "any folder of images", ""),
    ("unpaired-folders", "datasets.domain_folders:UnpairedFolders", "two domains of images, each by itself", ""),
    ("paired-folders", "datasets.domain_folders:PairedFolders", "two domains of images that belong together", ""),
    ("glyphs", "datasets.glyphs:Glyphs", "70,000 digits that ganzoo draws itself, offline", ""),
    ("stacked-mnist", "datasets.stacked:StackedMNIST", "three digits in one: 1,000 modes", "arXiv:1712.04086"),
    ("stacked-glyphs", "datasets.stacked:StackedGlyphs", "the same of drawn digits, offline", "arXiv:1712.04086"),
    ("glyph-domains", "datasets.glyph_domains:GlyphDomains", "thin white digits and thick coloured ones, offline", ""),
    ("gaussians", "datasets.gaussians:Gaussians", "points: a ring of 8 or a grid of 25 modes", "arXiv:1705.07761"),
]
METRICS = [
    ("fid", "metrics.fidelity:FID", "distance between Gaussians fitted to features", "arXiv:1706.08500"),
    ("kid", "metrics.fidelity:KID", "kernel distance between features", "arXiv:1801.01401"),
    ("inception-score", "metrics.fidelity:InceptionScore", "confident and varied classes", "arXiv:1606.03498"),
    ("precision-recall", "metrics.fidelity:PrecisionRecall", "quality and variety, apart", "arXiv:1904.06991"),
    ("density-coverage", "metrics.neighbours:DensityCoverage", "the same, robust to outliers", "arXiv:2002.09797"),
    ("label-accuracy", "metrics.label_accuracy:LabelAccuracy", "samples that are of their label", "arXiv:1610.09585"),
    ("modes", "metrics.modes:Modes", "modes captured of stacked digits", "arXiv:1712.04086"),
    ("gaussian-modes", "metrics.gaussian_modes:GaussianModes", "modes captured of a mixture", "arXiv:1705.07761"),
]
KINDS = [
    ("image", "kinds.image:Image", "pixels of any number of channels, 8 or 16 bits deep", ""),
    ("point", "kinds.point:Point", "vectors of a few numbers, drawn in the plane", ""),
]
EXTRACTORS = [
    ("inception", "metrics.inception:Inception", "the network of the published scores, downloaded", "arXiv:1512.00567"),
    ("flatten", "metrics.flatten:Flatten", "the numbers of a sample themselves, for samples of any kind", ""),
    ("digits", "metrics.digits:Digits", "a small classifier, trained here on the data set's labels", ""),
]
COMMANDS = [
    ("run", "cli.run:run", "Train: play a recipe.", ""),
    ("resume", "cli.resume:resume", "Go on exactly where a run stopped.", ""),
    ("list", "cli.list:list_", "The zoo: models, losses, data sets, recipes, plugins.", ""),
    ("show", "cli.show:show", "One thing, or every effective value of a recipe.", ""),
    ("sample", "cli.sample:sample", "Pictures, animations or arrays from a run.", ""),
    ("report", "cli.report:report", "A run as one HTML page.", ""),
    ("compare", "cli.compare:compare", "Runs side by side: settings that differ, scores, curves, samples.", ""),
    ("card", "cli.card:card", "A model card from runs of one recipe, with its scores beside the papers'.", ""),
    ("evaluate", "cli.evaluate:evaluate", "Score a run: FID, KID, precision and recall, modes captured.", ""),
    ("doctor", "cli.doctor:doctor", "What this machine has, or what is wrong with a run's training.", ""),
    ("benchmark", "cli.benchmark:benchmark", "A suite of recipes over several seeds, in one table.", ""),
    ("new", "cli.new:new", "A plugin package of your own, ready to be changed and published.", ""),
    ("check", "cli.check:check", "An installed plugin against every contract.", ""),
]
"""In the order of `ganzoo --help`, which is the order in which a new user needs them."""

COMPONENTS_BY_SHELF = {
    "game": GAMES,
    "loss": LOSSES,
    "regularizer": REGULARIZERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
    "dataset": DATASETS,
    "kind": KINDS,
    "metric": METRICS,
    "extractor": EXTRACTORS,
    "command": COMMANDS,
}
"""Shelf -> (name, target inside ganzoo, summary, paper) of each component."""


@hookimpl
def ganzoo_observers(note: Callable[[str, str], None]) -> Sequence[object]:
    """The doctor, which examines each row of metrics during a run."""
    return [pkgutil.resolve_name("ganzoo.evaluation.doctor.live:DoctorObserver")(note)]


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """All components of the engine, from games to commands, and the recipes that it ships."""
    own = [component for shelf in COMPONENTS_BY_SHELF for component in builtin_components(shelf)]
    return [*own, *shipped_recipes(Path(__file__).parent.parent)]


def builtin_components(shelf: str) -> list[Component]:
    """The engine's own components on a shelf, in the order of this file."""
    return [
        Component(shelf, name, f"ganzoo.{target}", summary, paper)
        for name, target, summary, paper in COMPONENTS_BY_SHELF[shelf]
    ]


MAX_RECIPE = 1 << 20


def shipped_recipes(package: Path) -> Iterator[Component]:
    """The recipes that ganzoo ships: inside the package's folder in a wheel, next to it in a checkout."""
    folder = next((folder for folder in ("recipes", "../recipes") if (package / folder).is_dir()), "recipes")
    for path in sorted((package / folder).glob("*.toml")):
        if NAME.fullmatch(path.stem) and path.is_file():  # a copy of somebody's beside them, a pipe
            yield Component("recipe", path.stem, f"ganzoo:{folder}/{path.name}", description_of(path))


def description_of(path: Path) -> str:
    """The description in a recipe's file, or why it cannot be read."""
    try:
        if path.stat().st_size > MAX_RECIPE:
            return "cannot be read: it is larger than 1 MiB"
        description = tomllib.loads(path.read_text(encoding="utf-8")).get("description", "")
    except (OSError, ValueError, RecursionError) as error:
        description = f"cannot be read: {error}"
    return "".join(letter if letter.isprintable() else " " for letter in str(description)[:500])
