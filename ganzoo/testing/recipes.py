"""Recipes, and the games, generators and discriminators that they play: a few steps, with an eye on the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ganzoo.core.game import Game, PlayerRole, as_preview
from ganzoo.core.loop import moves
from ganzoo.errors import RecipeError
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.runs.sampling import sampling_options
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import NotChecked, require
from ganzoo.testing.recipe_fixture import RecipeFixture
from ganzoo.testing.recording import graph_leaves, named_parameters
from ganzoo.testing.registration import not_installed
from ganzoo.testing.resume import plays_the_same, resumes_exactly
from ganzoo.testing.streams import start_stream
from ganzoo.training.state import Training


def play_checks(name: str, fixture: RecipeFixture, parts: Sequence[Check]) -> Iterator[Check]:
    """Of a recipe, or of what it plays. parts: the checks of what is played: the fault of a part is not told twice."""

    def check(asks: str, question: Callable[[RecipeFixture], None], *needs: Check) -> Check:
        return Check(name, asks, question, lambda: fixture, needs=needs, unless=parts)

    fits = check("fits together", fits_together)
    fresh = check("computes each loss after the move before", losses_follow_updates, fits)
    everyone = check("moves every player", moves_every_player, fits, fresh)
    again = check("plays the same again on one seed", plays_the_same, fits, fresh)
    yield from (fits, fresh, everyone)
    yield check("moves one player at a time", moves_one_at_a_time, fits, fresh)
    yield check("trains every parameter", trains_everything, fits, fresh, everyone)
    logs = check("logs detached numbers", logs_detached, fits, fresh)
    yield logs
    yield check("says which player is which", says_roles, fits, fresh, everyone, logs)
    yield check("shows samples", shows_samples, fits, fresh)
    yield again
    yield check("resumes exactly", resumes_exactly, fits, fresh, again)


def fits_together(fixture: RecipeFixture) -> None:
    """The recipe is read, everything in it is there, and a round of it fits the data (`ganzoo run` begins so)."""
    try:
        rehearsal = fixture.rehearsal
    except RecipeError as error:
        if missing := not_installed(fixture.distribution):
            why = f"{', '.join(missing)}, which {fixture.distribution} names, is not installed: {error}"
            raise NotChecked(why, blocks=True) from error
        raise
    require(rehearsal.draws_per_round, "a round draws no data.")


def losses_follow_updates(fixture: RecipeFixture) -> None:
    """A move's loss is computed after the `yield` before it, so that it sees the weights as that update left them."""
    unperturbed, perturbed_losses = (losses(fixture.training(), perturb=perturb) for perturb in (False, True))
    before: list[str] = []
    for number, ((player, value, inside), (_, other, _)) in enumerate(
        zip(unperturbed, perturbed_losses, strict=True), start=1
    ):
        updated = inside.intersection(before)
        require(
            not updated or not torch.equal(value, other),
            f"move {number}, of {player}, has the same loss whether or not {' and '.join(sorted(updated))} changed in "
            "the moves before it: it was computed before them.",
            "compute each loss right before its own `yield`, after the one before.",
        )
        before.append(player)


def losses(training: Training, *, perturb: bool) -> list[tuple[str, Tensor, set[str]]]:
    """A round without updates: each move's player, its loss, and the players whose weights that depends on.

    shake: gives a player other weights once it has moved.
    """
    owners = {id(parameter): name.partition(".")[0] for name, parameter in named_parameters(training).items()}
    noise = torch.Generator().manual_seed(0)
    start_stream(1)
    played = []
    for move in moves(training.game, training.data, training.autocast):
        inside = {owners[leaf] for leaf in graph_leaves(move.loss) if leaf in owners}
        played.append((move.player, move.loss.detach().clone(), inside))
        with torch.no_grad():
            for parameter in training.players[move.player].parameters if perturb else ():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
    return played


def moves_one_at_a_time(fixture: RecipeFixture) -> None:
    """A move changes its own player's weights and nobody else's, and no weight belongs to two players."""
    training = fixture.recording.training
    owner: dict[int, str] = {}
    for name, player in training.players.items():
        for parameter in player.parameters:
            other = owner.setdefault(id(parameter), name)
            require(other == name, f"{other} and {name} share weights.", "each weight has one player and optimizer.")
    foreign_changes = [f"{player} {when}" for player, when in dict.fromkeys(fixture.recording.foreign_changes)]
    remedy = "change weights only right after that player's own `yield`; the engine does the rest."
    require(not foreign_changes, f"weights changed that nobody moved: {'; '.join(foreign_changes)}.", remedy)


def moves_every_player(fixture: RecipeFixture) -> None:
    """Every player moves, and every weight of the game belongs to a player."""
    training = fixture.recording.training
    idle = [name for name in training.players if name not in fixture.recording.moved]
    remedy = "yield a Move for each of players(), or take the player out."
    require(not idle, f"in {len(fixture.recording.moved)} moves none was of {', '.join(idle)}.", remedy)
    owned = {id(parameter) for player in training.players.values() for parameter in player.module.parameters()}
    lost = [name for name, p in training.game.named_parameters() if p.requires_grad and id(p) not in owned]
    require(not lost, f"no player has {', '.join(lost)}.", "put it into a player, or requires_grad_(False).")


def trains_everything(fixture: RecipeFixture) -> None:
    """In its own player's moves every parameter gets a gradient."""
    lost = fixture.recording.without_gradient
    require(not lost, f"no gradient reaches {', '.join(lost)}.", "let the loss depend on it, or take it out.")


def logs_detached(fixture: RecipeFixture) -> None:
    """What a move logs are finite scalar tensors without a gradient: they stay on the device and are averaged."""
    for player, metrics in fixture.recording.logged:
        for name, value in metrics.items():
            whose = f"{name}, which {player} logs,"
            remedy = "log `value.mean().detach()`."
            if not isinstance(value, Tensor):
                require(
                    False, f"{whose} is a {type(value).__name__}.", f"{remedy} No .item(): that waits for the device."
                )
            require(value.ndim == 0, f"{whose} has the shape {tuple(value.shape)}.", remedy)
            require(not value.requires_grad, f"{whose} has a gradient, and keeps a whole round in memory.", remedy)
            require(value.isfinite(), f"{whose} is {value.item()}.")
            require(not name.startswith("loss/"), f"{whose} has the name of a loss.", "the engine logs losses itself.")


def says_roles(fixture: RecipeFixture) -> None:
    """`roles` says of each player whether it is a generator or a discriminator, and under which names it logs D(x) and
    D(G(z)), numbers from 0 to 1: the doctor examines training by them. A player that is neither is left out of it.
    """
    game = fixture.recording.training.game
    roles, players = game.roles(), game.players()
    wrong = [name for name, role in roles.items() if name not in players or not isinstance(role, PlayerRole)]
    remedy = 'return {"critics": ganzoo.PlayerRole("discriminator", losses=2)}: players() by name.'
    require(not wrong, f"roles() names {', '.join(wrong)}, which is no player with a ganzoo.PlayerRole.", remedy)
    silent = [name for name in players if name not in roles] if type(game).roles is Game.roles else []
    unsaid = f"of {' and '.join(silent)} nobody knows whether it is a generator or a discriminator."
    require(not silent, unsaid, f"implement roles(): {remedy}")
    for name, role in roles.items():
        known = role.role in ("generator", "discriminator") and isinstance(role.losses, int) and role.losses >= 1
        require(known, f"{name} is {role}.", 'role is "generator" or "discriminator", losses a number from 1 up.')
        for number, usual in ((role.real, "d_real"), (role.fake, "d_fake")) if role.role == "discriminator" else ():
            logged = [
                float(values[number]) for who, values in fixture.recording.logged if who == name if number in values
            ]
            require(logged or number == usual, f"{name} logs no {number}, as roles() says.", "log it, or leave it out.")
            right = all(0 <= value <= 1 for value in logged)
            require(right, f"{number}, which {name} logs, is {logged}.", "log the mean of sigmoid(scores).")


def shows_samples(fixture: RecipeFixture) -> None:
    """`preview`, and `sample` or `translate`, give samples of the data's shape, without gradients, by typed options."""
    training = fixture.recording.training
    kinds = FieldKinds(fixture.small_dry_run.info)
    shape = kinds.unit_shape(kinds.info.sample_key)
    batch = training.data.first(3)
    with training.shown():
        grids = training.game.preview(batch)
    with training.shown():
        again = training.game.preview(batch)
    require(grids, "preview gives no grid.", 'return {"samples": self.sample(len(batch["real"]))}.')
    for name, made in grids.items():
        samples, same = as_preview(made).samples, as_preview(again[name]).samples
        require(not samples.requires_grad, f'the grid "{name}" has a gradient.', "@torch.no_grad()")
        remedy = "draw from torch's default stream: the engine seeds it before every grid."
        require(torch.equal(samples, same), f'on the same seed the grid "{name}" differs.', remedy)
        kinds.sample.picture(samples, columns=as_preview(made).columns, real=batch.get("real"))
    if training.game.directions:
        translates(training)
        return
    sampling_options(training.game, {}, fixture.recipe.game.entry.name)  # raises where `ganzoo sample` would
    with training.shown():
        sampled = training.game.sample(3, {key: batch[key] for key in training.game.conditions} or None)
    right = sampled.shape == (3, *shape)
    require(right, f"sample(3) is {tuple(sampled.shape)}, and the data have {shape}.", "return (n, *sample_shape).")
    require(not sampled.requires_grad, "sample(n) has a gradient.", "@torch.no_grad()")


def translates(training: Training) -> None:
    """Raises: Failure unless each of the game's directions makes samples of its other domain."""
    batch = training.data.first(3)
    for direction in training.game.directions:
        given, wanted = direction.split("2")
        with training.shown():
            made = training.game.translate(batch[given], direction)
        right = made.shape == batch[wanted].shape
        found = (
            f"translate(images, {direction!r}) is {tuple(made.shape)}, and {wanted} is {tuple(batch[wanted].shape)}."
        )
        require(right and not made.requires_grad, found, "return the other domain's shape, without a gradient.")
