"""Rows as a table: aligned, and on a terminal cut to its width and coloured."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from poussetaches.plain import plain

#: Between two columns.
GAP = "  "
#: An elastic column is cut to no less than that, in columns of the terminal.
NARROWEST = 10
#: Stands for what was cut off.
CUT = "…"

#: Words that are worth a glance, wherever they stand in a table of states.
COLOURS: Mapping[str, str] = {
    "dead": "red",
    "failed": "red",
    "lost": "red",
    "held": "red",
    "given up": "red",
    "slowed": "yellow",
    "expired": "yellow",
    "deferred": "yellow",
    "paused": "yellow",
    "leased": "cyan",
    "in flight": "cyan",
    "succeeded": "green",
}


class Column(NamedTuple):
    """One column. An elastic one may be cut; one with only empty cells is left out."""

    title: str
    #: As numbers are.
    right: bool = False
    elastic: bool = False
    #: What is cut loses its beginning, which is much the same in all rows: URLs.
    keeps_end: bool = False


def show(
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    *,
    empty: str = "",
) -> None:
    """Print a table to standard output; ``empty`` to standard error if it has no row,
    since that is for people."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if not cells:
        if empty:
            click.echo(empty, err=True)
        return
    for line in lines(columns, cells, terminal_width(), coloured=is_coloured()):
        click.echo(line)


def with_json(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the option that asks for JSON instead."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object a line."
    )(command)


def show_json(things: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON object a line."""
    for thing in things:
        click.echo(json.dumps(thing))


def lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    coloured: bool = False,
) -> list[str]:
    """The head and the rows, none longer than ``width`` if one is given and the
    elastic columns can give way."""
    used = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    head = [column.title for column in columns]
    widths = {
        index: max(measure(row[index]) for row in [head, *rows]) for index in used
    }
    if width is not None:
        _shrink(columns, widths, width)
    drawn = [_line(columns, widths, head)]
    if coloured:
        drawn = [click.style(drawn[0], bold=True)]
    colours = COLOURS if coloured else {}
    return drawn + [_line(columns, widths, row, colours) for row in rows]


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is, or None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def is_coloured() -> bool:
    """Whether standard output is a terminal whose owner has nothing against colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def measure(text: str) -> int:
    """Columns of a terminal that ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(_measure(one) for one in text)


def _measure(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """``text`` in at most so many columns of a terminal."""
    if measure(text) <= width:
        return text
    kept, left = [], width - 1
    for character in text:
        left -= _measure(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + CUT if width > 0 else ""


def cut_before(text: str, width: int) -> str:
    """The end of ``text``, in at most so many columns of a terminal."""
    return cut(text[::-1], width)[::-1]


def _shrink(columns: Sequence[Column], widths: dict[int, int], width: int) -> None:
    """Take what is too much from the widest of the elastic columns."""
    over = sum(widths.values()) + len(GAP) * (len(widths) - 1) - width
    while over > 0:
        elastic = [
            index
            for index in widths
            if columns[index].elastic and widths[index] > NARROWEST
        ]
        if not elastic:
            return
        widest = max(elastic, key=lambda index: widths[index])
        widths[widest] -= 1
        over -= 1


def _line(
    columns: Sequence[Column],
    widths: Mapping[int, int],
    row: Sequence[str],
    colours: Mapping[str, str] = COLOURS,
) -> str:
    drawn = []
    for index, width in widths.items():
        keeps_end = columns[index].keeps_end and row[index] != columns[index].title
        text = (cut_before if keeps_end else cut)(row[index], width)
        space = " " * (width - measure(text))
        if row[index] in colours:
            text = click.style(text, fg=colours[row[index]])
        drawn.append(space + text if columns[index].right else text + space)
    return GAP.join(drawn).rstrip()
