"""Are the samples as varied as real ones?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.distances import nearest_other, spread
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course
from ganzoo.evaluation.doctor.samples import Sampled

SPREAD = 0.3
"""The mean distance between two samples, as a share of that between two real ones, is less than this. Healthy runs
measured 0.45 to 0.85, in the features of a digit classifier, where blurred samples are near each other, too; collapsed
ones 0.01 to 0.47."""

ALIKE = 0.45
"""Or the median distance from a sample to the one most like it is. Healthy: 0.62 to 1.3; collapsed: 0.003 to 0.46."""

MISSING = 0.05
"""A class is missing that is generated less than this often, against how often it is real. In healthy runs the rarest
class had a share of 0.2 of its due."""


def collapsed(course: Course, sampled: Sampled) -> Finding | None:
    """The generator makes few things, and makes them again and again."""
    fake, real = sampled.fake, sampled.real
    wide = spread(fake.features) / spread(real.features)
    alike = float(nearest_other(fake.features).median() / nearest_other(real.features).median())
    missing = missing_classes(sampled)
    if wide >= SPREAD and alike >= ALIKE and not missing:
        return None
    said = [f"two samples are {wide:.0%} as far apart as two real ones, and a sample's like is {alike:.0%} as far away"]
    if missing:
        said.append(f"missing classes: {', '.join(missing)}")
    return Finding(
        name="mode-collapse",
        severity="warning",
        seen=f"at step {sampled.step:,}, in {sampled.extractor}: {'; '.join(said)}",
        figures={"spread": wide, "nearest": alike, "missing_classes": len(missing)},
        means="The generator has found a few samples that pass, and leaves out the rest of the data.",
        change=changes(course),
        otherwise=(course.scaled("generator", 0.5),),
        paper="arXiv:1712.04086",
        steps=(sampled.step, sampled.step),
    )


def missing_classes(sampled: Sampled) -> list[str]:
    """The data set's classes that the generator hardly makes; none where nobody can name them."""
    if not sampled.classes or not sampled.fake.logits.shape[1]:
        return []
    made, due = (
        side.logits.argmax(dim=1).bincount(minlength=len(sampled.classes)).double() / len(side)
        for side in (sampled.fake, sampled.real)
    )
    lacking = (made < MISSING * due).tolist()
    return [name for name, lacks in zip(sampled.classes, lacking, strict=True) if lacks]


def changes(course: Course) -> tuple[str, ...]:
    """What helps: room in the latents, a calm generator, a loss whose gradient does not end where samples are good."""
    lines = []
    if (latents := course.setting("generator.latent_dim")) is not None and latents < 16:
        lines.append("generator.latent_dim = 100")
    if (betas := course.setting("optimizer.generator.betas")) is not None and betas[0] > 0.5:
        lines.append("optimizer.generator.betas = [0.5, 0.999]")
    if course.rate("generator") > 5e-4:
        lines.append("optimizer.generator.lr = 0.0002")
    if not course.recipe.regularizers:
        lines.append('regularizer = [{ name = "r1", weight = 1.0 }]')
    return tuple(lines) or (course.scaled("generator", 0.5),)
