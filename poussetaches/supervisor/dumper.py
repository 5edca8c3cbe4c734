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

from poussetaches.errors import StoreFull
from poussetaches.lifeline import die_with_parent
from poussetaches.log import fields
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from poussetaches.supervisor.children import describe
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.signals import Signals

log = logging.getLogger(__name__)

#: A journal of this size is dumped before its time, bytes: half a million pushes, which
#: take a start two seconds and a half beyond the dump.
LARGE_JOURNAL = 128 * 1024 * 1024
#: How soon after the last dump was begun, seconds.
PAUSE = 10.0
#: After each failure it takes twice as long to the next attempt, up to this, seconds.
LONGEST_PAUSE = 3600.0
#: How far the dump writer stands back for those that somebody waits for (man 2 nice).
NICENESS = 10
#: Exit status of a dump writer that has said itself why it failed.
FAILED = 1


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
        #: Attempts since the last one that went well.
        self._failures = 0
        #: How long the last dump took, seconds; None before the first.
        self.duration: float | None = None
        #: The size of the last dump, also of one before this start, bytes, and when it
        #: was finished, posix seconds; None: there is none.
        self.last = keeper.store.dumped()
        #: Dumps that were written since the start, and that were not to be.
        self.written = 0
        self.failed = 0

    @property
    def _store(self) -> Store:
        return self._keeper.store

    def due_at(self) -> float:
        """When the next dump is due, monotonic seconds; infinity if none is needed."""
        if self._pid is not None or not self._store.has_news:
            return float("inf")
        return self._begun_at + self._pause()

    def _pause(self) -> float:
        """Seconds from the beginning of one dump to that of the next."""
        pause = self._interval
        if self._store.journal_size > LARGE_JOURNAL:
            pause = min(pause, PAUSE)
        # However often it fails: a power of two has its limits.
        growing = pause * 2.0 ** min(self._failures, 32)
        return min(growing, max(pause, LONGEST_PAUSE))

    def begin(self, now: float) -> None:
        """Fork the dump writer, between commits. Raises OSError if the disk fails."""
        self._begun_at = now
        # Until it is known to have gone well; so the writer, too, knows what follows.
        self._failures += 1
        try:
            self._generation = self._store.rotate()
        except StoreFull as error:
            self.failed += 1
            log.warning("no dump: %s; %s", error, self._next_attempt())
            return
        gc.freeze()  # so that no collection in the child touches, and copies, our pages
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM):
                raise
            self.failed += 1
            log.warning("no dump: %s; %s", error.strerror, self._next_attempt())
            return
        if pid == 0:
            self._write(parent)
        self._pid = pid

    def _next_attempt(self) -> str:
        return f"the next attempt is made in {self._pause():.0f} s"

    def _write(self, parent: int) -> NoReturn:
        # Whatever happens, this process must not return into the supervisor's loop.
        status = FAILED
        try:
            # With the lock that it holds. Should the supervisor have ended before this,
            # its writing ends as below.
            die_with_parent()
            gc.disable()
            os.nice(NICENESS)
            Signals.reset_in_child()
            self._close_sockets()
            written = write_dump(
                self._store.directory,
                self._generation,
                self._keeper.queue,
                going_on=lambda: os.getppid() == parent,
                letting_go=True,
            )
            if written:
                # Here, for to remove a large file takes a file system a while.
                self._tidy(lambda: self._store.forget_before(self._generation))
            status = 0 if written else 2
        except OSError as error:
            log.error("no dump: %s; %s", error, self._next_attempt())
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
            if code != FAILED:
                log.warning("no dump: %s; %s", describe(code), self._next_attempt())
            self.failed += 1
            self._tidy(self._store.forget_unfinished)
            return
        self._failures = 0
        self.written += 1
        self.last = self._store.dumped()
        self.duration = now - self._begun_at
        log.info(
            "dumped",
            extra=fields(generation=self._generation, seconds=round(self.duration, 3)),
        )

    def _tidy(self, remove: Callable[[], None]) -> None:
        """Remove files that nobody needs. One that stays does no harm."""
        try:
            remove()
        except OSError as error:
            log.warning("a superfluous file cannot be removed: %s", error)

    def abandon(self) -> None:
        """End a dump that is under way; what it wrote goes at the next start."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None
