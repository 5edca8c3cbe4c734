"""The processes of this machine, read from /proc."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

#: Bytes of a page.
PAGE = os.sysconf("SC_PAGESIZE")


class Process(NamedTuple):
    """One process that runs, or is stopped; not one that only waits to be reaped."""

    pid: int
    parent: int
    #: The working directory; empty if it is not ours to know.
    folder: str
    #: Clock ticks since the machine started.
    started: int
    #: The words of its title, or of its arguments: ``python -m poussetaches.worker``
    #: has poussetaches and worker.
    words: tuple[str, ...]

    def kill(self) -> None:
        """End it, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def __str__(self) -> str:
        return f"{self.pid} ({' '.join(self.words)})"


def processes() -> Iterator[Process]:
    """All of them, in no order."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text(errors="replace")
            command = (folder / "cmdline").read_bytes()
            home = os.readlink(folder / "cwd")
        except PermissionError:
            home = ""
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name, in brackets, may hold blanks and brackets itself.
        state, parent, *more = stat[stat.rindex(")") + 2 :].split()
        if state in "ZX":
            continue
        yield Process(
            pid=int(folder.name),
            parent=int(parent),
            folder=home,
            started=int(more[17]),
            words=_words(command),
        )


class Usage(NamedTuple):
    """What a process holds at one moment."""

    #: Resident, bytes.
    memory: int
    descriptors: int


def usage(pid: int) -> Usage:
    """Of a process that is there. Raises OSError."""
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text().split()[1])
    return Usage(pages * PAGE, len(os.listdir(folder / "fd")))


def _words(command: bytes) -> tuple[str, ...]:
    """Without those of the interpreter's path, if there are arguments after it."""
    arguments = command.decode(errors="replace").rstrip("\0").split("\0")
    return tuple(re.findall(r"\w+", " ".join(arguments[1:] or arguments)))
