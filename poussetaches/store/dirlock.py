"""One owner per data directory."""

from __future__ import annotations

import fcntl
import os
import time

from poussetaches.errors import StoreError, StoreLocked
from poussetaches.store.files import NO_ROOM, about, write_all

#: How often a taken lock is tried again, seconds. Only at start, and for a bounded
#: time.
RETRY = 0.02


class DirLock:
    """An exclusive lock on a data directory, held until released or the process ends.

    The dump writer, which is forked and does not exec, inherits it on purpose: while it
    writes nobody else may own the directory. Every other child execs and has lost it.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "lock")
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"data_dir: cannot use {directory}: {error.strerror}"
            ) from error

    def acquire(self, patience: float) -> None:
        """Take the lock, waiting up to ``patience`` seconds. Raises StoreLocked."""
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
                    raise StoreLocked(
                        f"data_dir: {self._directory} is in use by another "
                        f"poussetaches (process {owner or 'unknown'})"
                    ) from None
                time.sleep(RETRY)
        with about(self._path):
            self._sign()

    def _sign(self) -> None:
        """Say who has it, for people."""
        name = b"%d\n" % os.getpid()
        try:
            # Over what is there, as that needs no room.
            write_all(self._fd, name, 0)
            os.ftruncate(self._fd, len(name))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            os.ftruncate(self._fd, 0)

    def release(self) -> None:
        """Let the next owner in."""
        os.close(self._fd)
