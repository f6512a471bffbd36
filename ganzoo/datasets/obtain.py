"""Which data set a run gets: the one that its recipe names, or, said loudly, its fallback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.interfaces import Dataset, DatasetInfo, Examples
from ganzoo.parts import BuildError, build_dataset
from ganzoo.recipe.model import Choice


@dataclass(frozen=True, slots=True)
class Obtained:
    """A data set that can probably be had, before it is loaded; `load` returns one with examples.

    choice: which of the recipe's two it is; fallback_reason: why not the named one (None: it is the named one).
    """

    choice: Choice
    dataset: Dataset
    info: DatasetInfo
    root: Path
    fallback: Choice | None = None
    fallback_reason: str | None = None
    loaded: Examples | None = None

    @property
    def examples(self) -> Examples:
        """What `load` read. Raises: DatasetError before that."""
        if self.loaded is None:
            raise DatasetError(f'the data set "{self.choice.entry.name}" is not loaded yet.')
        return self.loaded

    def load(self) -> Obtained:
        """Reads (and where needed downloads) the training split, and turns to the fallback where that cannot be had.

        Raises: DatasetUnavailable where there is no fallback, DatasetError where files are wrong.
        """
        try:
            examples = self.dataset.load(self.root, "train")
        except DatasetUnavailable as error:
            if self.fallback is None:
                raise
            return _obtain_fallback(self.fallback, self.root, error).load()
        # Files may hold another number of samples, or (a folder) have changed since they were looked at.
        return replace(self, loaded=examples, info=self.dataset.info(self.root))


def obtain(choice: Choice, fallback: Choice | None, root: Path, *, allow_fallback: bool) -> Obtained:
    """Decides for the named data set or its fallback as far as that can be told without loading.

    Raises: DatasetUnavailable, with the remedy, where the named one cannot be had and there is no (allowed) fallback.
    """
    use = fallback if allow_fallback else None
    dataset = _build(choice)
    try:
        info = dataset.info(root)
    except DatasetUnavailable as error:
        if use is None:
            raise
        return _obtain_fallback(use, root, error)
    return Obtained(choice, dataset, info, root, fallback=use)


def _obtain_fallback(choice: Choice, root: Path, error: DatasetUnavailable) -> Obtained:
    dataset = _build(choice)
    return Obtained(choice, dataset, dataset.info(root), root, fallback_reason=error.what)


def _build(choice: Choice) -> Dataset:
    try:
        return build_dataset(choice)
    except BuildError as error:
        if isinstance(error.cause, DatasetError):
            raise error.cause from error
        raise
