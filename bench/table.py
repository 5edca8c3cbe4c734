"""The figures as a table for people."""

from __future__ import annotations

from collections.abc import Iterable

from bench.figure import Aim, Figure

WIDTHS = (45, 11, 6, 34, 11, 3)
HEAD = ("", "value", "ratio", "of the baseline", "aim", "met")


def table(title: str, figures: Iterable[Figure]) -> str:
    """One part of a run, under its title."""
    lines = [_line((title, *HEAD[1:]))]
    lines += [_line(_row(figure)) for figure in figures]
    return "\n".join(lines)


def amount(value: float, unit: str) -> str:
    """A value in its unit, with as many digits as are worth reading."""
    if unit == "/s" or abs(value) >= 1000:
        digits = 0 if abs(value) >= 10 else 2
    elif abs(value) >= 100 or value == int(value):
        digits = 0
    else:
        digits = 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text + unit if unit.startswith("/") else f"{text} {unit}".rstrip()


def _row(figure: Figure) -> tuple[str, ...]:
    baseline = ""
    if figure.baseline is not None:
        baseline = f"{amount(figure.baseline, figure.unit)}, {figure.against}"
    return (
        figure.name,
        amount(figure.value, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        baseline,
        "" if figure.aim is None else _bound(figure.aim, figure.unit),
        {True: "yes", False: "no", None: ""}[figure.met],
    )


def _bound(aim: Aim, unit: str) -> str:
    sign = "<=" if aim.at_most else ">="
    return f"{sign} {f'x {aim.limit:g}' if aim.of_ratio else amount(aim.limit, unit)}"


def _line(cells: tuple[str, ...]) -> str:
    name, value, ratio, baseline, aim, met = cells
    a, b, c, d, e, f = WIDTHS
    text = (
        f"{name:<{a}} {value:>{b}} {ratio:>{c}}  {baseline:<{d}} {aim:<{e}} {met:<{f}}"
    )
    return text.rstrip()
