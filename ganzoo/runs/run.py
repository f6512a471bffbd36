"""A run: a recipe played once, and everything it made. What `ganzoo.train` and `ganzoo.load` return."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch
from ganzoo.core.game import Game, makes_samples, the_generator
from ganzoo.core.interfaces import Generator
from ganzoo.core.random_streams import own_randomness, seed_everything
from ganzoo.core.two_player import MOST_COLUMNS
from ganzoo.errors import CheckpointError, GanzooError, RunError
from ganzoo.kinds.pictures import png
from ganzoo.recipe.parts import build_dataset, build_game, planned_game
from ganzoo.runs.cached_file import FileVersion, version_of
from ganzoo.runs.checkpoint import check_fits, load_checkpoint, load_game_state, load_weights, player_tensors
from ganzoo.runs.conditions import Conditions
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.record import RunRecord
from ganzoo.runs.sampling import sample_in_chunks, sampling_options, seed_conditions, walk_in_chunks
from ganzoo.runs.tensor_file import MAX_BYTES, most_bytes
from ganzoo.runs.translation import chosen_direction, translated

if TYPE_CHECKING:
    from PIL.Image import Image

    from ganzoo.recipe.model import Recipe


@dataclass(frozen=True, slots=True)
class LoadedGame:
    """A game with the weights of one version of one checkpoint."""

    path: Path
    version: FileVersion | None
    game: Game


class Run(RunRecord):
    """One run's directory, its recipe, its facts, and its networks as the newest checkpoint holds them.

    A Run that is kept while the run trains or is resumed, here or in another process, follows it: facts, recipe and
    weights are read again whenever their files were written since. `pinned` gives one whose weights stay.
    best: the weights are those of the best checkpoint that [evaluate] found. recipe, facts: what the files hold, where
    that is known already.
    """

    def __init__(
        self,
        directory: RunDirectory,
        *,
        recipe: Recipe | None = None,
        best: bool = False,
        facts: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(directory, recipe=recipe, best=best, facts=facts)
        self._games: dict[bool, LoadedGame] = {}

    def pinned(self) -> Run:
        """The same run at the checkpoint whose weights it holds now, for work during which it may go on training."""
        run = Run(self.files, recipe=self.recipe, best=self._best, facts=self.facts)
        run._pinned = self.checkpoint
        run._games = dict(self._games)
        return run

    @property
    def game(self) -> Game:
        """The game with the players' weights as `checkpoint` has them, on the CPU, in evaluation mode."""
        return self._at_checkpoint(ema=False)

    @property
    def averaged(self) -> Game:
        """The same with the averaged weights in the place of those players that [ema] names."""
        return self._at_checkpoint(ema=True)

    @property
    def conditions(self) -> Conditions:
        """What samples may be asked to be."""
        return Conditions(self._game(ema=True).conditions, self.kinds, self.files.conditions)

    @property
    def generator(self) -> Generator:
        """The generator in evaluation mode, averaged where [ema] is. Raises: RunError where there is none."""
        game = self._game(ema=True)
        try:
            return the_generator(game)
        except GanzooError as error:
            raise self._no_latents(game) from error

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        ema: bool = True,
        options: Mapping[str, Any] | None = None,
        **conditions: Any,
    ) -> Tensor:
        """n generated samples (n, *sample_shape) on the CPU, images in [-1, 1].

        The k-th sample of a seed is the same whatever n is: it has the same latents and conditions, and is equal to
        rounding.

        conditions: what the samples are to be, by key: `label=7`, `label="cat"`, a list, an array or a tensor with a
        value for each sample; what is left open is drawn as the training data have it. options: the game's own for
        sampling ({"truncation": 0.7}).
        Raises: RunError where the game makes samples from samples only, or knows no such condition or option.
        """
        samples, _ = self.draw(n, seed=seed, ema=ema, options=options, conditions=conditions)
        return samples

    def draw(
        self,
        n: int,
        *,
        seed: int = 0,
        ema: bool = True,
        options: Mapping[str, Any] | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, Batch]:
        """As `sample`, with what each sample was made for, (n, ...) by key."""
        game = self._game(ema=ema)
        if not makes_samples(game):
            raise self._no_latents(game)
        checked = sampling_options(game, options or {}, self.recipe.game.entry.name)
        with own_randomness(torch.device("cpu")):
            seed_conditions(seed)
            wanted = self.conditions.complete(n, conditions or {}) or {}
            seed_everything(seed)
            return torch.cat(list(sample_in_chunks(game, n, wanted, checked))), wanted

    def translate(self, samples: Tensor, direction: str = "", *, ema: bool = True) -> Tensor:
        """Samples (n, *shape) of one domain, as networks see them -> the same in the other, on the CPU.

        direction: one that the game learned ("a2b"); it may be left out where there is only one. Images may be of
        another size than those that the run learned from, where its networks take them.
        Raises: RunError where the game does not translate, or not in that direction, or not samples of that shape.
        """
        direction = self.direction(direction)
        return translated(self._game(ema=ema), samples, direction, kinds=self.kinds, owner=self.name)

    def direction(self, name: str = "") -> str:
        """The direction of that name, or the only one. Raises: RunError where there is none."""
        game = self.recipe.game.entry.name
        return chosen_direction(self._game(ema=True).directions, name, owner=f'{self.name}: the game "{game}"')

    def interpolate(
        self, *, rows: int = 6, steps: int = 10, seed: int = 0, ema: bool = True, **conditions: Any
    ) -> Tensor:
        """`rows` walks of `steps` samples each, from one latent to another: (rows * steps, *sample_shape), row by row.

        conditions: as `sample` takes them, one value for each row or one for all.
        """
        points = list(
            self._walk(rows, stops=2, frames=max(steps - 1, 1), closed=False, seed=seed, ema=ema, **conditions)
        )
        return torch.stack(points[:steps], dim=1).flatten(0, 1)

    def walk(
        self,
        n: int = 64,
        *,
        stops: int = 6,
        frames: int = 12,
        seed: int = 0,
        ema: bool = True,
        **conditions: Any,
    ) -> list[Image]:
        """Pictures of a closed walk through the latent space: n samples at once, `frames` pictures from stop to stop.

        conditions: as `sample` takes them.
        """
        kind, real = self.kinds.sample, self.real_samples()
        points = self._walk(n, stops=stops, frames=frames, closed=True, seed=seed, ema=ema, **conditions)
        return [kind.picture(samples, real=real) for samples in points]

    def real_samples(self, n: int = 2000) -> Tensor | None:
        """Real samples (n, *sample_shape), for kinds whose pictures show them underneath; None for the others."""
        if not self.kinds.sample.drawn_on_real:
            return None
        dataset = build_dataset(self.data_choice)
        examples = dataset.load(Path(self.facts["dataset"]["root"]), "test")
        return self.kinds.sample.to_unit(examples.tensors[self.info.sample_key][:n])

    def grid(self, n: int = 64, *, seed: int = 0, ema: bool = True) -> Image:
        """n samples as one picture; with labels, a column for each class."""
        return self.picture(n, seed=seed, ema=ema)

    def picture(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        ema: bool = True,
        options: Mapping[str, Any] | None = None,
        **conditions: Any,
    ) -> Image:
        """n samples as the kind draws them; with labels, of which none is asked for, a column for each class.

        Columns are of one length: of 64 samples of ten classes, 60 are drawn. Of fewer samples than classes, the first
        is of the first class, and so on.
        """
        columns = None if conditions else self.columns(n)
        if columns:
            n -= n % columns
        if not conditions and self.columns(max(n, MOST_COLUMNS)):
            conditions = {"label": torch.arange(n) % len(self.info.classes)}
        samples = self.sample(n, seed=seed, ema=ema, options=options, **conditions)
        return self.kinds.sample.picture(samples, columns=columns, real=self.real_samples())

    def columns(self, n: int) -> int | None:
        """How many columns a picture of n samples has: one for each class, where samples have labels; None elsewhere,
        and where there are too many classes."""
        classes = len(self.info.classes) if "label" in self.conditions.keys else 0
        return classes if 0 < classes <= min(n, MOST_COLUMNS) else None

    def __repr__(self) -> str:
        """One line: where, what, how far."""
        data = self.facts["dataset"]["name"]
        return (
            f"<Run {self.name}: {self.facts['recipe']} on {data}, {self.status}, "
            f"step {self.step} of {self.total_steps}, in {self.directory}>"
        )

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: a grid of samples, of a game that translates the newest; nothing if there is none."""
        try:
            if self._game(ema=True).directions:
                return self.grids[-1].path.read_bytes()
            return png(self.grid())
        except Exception:  # a kind's or a game's own: a notebook then shows the run in words
            return None

    def _repr_html_(self) -> str | None:
        """The same with a caption, where a notebook shows HTML."""
        if (content := self._repr_png_()) is None:
            return None
        source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        caption = html.escape(repr(self)[1:-1])
        return f'<figure><img src="{source}" alt="samples"><figcaption>{caption}</figcaption></figure>'

    def _game(self, *, ema: bool) -> Game:
        """With averaged weights, where they are wanted and there are any."""
        return self.averaged if ema and self.recipe.ema else self.game

    def _at_checkpoint(self, *, ema: bool) -> Game:
        """The game at `checkpoint`, loaded once for each version of it."""
        path, loaded = self.checkpoint, self._games.get(ema)
        version = version_of(path / "state.json")
        # a pinned checkpoint may be gone by now, since only the last ones are kept
        if loaded is None or loaded.path != path or version not in (loaded.version, None):
            self._games[ema] = loaded = LoadedGame(path, version, self._load(path, ema=ema))
        return loaded.game

    def _load(self, path: Path, *, ema: bool) -> Game:
        recipe, info = self.recipe, self.info
        networks = planned_game(recipe, info)
        checkpoint = load_checkpoint(
            path,
            only=lambda name: not name.startswith(("optimizer-", "rank-")),
            limit=most_bytes(networks) if networks else MAX_BYTES,
        )
        try:
            for name, module in networks.players().items() if networks else ():  # before they take any memory
                check_fits(module, *player_tensors(checkpoint, name, path, ema=ema))
        except CheckpointError as error:
            decided = f"{self.files.recipe} and {self.files.facts} say what the network is: was one of them changed?"
            raise CheckpointError(error.what, remedy=f"{decided} {error.remedy}") from error
        with own_randomness(torch.device("cpu")):
            game = build_game(recipe, info)
        for name, module in game.players().items():
            load_weights(module, *player_tensors(checkpoint, name, path, ema=ema))
        load_game_state(game, checkpoint, path)
        return game.eval().requires_grad_(False)

    def _walk(
        self, n: int, *, stops: int, frames: int, closed: bool, seed: int, ema: bool, **conditions: Any
    ) -> Iterator[Tensor]:
        """Samples (n, *sample_shape) for each point of a way through the latent space."""
        game = self._game(ema=ema)
        with own_randomness(torch.device("cpu")):
            seed_conditions(seed)
            wanted = self.conditions.complete(n, conditions) if conditions else self.conditions.cycle_labels(n)
            seed_everything(seed)
            try:
                yield from walk_in_chunks(game, n, wanted or {}, stops=stops, frames=frames, closed=closed)
            except GanzooError as error:
                raise self._no_latents(game) from error

    def _no_latents(self, game: Game) -> RunError:
        """The mistake of asking for samples from latents where the game makes none."""
        name = self.recipe.game.entry.name
        if not game.directions:
            players = ", ".join(game.players())
            return RunError(
                f'the game "{name}" has no generator with latents.', remedy=f"run.game holds its players: {players}."
            )
        return RunError(
            f'the game "{name}" has no generator with latents: it translates {self.kinds.sample.plural}.',
            remedy=f"Give it some: ganzoo sample {self.directory} --input FILE_OR_FOLDER --direction "
            f"{game.directions[0]} -o OUT, or run.translate(samples, direction) in Python.",
        )


def load(directory: str | Path, *, best: bool = False) -> Run:
    """The run in `directory`, with the weights of its newest checkpoint, or of the best that [evaluate] found.

    Raises: RunError where there is none.
    """
    return Run(RunDirectory.open(directory), best=best)
