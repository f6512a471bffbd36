"""What a run logged, as curves over its steps: SVG, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.console import words

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, which people with any colour vision can tell apart."""

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
    return [Curve(title, _drawn(rows, group, title)) for title, group in groups.items() if group]


def _drawn(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in zip(names, COLOURS * len(names), strict=False):
        points = [(row["step"], row[name]) for row in rows if name in row]
        marker = "o" if len(points) == 1 else ""
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.1, marker=marker, label=_label(name))
    if set(names) <= set(PROBABILITIES):
        axes.set_ylim(0, 1)
        axes.axhline(0.5, color="#999999", linewidth=0.8, linestyle=":")
    if names[0].startswith("grad/") and any(row.get(name, 0) > 0 for row in rows for name in names):
        axes.set_yscale("log")  # they span decades
    axes.set_xlabel("step")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    content = io.StringIO()
    # the salt and the missing date make the same run the same file
    with mpl.rc_context({"svg.hashsalt": title, "svg.fonttype": "none", "font.family": "sans-serif"}):
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None})
    return content.getvalue().partition("<svg")[1] + content.getvalue().partition("<svg")[2]


def _label(name: str) -> str:
    return words.SHOWN_AS.get(name, name.removeprefix("loss/").removeprefix("grad/"))
