"""From a run that ended to one that goes on: `resume`, the function behind `ganzoo resume`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ganzoo.core.random_streams import own_randomness
from ganzoo.datasets.network import network_forbidden
from ganzoo.datasets.obtain import obtain
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import RunError
from ganzoo.plugins import contained
from ganzoo.plugins.hook_checks import checked_observers
from ganzoo.recipe import recipe_toml
from ganzoo.recipe.changes import changes, is_in, named_keys
from ganzoo.recipe.dry_run import dry_run
from ganzoo.runs.branches import branch_note, set_aside
from ganzoo.runs.checkpoint import save_checkpoint
from ganzoo.runs.conditions import save_conditions
from ganzoo.runs.facts import device_facts, utc_now
from ganzoo.runs.run import Run, load
from ganzoo.training.assembly import assemble, evaluation_of, teller
from ganzoo.training.distributed import join_process_group
from ganzoo.training.facts import data_facts, facts_after, facts_of, runner_of
from ganzoo.training.garbage_collection import paused_collection
from ganzoo.training.playing import SHARED_DISK, play_session, say_swept, settings_of
from ganzoo.training.refitting import begin_anew, fitting, refitted
from ganzoo.training.resume_checks import (
    BUDGET,
    added_since,
    changes_since,
    checkpoint_of_step,
    course,
    data_changes,
    decisive,
    edited,
    new_branch,
    newest_intact,
    refuse_beginnings,
    refuse_edits,
    refuse_other_ranks,
    rollbacks_after,
    undone,
)
from ganzoo.training.rollback import refuse_several_ranks
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.session import rewind
from ganzoo.training.stopping import Interruption
from ganzoo.training.temporary_folder import check_temporary_folder


@contained()
def resume(
    directory: str | Path,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    overrides: Sequence[str] = (),
    unset: Sequence[str] = (),
    from_step: int | None = None,
    accept_data: bool = False,
    device: str = "auto",
    data_root: str | Path | None = None,
    network: bool = True,
    observers: Sequence[object] = (),
    quiet: bool = False,
    plain: bool | None = None,
) -> Run:
    """Goes on exactly where a run stopped, as if it had not, or as a branch of it where something is changed.

    epochs, steps: a new budget, counted from the run's beginning. overrides, unset: as in `train`; accept_data: go on
    with data that are no longer those of before; from_step: go back to the checkpoint of that step. What changes the
    run's course is recorded as a branch in run.json, with what is different, and recipe.toml says what holds from now
    on; what lies after the branch's step is moved to branches/N in the run's directory, a run of its own.

    Without from_step the newest intact checkpoint is used. Raises: RunError where the recipe, the data or the networks
    are not those of the checkpoint and nobody said that they are to differ, or where the checkpoint does not fit what
    was changed; CheckpointError where no checkpoint is intact; PluginError where an observer would never be called.
    """
    check_temporary_folder()
    observers = checked_observers(observers)
    settings = settings_of(epochs, steps, None, None, {})
    asked = [*named_keys([*overrides, *unset]), *(BUDGET if settings else ())]
    ranks, forbidden = join_process_group(), network_forbidden(not network)
    with ranks.propagate_failures(), forbidden, ExitStack() as locked, paused_collection() as begin:
        with ranks.fail_together():
            run = load(directory)
            if ranks.first:
                locked.enter_context(run.files.training_lock())
                say_swept(run.files.sweep(), quiet=quiet)
        with ranks.fail_together():
            recipe = run.read_recipe(settings, overrides=overrides, unset=unset)
            checkpoint, path = (
                newest_intact(run, aloud=ranks.first) if from_step is None else checkpoint_of_step(run, from_step)
            )
            refuse_edits(run, by_hand := edited(run, checkpoint), asked=asked)
            refuse_other_ranks(run, checkpoint, ranks)
            ranks.check_batch(recipe.train.batch_size)
            refuse_several_ranks(recipe, ranks)
            place = ranks.choose_device(device)
            anew = bool(by_hand or from_step is not None or undone(run.facts, checkpoint.state["step"]))
            made = changes(run.recipe.values, recipe.values)
            if anew:
                made = changes(checkpoint.state["recipe"], recipe.values, besides=added_since(checkpoint, recipe))
            refuse_beginnings(made, recipe, run)
            rollbacks = rollbacks_after(run, checkpoint, made, back=from_step is not None)
        ranks.check_same("the newest intact checkpoint", path.name, remedy=SHARED_DISK)
        changed = changes_since(checkpoint, recipe)
        choice = recipe.dataset if any(is_in(key, ["dataset"]) for key in changed) else run.data_choice
        root = find_data_root(data_root or run.facts["dataset"]["root"])
        obtained = ranks.run_in_turn(
            lambda: obtain(choice, None, root, allow_fallback=False).load(place, recipe.train.data)
        )
        with ranks.fail_together():
            data = data_changes(run, obtained, accepted=accept_data)
            rehearsal = dry_run(recipe, obtained.info)
            evaluation = evaluation_of(recipe, obtained, rehearsal, place, quiet=quiet) if ranks.first else None
            with own_randomness(place), fitting(path, changed, begin_anew(run, made)):
                training = assemble(recipe, obtained, rehearsal, place, evaluation, ranks)
                training.restore(refitted(checkpoint, training, changed), str(path))
                training.total_steps = training.budget()
                training.roll_back_rates(rollbacks)
                if changed and not ranks.several:
                    with training.rehearsed():
                        training.advance()  # optimizers meet their saved state in a step, and not before
            with own_randomness(place):
                training.runner = choose_runner(training, teller("runner", quiet=quiet or not ranks.first))
        budgets = (run.total_steps, training.total_steps)
        different = decisive(made, recipe, same_data=not data, step=training.step, budgets=budgets)
        back = from_step is not None and run.step > from_step
        if training.step >= training.total_steps:
            if different or data or back:
                raise RunError(
                    f"at step {training.step} the budget of {training.total_steps} steps is spent.",
                    remedy=f"Give a larger one beside: --steps {2 * training.step or 1}",
                )
            if run.status == "finished":
                return run  # one killed after its last checkpoint still lacks its last row and grid, and the status
        played_so_far, last = run.recipe, run
        run = Run(run.files, recipe=recipe, facts=dict(run.facts))
        run.step = training.step
        interruption = locked.enter_context(Interruption(ignore_repeats=ranks.several))
        run.facts.update(status="running", reason="", total_steps=training.total_steps, pid=os.getpid())
        played = {**runner_of(training), "data": data_facts(obtained, training)}
        run.facts.update(played)
        went_on = {"step": training.step, "at": utc_now(), **device_facts(place), **played}
        with ranks.fail_together():
            branch = None
            if different or data or back:
                kept = set_aside(last, training.step) if ranks.first else ""
                branch = new_branch(last, training.step, different, data, kept=kept, rollbacks=rollbacks)
            elif made:
                went_on["changed"] = {key: list(pair) for key, pair in made.items()}
            run.facts.update(facts_after(run.facts, facts_of(recipe, obtained, training), same_data=not data))
            run.facts["resumed"] = [*run.facts["resumed"], went_on]
            if entries := course(run.facts, training.step, branch):
                run.facts["branches"] = entries
            else:
                run.facts.pop("branches", None)
            if ranks.first:
                rewind(training, run, played_so_far)
                if (
                    path.parent != run.files.checkpoints
                    and run.checkpoints.examine(run.files.checkpoint(training.step)).what != "ours"
                ):
                    run.checkpoints.make_room(training.step)
                    save_checkpoint(run.files.checkpoint(training.step), checkpoint, run_id=run.facts.get("id"))
                if data and (keys := training.game.conditions):
                    save_conditions(run.files.conditions, keys, obtained.data, recipe.train.seed)
                if made:
                    run.files.write_recipe(recipe_toml(recipe, note=branch_note(run.facts)))
                run.files.write_facts(run.facts)
        begin()
        rolled_back = play_session(run, training, observers, interruption, quiet=quiet, plain=plain)
    if rolled_back:
        del training, obtained, checkpoint  # memory that the next session needs
        again: Any = {"network": network, "observers": observers, "quiet": quiet, "plain": plain}
        return resume(run.directory, device=device, data_root=data_root, **again)
    return run
