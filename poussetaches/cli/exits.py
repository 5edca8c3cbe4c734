"""How a command ends: its exit status, and several things done one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from poussetaches.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PousseTachesError,
    StoreError,
    Unauthorized,
    Unavailable,
)
from poussetaches.plain import harmless

#: What it says no with, and the exit status that a script may branch on. Whatever else
#: goes wrong is REFUSED; wrong usage is 2, as click has it.
EXITS: tuple[tuple[type[PousseTachesError], int], ...] = (
    (Unavailable, 3),
    (NotFound, 4),
    (Conflict, 5),
    (Unauthorized, 6),
    (Forbidden, 6),
)
REFUSED = 1
#: Ctrl-C, as a shell has it.
INTERRUPTED = 130

T = TypeVar("T")


def exit_status(error: PousseTachesError) -> int:
    """The exit status of a command that ended with ``error``."""
    return next((code for kind, code in EXITS if isinstance(error, kind)), REFUSED)


def is_interrupted(abort: click.Abort) -> bool:
    """Whether Ctrl-C ended it, and not a no to a question."""
    return isinstance(abort.__cause__, KeyboardInterrupt)


def as_sentence(error: OSError) -> StoreError:
    """What became of a file, in one line."""
    where = f"{error.filename}: " if error.filename else ""
    return StoreError(f"{where}{error.strerror or error}")


def complain(error: PousseTachesError) -> None:
    """One line on standard error; what a stranger said may be part of it."""
    click.echo(f"poussetaches: {harmless(error.message)}", err=True)


def each(things: Iterable[T], act: Callable[[T], None]) -> None:
    """Do something with each of ``things``. One that is refused does not keep the
    others from it; the exit status is that of the first.

    Raises Unavailable at once: the others would not fare better.
    """
    first: PousseTachesError | None = None
    for thing in things:
        try:
            act(thing)
        except Unavailable:
            raise
        except PousseTachesError as error:
            complain(error)
            first = first or error
    if first is not None:
        raise click.exceptions.Exit(exit_status(first))
