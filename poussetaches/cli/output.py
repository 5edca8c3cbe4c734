"""What a command writes for later: to standard output, or to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from poussetaches.cli.completion import FILE
from poussetaches.store.files import UNFINISHED


def with_output(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the option that says where what it writes goes."""
    return click.option(
        "-o", "--output", type=FILE, metavar="FILE", help="Write there, not to stdout."
    )(command)


@contextmanager
def written(path: str | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that is there when it is whole."""
    if path is None:
        yield sys.stdout.buffer
        return
    unfinished = f"{path}{UNFINISHED}"
    # Payloads are nobody else's business.
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(fd)
        os.rename(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise
