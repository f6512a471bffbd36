"""A run: a recipe played once, and everything it made. What `ganzoo.train` and `ganzoo.load` return."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch, DatasetInfo
from ganzoo.core.game import Game, makes_samples, the_generator
from ganzoo.core.interfaces import Generator
from ganzoo.core.random_streams import own_randomness, seed_everything
from ganzoo.core.two_player import MOST_COLUMNS
from ganzoo.errors import GanzooError, PluginError, RecipeError, RunError
from ganzoo.kinds.pictures import png
from ganzoo.plugins import zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.messages import did_you_mean
from ganzoo.recipe.parts import build_dataset, build_game
from ganzoo.runs.cached_file import CachedFile, FileVersion, version_of
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint, load_weights, step_of
from ganzoo.runs.conditions import Conditions
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.facts import info_of
from ganzoo.runs.sampling_options import sampling_options

if TYPE_CHECKING:
    from PIL.Image import Image

    from ganzoo.recipe.model import Choice, Recipe
    from ganzoo.runs.score import Score

CHUNK = 500
"""Samples made at once, so that asking for many needs no more memory."""

NUMBERS = 2**18
"""Numbers of each channel translated at once, for the same reason: four images of 256 x 256."""


@dataclass(frozen=True, slots=True)
class LoadedGame:
    """A game with the weights of one version of one checkpoint."""

    path: Path
    version: FileVersion | None
    game: Game


class Run:
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
        self.files = directory
        self._facts = CachedFile(directory.facts, directory.read_facts, facts)
        self._recipe = CachedFile(directory.recipe, self.read_recipe, recipe)
        self._best = best
        self._pinned: Path | None = None
        self._games: dict[bool, LoadedGame] = {}
        self._facts.value()

    def pinned(self) -> Run:
        """The same run at the checkpoint whose weights it holds now, for work during which it may go on training."""
        run = Run(self.files, recipe=self.recipe, best=self._best, facts=self.facts)
        run._pinned = self.checkpoint
        run._games = dict(self._games)
        return run

    @property
    def facts(self) -> dict[str, Any]:
        """run.json, as it is now."""
        return self._facts.value()

    @property
    def step(self) -> int:
        """Steps done. In the process that trains the run it is the present step, else that of the last checkpoint."""
        step: int = self.facts["step"]
        return step

    @step.setter
    def step(self, step: int) -> None:
        if (facts := self._facts.held) is not None:  # set after every round, so without a look at the file
            facts["step"] = step

    @property
    def total_steps(self) -> int:
        """The budget."""
        total: int = self.facts["total_steps"]
        return total

    @property
    def directory(self) -> Path:
        """Where everything lies."""
        return self.files.path

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.resolve().name

    @property
    def status(self) -> str:
        """ "running", "finished" (the budget is spent), "stopped" (a stop condition), "interrupted" or "failed"."""
        status: str = self.facts["status"]
        return status

    @property
    def recipe(self) -> Recipe:
        """What ran, every default spelled out."""
        return self._recipe.value()

    def read_recipe(self, settings: Mapping[str, tuple[Any, str]] | None = None) -> Recipe:
        """Reads recipe.toml, with `settings` (key path -> value, where it comes from) on top.

        Raises: PluginError where it cannot be read because a plugin of the run's is gone, with what to install.
        """
        try:
            return read_recipe(self.files.recipe, settings=settings)
        except RecipeError as error:
            made_with: dict[str, str] = self.facts.get("plugins", {})
            gone = {name: version for name, version in made_with.items() if not zoo().plugins_called(name)}
            if not gone:
                raise
            who = " and ".join(f"{name} {version}" for name, version in gone.items())
            pins = " ".join(f"{name}=={version}" for name, version in gone.items())
            raise PluginError(
                f"{self.directory} was made with {who}, which {'are' if len(gone) > 1 else 'is'} not installed here.",
                remedy=f"Install what is missing first: pip install {pins}",
            ) from error

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""
        return self.files.read_metrics()

    @property
    def info(self) -> DatasetInfo:
        """What the run knows of its data; no data set is touched."""
        return info_of(self.facts)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint whose weights the run holds: the newest, or the best. Raises: RunError where there is none."""
        if self._pinned:
            return self._pinned
        found = checkpoints_of(self.files.best if self._best else self.files.checkpoints)
        if not found and self._best:
            raise RunError(
                f"{self.directory} has no best checkpoint.",
                remedy="One is kept where the recipe has an [evaluate] table, from its first scores on.",
            )
        if not found:
            raise RunError(f"{self.directory} has no checkpoint.")
        return found[-1]

    @property
    def checkpoint_step(self) -> int:
        """The step that the weights are of."""
        return step_of(self.checkpoint)

    @property
    def data_choice(self) -> Choice:
        """The data set that the run learned from, be it the recipe's fallback."""
        if self.facts["dataset"]["fallback"] and self.recipe.fallback:
            return self.recipe.fallback
        return self.recipe.dataset

    @property
    def scores(self) -> list[Score]:
        """What `ganzoo evaluate` recorded, each score with its protocol."""
        from ganzoo.runs.score import read_scores

        return read_scores(self.files.evaluations)

    @property
    def game(self) -> Game:
        """The game with the players' weights as `checkpoint` has them, on the CPU, in evaluation mode."""
        return self._at_checkpoint(ema=False)

    @property
    def averaged(self) -> Game:
        """The same with the averaged weights in the place of those players that [ema] names."""
        return self._at_checkpoint(ema=True)

    @property
    def kinds(self) -> FieldKinds:
        """The kinds of the data's fields: how samples are stored, drawn and written."""
        return FieldKinds(self.info)

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
        """n generated samples (n, *sample_shape) on the CPU, images in [-1, 1]; the same for the same seed.

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
        chunks = []
        with own_randomness(torch.device("cpu")):
            seed_everything(seed)
            wanted = self.conditions.of(n, conditions or {}) or {}
            for start in range(0, n, CHUNK):
                part = {key: value[start : start + CHUNK] for key, value in wanted.items()}
                chunks.append(game.sample(min(CHUNK, n - start), part or None, **checked))
        return torch.cat(chunks), wanted

    def translate(self, samples: Tensor, direction: str = "", *, ema: bool = True) -> Tensor:
        """Samples (n, *shape) of one domain, as networks see them -> the same in the other, on the CPU.

        direction: one that the game learned ("a2b"); it may be left out where there is only one. Images may be of
        another size than those that the run learned from, where its networks take them.
        Raises: RunError where the game does not translate, or not in that direction, or not samples of that shape.
        """
        game = self.averaged if ema and self.recipe.ema else self.game
        shape = self.kinds.unit_shape(source_of(self.direction(direction)))
        plural = self.kinds.sample.plural
        if len(samples.shape) != 1 + len(shape) or samples.shape[1] != shape[0]:
            raise RunError(
                f"{self.name}: {plural} of shape {tuple(samples.shape)} cannot be translated.",
                remedy=f"The game learned from (n, {', '.join(map(str, shape))}).",
            )
        at_once = max(1, NUMBERS // math.prod(samples.shape[2:]))
        try:
            with own_randomness(torch.device("cpu")), torch.no_grad():
                seed_everything(0)
                parts = [game.translate(part, self.direction(direction)) for part in samples.split(at_once)]
        except RuntimeError as error:
            size = " x ".join(map(str, reversed(samples.shape[2:])))
            raise RunError(
                f"{self.name}: its network takes no {plural} of {size}: {str(error).splitlines()[0]}",
                remedy=f"It learned from {' x '.join(map(str, reversed(shape[1:])))}.",
            ) from error
        return torch.cat(parts)

    def direction(self, name: str = "") -> str:
        """The direction of that name, or the only one. Raises: RunError where there is none."""
        directions = self._game(ema=True).directions
        game = self.recipe.game.entry.name
        if not directions:
            raise RunError(f'{self.name}: the game "{game}" does not translate.', remedy="Leave the input out.")
        if name in directions:
            return name
        if not name and len(directions) == 1:
            return directions[0]
        what = f'no direction "{name}"' if name else "several directions"
        said = did_you_mean(name, directions) if name else ""
        raise RunError(
            f'{self.name}: the game "{game}" has {what}.', remedy=f"{said}Choose from: {', '.join(directions)}."
        )

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

        Columns are of one length: of 64 samples of ten classes, 60 are drawn.
        """
        columns = None if conditions else self.columns(n)
        if columns:
            n -= n % columns
            conditions = {"label": torch.arange(n) % columns}
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
                return max(self.files.samples.glob("step-*.png")).read_bytes()
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
        with own_randomness(torch.device("cpu")):
            game = build_game(self.recipe, self.info)
        checkpoint = load_checkpoint(path)
        for name, module in game.players().items():
            key = f"ema-{name}" if ema and f"ema-{name}" in checkpoint.tensors else name
            load_weights(module, checkpoint.tensors[key], f"{path / key}.safetensors")
        game.load_state_dict(checkpoint.tensors.get("game", {}), strict=False)
        return game.eval().requires_grad_(False)

    def _walk(
        self, n: int, *, stops: int, frames: int, closed: bool, seed: int, ema: bool, **conditions: Any
    ) -> Iterator[Tensor]:
        """Samples (n, *sample_shape) for each point of a way through the latent space."""
        game = self._game(ema=ema)
        with own_randomness(torch.device("cpu")):
            seed_everything(seed)
            wanted = self.conditions.of(n, conditions) if conditions else self.conditions.in_turn(n)
            try:
                yield from game.walk(n, wanted, stops=stops, frames=frames, closed=closed)
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


def source_of(direction: str) -> str:
    """The key that a direction goes from: "a" for "a2b"."""
    return direction.partition("2")[0]


def target_of(direction: str) -> str:
    """The key that a direction leads to: "b" for "a2b"."""
    return direction.partition("2")[2]


def load(directory: str | Path, *, best: bool = False) -> Run:
    """The run in `directory`, with the weights of its newest checkpoint, or of the best that [evaluate] found.

    Raises: RunError where there is none.
    """
    return Run(RunDirectory.open(directory), best=best)
