"""What follows on values that are not finite, where [train] on_nan is "rollback": back to the last good checkpoint.

The session ends and the run is resumed from that checkpoint with lower learning rates, as it would be after a kill at
this moment: so a run that is killed after a rollback ends bit for bit like one that was not.
"""

from __future__ import annotations

from ganzoo.errors import GanzooError
from ganzoo.recipe.model import Recipe
from ganzoo.runs.branches import Branch, branches_of, set_aside
from ganzoo.runs.facts import utc_now
from ganzoo.runs.run import Run
from ganzoo.training.distributed import Ranks
from ganzoo.training.resume_checks import newest_intact
from ganzoo.training.state import NotFinite, Training


class RolledBack(Exception):
    """A run has gone back to its last good checkpoint, and run.json says so: it is to be resumed."""


def roll_back(training: Training, run: Run, broken: NotFinite) -> None:
    """Records a rollback. Raises: RolledBack; NotFinite where there were as many as the recipe allows."""
    train = training.recipe.train
    if train.on_nan != "rollback":
        return
    if training.rollbacks >= train.rollback_times:
        counted = f"{training.rollbacks} rollback{'s' * (training.rollbacks > 1)}"
        raise NotFinite(f"{broken.what[:-1]}, after {counted}.", remedy=broken.remedy) from broken
    checkpoint, _ = newest_intact(run, aloud=False)
    step = checkpoint.state["step"]
    rate = train.rollback_lr_factor ** (training.rollbacks + 1)
    reason = f"{broken.what} Rolled back, with learning rates at {rate:g} of the recipe's"
    kept = set_aside(run, step)
    branch = Branch(step, utc_now(), left=training.step, kept=kept, reason=reason)
    earlier = [each for each in branches_of(run.facts) if each.step <= step]
    branches = [each.to_json() for each in (*earlier, branch)]
    run.facts.update(step=step, status="running", reason=str(branch), branches=branches)
    run.files.write_facts(run.facts)
    raise RolledBack from None


def refuse_several_ranks(recipe: Recipe, ranks: Ranks) -> None:
    """Raises: GanzooError where several ranks should roll back: each of them would have to be started again."""
    if ranks.several and recipe.train.on_nan == "rollback":
        raise GanzooError(
            'train.on_nan = "rollback" is for one process, and this run has several ranks.',
            remedy="Add --set train.on_nan=stop; a run that stops goes on with lower rates by `ganzoo resume`.",
        )
