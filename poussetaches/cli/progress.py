"""How far a long command is, for whoever waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

#: Below that many of them there is no progress to show.
SHORT = {"bytes": 32 * 1024 * 1024, "lines": 50_000, "files": 2_000, "tasks": 2_000}


#: To be told how much more has been done.
Step = Callable[[int], object]


def ignore(amount: int) -> None:
    """Nobody wants to know how far it is."""


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Step]:
    """What is to be told of progress; people see it if it takes a while."""
    if total < SHORT[unit] or not sys.stderr.isatty():
        yield ignore
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update
