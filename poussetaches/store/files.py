"""Names in a data directory, and the file operations that must not be got wrong."""

from __future__ import annotations

import errno
import os
import re

#: Ends the name of a file that is not whole yet.
UNFINISHED = ".tmp"

#: What the system says where there is no room.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

NAME = re.compile(r"(dump|journal)-(\d{8})\.msgpack")


def journal_path(directory: str, generation: int) -> str:
    """Where the journal of a generation lies."""
    return os.path.join(directory, f"journal-{generation:08}.msgpack")


def dump_path(directory: str, generation: int) -> str:
    """Where the dump of a generation lies."""
    return os.path.join(directory, f"dump-{generation:08}.msgpack")


def generations(directory: str, kind: str) -> list[int]:
    """The generations of which a ``kind`` ("dump" or "journal") exists, ascending."""
    found = (NAME.fullmatch(name) for name in os.listdir(directory))
    return sorted(int(m[2]) for m in found if m is not None and m[1] == kind)


class about:
    """An OSError raised within says which file it is about.

    A class, as it is entered with every block: a generator costs three times as much.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = self._path


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write ``data`` at ``offset``, all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def create_file(path: str, content: bytes, *, room: int = 0) -> int:
    """A new file with ``content``, open for more; whole and on disk, or not there at
    all. Its name is durable when the directory is synced.

    ``room`` bytes are allocated behind the content. Raises OSError.
    """
    unfinished = f"{path}{UNFINISHED}"
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(unfinished, flags, 0o600)
    try:
        with about(unfinished):
            write_all(fd, content, 0)
            if room:
                os.posix_fallocate(fd, len(content), room)
            os.fsync(fd)
            os.rename(unfinished, path)
    except OSError:
        os.close(fd)
        os.unlink(unfinished)
        raise
    return fd


def remove_unfinished(directory: str) -> None:
    """Remove what a crash left of files that were never put in place."""
    for name in os.listdir(directory):
        if name.endswith(UNFINISHED):
            os.unlink(os.path.join(directory, name))


def sync_directory(directory: str) -> None:
    """Make names that were created, renamed or removed in ``directory`` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with about(directory):
            os.fsync(fd)
    finally:
        os.close(fd)
