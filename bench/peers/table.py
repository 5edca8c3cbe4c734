"""The figures of all subjects as a table: medians, and poussetaches over each peer."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple


class Column(NamedTuple):
    """One figure of every subject."""

    title: str
    #: From what ``measuring.measure`` returns.
    figure: Callable[[dict[str, Any]], float]
    #: How it is written.
    form: str


COLUMNS = [
    Column("end to end", lambda run: run["end_to_end_rate"], "{:,.0f}/s"),
    Column("draining", lambda run: run["drain_rate"], "{:,.0f}/s"),
    Column("CPU a task", lambda run: run["cpu"], "{:,.0f} us"),
    Column("its client", lambda run: run["cpu_client"], "{:,.0f} us"),
    Column("latency p50", lambda run: run["latency"]["p50"], "{:.1f} ms"),
    Column("p99", lambda run: run["latency"]["p99"], "{:.1f} ms"),
]


def medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Of each figure over the runs of one subject, by its title."""
    return {each.title: median(map(each.figure, runs)) for each in COLUMNS}


def ratios(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Poussetaches over a peer: above 1 is better for rates, below 1 for the rest."""
    return {title: ours[title] / theirs[title] for title in ours}


def show(figures: dict[str, dict[str, float]], on_disk: dict[str, str]) -> str:
    """``figures``: the medians by subject, poussetaches first."""
    ours, *_ = figures.values()
    titles = [each.title for each in COLUMNS]
    lines = [_line("", titles)]
    for name, theirs in figures.items():
        cells = [each.form.format(theirs[each.title]) for each in COLUMNS]
        lines.append(_line(name, cells))
    lines += ["", _line("poussetaches / peer", titles)]
    for name, theirs in list(figures.items())[1:]:
        cells = [f"{each:.2f}" for each in ratios(ours, theirs).values()]
        lines.append(_line(name, cells))
    lines += ["", "On disk when the client returns:"]
    lines += [f"{name:<20} {on_disk[name]}" for name in figures]
    return "\n".join(lines)


def _line(name: str, cells: list[str]) -> str:
    return f"{name:<20}" + "".join(f"{cell:>13}" for cell in cells)
