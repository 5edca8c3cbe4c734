"""Charts as SVG: the only door to matplotlib.

They stand in documents that are read on white and on black: the background is left out,
text is of a grey that both bear, and it stays text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

from bench.table import amount

GREY, FAINT = "#7a7a7a", "#9a9a9a55"
#: Ours, what it is compared with, and more of either.
COLOURS = ("#3b82c4", "#d9822b", "#5aa469", "#a06cc0", "#8a8a8a")
OURS, OTHERS = COLOURS[0], COLOURS[4]
WIDTH = 8.0
#: Of the line below each chart: letters.
FOOT = 135

STYLE = {
    "svg.fonttype": "none",
    # The same figures make the same file.
    "svg.hashsalt": "poussetaches",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
}


@contextmanager
def chart(path: Path, foot: str, *, panels: int = 1, height: float) -> Iterator[Any]:
    """Panels one above the other to draw on; then the file. ``height``: inches."""
    matplotlib.use("svg")
    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            panels, 1, figsize=(WIDTH, height), layout="constrained", squeeze=False
        )
        yield axes[:, 0]
        figure.supxlabel(
            "\n".join(textwrap.wrap(foot, FOOT)), fontsize=7.5, x=0.01, ha="left"
        )
        figure.savefig(path, transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    _end_lines(path)


def bars(
    axis: Any, title: str, values: Mapping[str, float], ours: str, unit: str
) -> None:
    """One bar for each name, the first on top; those beginning with ``ours`` in our
    colour."""
    names = list(values)
    colours = [OURS if name.startswith(ours) else OTHERS for name in names]
    drawn = axis.barh(names, list(values.values()), color=colours, height=0.7)
    axis.bar_label(drawn, [amount(value, unit) for value in values.values()], padding=3)
    _lie_down(axis, title, max(values.values()))


def stacks(axis: Any, title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """One bar for each name, made of parts that have names, too."""
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    left = [0.0] * len(rows)
    for number, part in enumerate(parts):
        widths = [row.get(part, 0.0) for row in rows.values()]
        colour = COLOURS[number % len(COLOURS)]
        axis.barh(list(rows), widths, left=left, color=colour, height=0.7, label=part)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for y, total in enumerate(left):
        axis.text(total, y, f" {total:,.0f}", va="center")
    _legend(axis)
    _lie_down(axis, title, max(left))


def lines(
    axis: Any,
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x: str,
    y: str,
    dashed: str = "",
    points: bool = True,
) -> None:
    """One line for each name; ``dashed`` names that of what is compared with."""
    for number, (name, line) in enumerate(series.items()):
        xs, ys = zip(*line, strict=True)
        axis.plot(
            xs,
            ys,
            label=name,
            marker="o" if points else "",
            color=OTHERS if name == dashed else COLOURS[number],
            linestyle="--" if name == dashed else "-",
            linewidth=1.5,
        )
    axis.set_title(title)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter("{x:,g}")
    _legend(axis)


def shade(axis: Any, spans: Sequence[tuple[float, float]], name: str) -> None:
    """Stretches of the x axis that something went on in."""
    for start, end in spans:
        axis.axvspan(start, end, color=COLOURS[1], alpha=0.2, linewidth=0, label=name)
    _legend(axis)


def _legend(axis: Any) -> None:
    """Beside the title, where nothing is drawn."""
    drawn, names = axis.get_legend_handles_labels()
    axis.legend(
        drawn, names, ncols=len(names), loc="lower right", bbox_to_anchor=(1, 1)
    )


def _lie_down(axis: Any, title: str, most: float) -> None:
    axis.set_title(title)
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.set_xlim(0, most * 1.15)
    axis.xaxis.set_major_formatter("{x:,g}")


def _end_lines(path: Path) -> None:
    """Without the blanks that matplotlib ends lines with."""
    text = path.read_text()
    path.write_text("".join(f"{line.rstrip()}\n" for line in text.splitlines()))
