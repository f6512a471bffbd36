"""Changes that fit a run: each line of advice is tried on its recipe before it is given, as `--set` takes it."""

from __future__ import annotations

from dataclasses import replace

from ganzoo.errors import GanzooError
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.recipe.dry_run import dry_run
from ganzoo.runs.run import Run


class Advice:
    """Which changes the recipe of a run takes. Each is tried once: it is read, and one round is played without data."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.tried: dict[str, bool] = {}

    def fits(self, line: str) -> bool:
        """Whether the recipe with that line is accepted, and is another one than before."""
        if line not in self.tried:
            self.tried[line] = self.accepted(line)
        return self.tried[line]

    def accepted(self, line: str) -> bool:
        """Reads the recipe with the line, and rehearses it on data like the run's."""
        try:
            changed = self.run.read_recipe(overrides=(line,))
            if changed.values == self.run.recipe.values:
                return False
            dry_run(changed, self.run.info)
        except GanzooError:
            return False
        return True

    def first(self, finding: Finding) -> str | None:
        """The first change of a finding that fits; None where none does."""
        return next(filter(self.fits, (*finding.change, *finding.otherwise)), None)

    def given(self, finding: Finding) -> Finding:
        """The finding with those of its changes that fit."""
        change = tuple(filter(self.fits, finding.change)) or tuple(filter(self.fits, finding.otherwise))
        return replace(finding, change=change, otherwise=())
