"""Mode collapse: are the samples as varied as real ones?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.distances import energy, nearest_other, spread
from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.samples import SampleSets

MIN_SPREAD = 0.3
"""The mean distance between two samples, as a share of that between two real ones, is less than this. Healthy runs
measured 0.45 to 0.85, in the features of a digit classifier, where blurred samples are near each other, too; collapsed
ones 0.01 to 0.47."""

MIN_NEAREST_DISTANCE = 0.45
"""Or the median distance from a sample to the one most like it is. Healthy: 0.62 to 1.3; collapsed: 0.003 to 0.46."""

MIN_DISTANCE = 0.01
"""But only if samples are farther than this from real ones, in energy distance: k samples over and over, spread as the
data are, measure 1/k. Points that are all over the modes, and only a little finer within each, measured 0.000 with a
nearest distance of 0.38 to 0.5 (`relativistic_gaussians`)."""

MIN_CLASS_SHARE = 0.05
"""A class is missing that is generated less than this often, against how often it is real. In healthy runs the rarest
class had a share of 0.2 of its due."""

MIN_DUE = 10
"""Samples of a class that are due among the generated ones, at least: of fewer, none may be there by chance."""


def mode_collapse(history: TrainingHistory, sampled: SampleSets) -> Outcome:
    """Checks whether the samples are much less varied than real ones, or classes are missing."""
    fake, real = sampled.fake, sampled.real
    if (spread_of_real := spread(real.features)) == 0:
        return NotExamined("mode collapse", f"real samples are all alike in {sampled.extractor}")
    relative_spread = spread(fake.features) / spread_of_real
    # half of the real samples may have an equal, as few tokens or levels of grey do
    real_distance = float(nearest_other(real.features).median())
    nearest_distance = float(nearest_other(fake.features).median()) / real_distance if real_distance else 1.0
    missing = missing_classes(sampled)
    alike = nearest_distance < MIN_NEAREST_DISTANCE and energy(fake.features, real.features) > MIN_DISTANCE
    if relative_spread >= MIN_SPREAD and not alike and not missing:
        return None
    said = [
        f"two samples are {relative_spread:.0%} as far apart as two real ones, and a sample's like is "
        f"{nearest_distance:.0%} as far away"
    ]
    if missing:
        said.append(f"missing classes: {', '.join(missing)}")
    return Finding(
        name="mode-collapse",
        severity="warning",
        seen=f"at step {sampled.step:,}, in {sampled.extractor}: {'; '.join(said)}",
        figures={"spread": relative_spread, "nearest": nearest_distance, "missing_classes": len(missing)},
        means="The generator has found a few samples that pass, and leaves out the rest of the data.",
        change=changes(history),
        otherwise=(history.scaled("generator", 0.5),),
        paper="arXiv:1712.04086",
        steps=(sampled.step, sampled.step),
    )


def missing_classes(sampled: SampleSets) -> list[str]:
    """The data set's classes that are hardly generated; empty if the extractor is not its classifier."""
    if not sampled.classes or not sampled.fake.logits.shape[1]:
        return []
    made, due = (
        side.logits.argmax(dim=1).bincount(minlength=len(sampled.classes)).double() / len(side)
        for side in (sampled.fake, sampled.real)
    )
    lacking = ((made < MIN_CLASS_SHARE * due) & (due * len(sampled.fake) >= MIN_DUE)).tolist()
    return [name for name, lacks in zip(sampled.classes, lacking, strict=True) if lacks]


def changes(history: TrainingHistory) -> tuple[str, ...]:
    """Remedies: more latent dimensions, less momentum and a lower learning rate of the generator, regularization."""
    lines = []
    if (latents := history.setting("generator.latent_dim")) is not None and latents < 16:
        lines.append("generator.latent_dim = 100")
    if (betas := history.setting("optimizer.generator.betas")) is not None and betas[0] > 0.5:
        lines.append("optimizer.generator.betas = [0.5, 0.999]")
    if history.rate("generator") > 5e-4:
        lines.append("optimizer.generator.lr = 0.0002")
    if not history.recipe.regularizers:
        lines.append('regularizer = [{ name = "r1", weight = 1.0 }]')
    return tuple(lines) or (history.scaled("generator", 0.5),)
