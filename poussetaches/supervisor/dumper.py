"""The dump writer: a fork that has the queue as it was, while the supervisor goes on.

The only child that does not exec. It keeps the lock of the data directory on purpose
(see ``DirLock``) and leaves by itself when the supervisor is gone.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
from collections.abc import Callable
from typing import NoReturn

from poussetaches.log import fields
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from poussetaches.store.journal import NO_ROOM
from poussetaches.supervisor.children import describe
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.signals import Signals

log = logging.getLogger(__name__)

#: A journal of this size is dumped before its time, bytes.
LARGE_JOURNAL = 256 * 1024 * 1024
#: How soon after the last attempt at the earliest, seconds: it may have failed.
PAUSE = 10.0


class Dumper:
    """Decides when to dump, has it done, and cleans up after it.

    ``interval``: seconds between two dumps. ``close_sockets``: closes, in the dump
    writer, what of the supervisor's it must not hold open.
    """

    def __init__(
        self,
        keeper: Keeper,
        *,
        interval: float,
        now: float,
        close_sockets: Callable[[], None],
    ) -> None:
        self._keeper = keeper
        self._interval = interval
        self._close_sockets = close_sockets
        self._pid: int | None = None
        self._generation = 0
        self._begun_at = now
        #: How long the last dump took, seconds; None before the first.
        self.duration: float | None = None

    @property
    def _store(self) -> Store:
        return self._keeper.store

    def due_at(self) -> float:
        """When the next dump is due, monotonic seconds; infinity if none is needed."""
        if self._pid is not None or not self._store.has_news:
            return float("inf")
        if self._store.journal_size > LARGE_JOURNAL:
            return self._begun_at + min(self._interval, PAUSE)
        return self._begun_at + self._interval

    def begin(self, now: float) -> None:
        """Fork the dump writer, between commits. Raises OSError if the disk fails."""
        self._begun_at = now
        self._store.sync()
        try:
            self._generation = self._store.rotate()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            log.warning("no dump: the disk has no room for another journal")
            return
        gc.freeze()  # so that no collection in the child touches, and copies, our pages
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM):
                raise
            log.warning("no dump: %s", error.strerror)
            pid = -1
        if pid == 0:
            self._write(parent)
        self._pid = pid if pid > 0 else None

    def _write(self, parent: int) -> NoReturn:
        # Whatever happens, this process must not return into the supervisor's loop.
        status = 1
        try:
            gc.disable()
            Signals.reset_in_child()
            self._close_sockets()
            written = write_dump(
                self._store.directory,
                self._generation,
                self._keeper.queue,
                going_on=lambda: os.getppid() == parent,
            )
            status = 0 if written else 2
        except OSError as error:
            log.error("the dump cannot be written: %s", error)
        except BaseException:
            log.exception("the dump writer failed")
        finally:
            os._exit(status)

    def reap(self, now: float) -> None:
        """Look whether the dump writer has ended, and finish its work if it has."""
        if self._pid is None:
            return
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            return
        self._pid = None
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            log.warning("the dump was not written: %s", describe(code))
            self._store.forget_unfinished()
            return
        self._store.forget_before(self._generation)
        self.duration = now - self._begun_at
        log.info(
            "dumped",
            extra=fields(generation=self._generation, seconds=round(self.duration, 3)),
        )

    def abandon(self) -> None:
        """End a dump that is under way; what it wrote goes at the next start."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None
