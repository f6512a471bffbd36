"""What a run logged, as curves over its steps: SVG, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.display.console import messages as words

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, which people with any colour vision can tell apart."""

DASHES = ("-", "--", ":", "-.")
"""For more lines than there are colours."""

PROBABILITIES = ("d_real", "d_fake")


@dataclass(frozen=True, slots=True)
class Curve:
    """One drawing: its title, and the text of an <svg> element."""

    title: str
    svg: str


def curves(rows: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """The losses, the discriminator's D(x) and D(G(z)), and whatever else the game logs, each kind in one drawing."""
    names = list(dict.fromkeys(name for row in rows for name in words.logged(row)))
    losses = [name for name in names if name.startswith("loss/")]
    probabilities = [name for name in names if name in PROBABILITIES]
    norms = [name for name in names if name.startswith("grad/")]
    others = [name for name in names if name not in (*losses, *probabilities, *norms)]
    groups = {"Losses": losses, "What the discriminator says": probabilities} | {name: [name] for name in others}
    groups["Norms of the players' gradients"] = norms
    return [
        Curve(title, _drawn(title, {_label(name): points(rows, name) for name in group}, group[0]))
        for title, group in groups.items()
        if group
    ]


def overlaid(of_runs: Mapping[str, Sequence[Mapping[str, Any]]], timed: Collection[str] = ()) -> list[Curve]:
    """What several runs logged, each name in one drawing with a line for each run, by the runs' labels.

    timed: names that are drawn over the seconds of training as well, so that a slow step is no advantage.
    """
    rows = [row for of_run in of_runs.values() for row in of_run]
    found = []
    for name in words.logged({name: 0.0 for row in rows for name in row}):
        axes = ("step", "seconds") if name in timed else ("step",)
        for over in axes:
            lines = {label: points(of_run, name, over) for label, of_run in of_runs.items()}
            drawn = {label: line for label, line in lines.items() if line}
            title = f"{_title(name)}{', over seconds of training' if over == 'seconds' else ''}"
            found.append(Curve(title, _drawn(title, drawn, name, over)))
    return found


Points = list[tuple[float, float]]


def points(rows: Sequence[Mapping[str, Any]], name: str, over: str = "step") -> Points:
    """What the rows say of one name, with where they stand."""
    return [(row[over], row[name]) for row in rows if name in row]


def _drawn(title: str, lines: Mapping[str, Points], kind: str, over: str = "step") -> str:
    """Lines as an <svg> element, each with its label; kind: one of the names that they are of."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (label, line) in enumerate(lines.items()):
        colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        marker = "o" if len(line) == 1 else ""
        said = label.replace("$", r"\$")  # a dollar would begin a formula
        x, y = zip(*line, strict=True)
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=1.1, marker=marker, label=said)
    if kind in PROBABILITIES:
        axes.set_ylim(0, 1)
        axes.axhline(0.5, color="#999999", linewidth=0.8, linestyle=":")
    if kind.startswith("grad/") and any(value > 0 for line in lines.values() for _, value in line):
        axes.set_yscale("log")  # they span decades
    axes.set_xlabel(over)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    content = io.StringIO()
    # the salt and the missing date make the same run the same file
    with mpl.rc_context({"svg.hashsalt": title, "svg.fonttype": "none", "font.family": "sans-serif"}):
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None})
    return content.getvalue().partition("<svg")[1] + content.getvalue().partition("<svg")[2]


def _label(name: str) -> str:
    return words.SHOWN_AS.get(name, name.removeprefix("loss/").removeprefix("grad/"))


def _title(name: str) -> str:
    kind, _, player = name.partition("/")
    kinds = {"loss": "Loss of the", "grad": "Norm of the gradient of the"}
    return f"{kinds[kind]} {player}" if player and kind in kinds else _label(name)
