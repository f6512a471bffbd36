"""Curves of logged values over steps, as SVG drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.display.console import messages as messages

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's palette, suitable for colour-blind readers."""

DASHES = ("-", "--", ":", "-.")
"""Line styles, for more lines than colours."""

PROBABILITIES = ("d_real", "d_fake")


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot: its title, and the text of an <svg> element."""

    title: str
    svg: str


def curves(rows: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Plots of the losses, of D(x) and D(G(z)), of each other logged value, and of gradient norms."""
    names = list(dict.fromkeys(name for row in rows for name in messages.logged_metrics(row)))
    losses = [name for name in names if name.startswith("loss/")]
    probabilities = [name for name in names if name in PROBABILITIES]
    norms = [name for name in names if name.startswith("grad/")]
    others = [name for name in names if name not in (*losses, *probabilities, *norms)]
    groups = {"Losses": losses, "What the discriminator says": probabilities} | {name: [name] for name in others}
    groups["Norms of the players' gradients"] = norms
    return [
        Curve(title, _draw_svg(title, {_curve_label(name): curve_points(rows, name) for name in group}, group[0]))
        for title, group in groups.items()
        if group
    ]


def overlaid_curves(rows_by_run: Mapping[str, Sequence[Mapping[str, Any]]], timed: Collection[str] = ()) -> list[Curve]:
    """Plots of the logged values of several runs, one plot for each name with a line for each run's label.

    timed: names that are plotted over seconds of training as well, to account for slow steps.
    """
    rows = [row for rows_of_run in rows_by_run.values() for row in rows_of_run]
    found = []
    for name in messages.logged_metrics({name: 0.0 for row in rows for name in row}):
        axes = ("step", "seconds") if name in timed else ("step",)
        for over in axes:
            lines = {label: curve_points(rows_of_run, name, over) for label, rows_of_run in rows_by_run.items()}
            plotted = {label: line for label, line in lines.items() if line}
            title = f"{_title(name)}{', over seconds of training' if over == 'seconds' else ''}"
            found.append(Curve(title, _draw_svg(title, plotted, name, over)))
    return found


Points = list[tuple[float, float]]


def curve_points(rows: Sequence[Mapping[str, Any]], name: str, over: str = "step") -> Points:
    """The points (position, value) of one name."""
    return [(row[over], row[name]) for row in rows if name in row and over in row]


def _draw_svg(title: str, lines: Mapping[str, Points], kind: str, over: str = "step") -> str:
    """Labelled lines as an <svg> element. kind: one of the plotted names, which determines the axes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (label, line) in enumerate(lines.items()):
        colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        marker = "o" if len(line) == 1 else ""
        said = label.replace("$", r"\$")  # matplotlib reads $ as the start of a formula
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
    # the fixed salt and the missing date make the output reproducible
    with mpl.rc_context({"svg.hashsalt": title, "svg.fonttype": "none", "font.family": "sans-serif"}):
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None})
    return content.getvalue().partition("<svg")[1] + content.getvalue().partition("<svg")[2]


def _curve_label(name: str) -> str:
    return messages.DISPLAY_NAMES.get(name, name.removeprefix("loss/").removeprefix("grad/"))


def _title(name: str) -> str:
    kind, _, player = name.partition("/")
    kinds = {"loss": "Loss of the", "grad": "Norm of the gradient of the"}
    return f"{kinds[kind]} {player}" if player and kind in kinds else _curve_label(name)
