"""The store: one journal that grows, and dumps that let it begin anew."""

from __future__ import annotations

import os
import time

from poussetaches.errors import StoreError, StoreFull
from poussetaches.model.histogram import Histogram
from poussetaches.model.queue import TaskQueue
from poussetaches.store import format
from poussetaches.store.dirlock import DirLock
from poussetaches.store.files import (
    NO_ROOM,
    dump_path,
    generations,
    remove_unfinished,
    sync_directory,
)
from poussetaches.store.format import Record
from poussetaches.store.journal import Journal
from poussetaches.store.recovery import Recovered, forget_before, recover

#: Seconds: from a disk with a memory of its own that needs no power, to one that fails.
SYNC_BOUNDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)


class Store:
    """What the supervisor writes to. Opened by ``open``; one per data directory.

    ``durability``: "always" syncs with every commit, "interval" when ``sync`` is
    called, "off" leaves it to the operating system.
    """

    def __init__(self, directory: str, durability: str, lock: DirLock) -> None:
        self.directory = directory
        self._durability = durability
        self._lock = lock
        self._journal: Journal
        self._pending: list[bytes] = []
        self._pending_size = format.ARRAY.size
        #: How long syncs took, seconds.
        self.syncs = Histogram(SYNC_BOUNDS)
        #: Bytes written to the journal since the last dump was begun.
        self.journal_size = 0
        self._unsynced = False
        #: Whether somebody waits for what was appended to be durable.
        self._is_pressing = False

    @classmethod
    def open(
        cls, directory: str, durability: str, queue: TaskQueue, *, patience: float
    ) -> tuple[Store, Recovered]:
        """Lock the directory, recover ``queue`` (which must be new), and be ready.

        Waits up to ``patience`` seconds for the lock. Raises StoreError, OSError.
        """
        lock = DirLock(directory)
        store = cls(directory, durability, lock)
        try:
            lock.acquire(patience)
            recovered = recover(directory, queue)
        except (StoreError, OSError):
            lock.release()
            raise
        store._journal = recovered.journal
        store.journal_size = recovered.journal.offset
        return store, recovered

    @property
    def generation(self) -> int:
        """The generation of the journal that is written now."""
        return self._journal.generation

    def dumped(self) -> tuple[int, float] | None:
        """The size of the newest dump, bytes, and when it was finished, posix seconds;
        None: there is none, or it cannot be looked at."""
        newest = max(generations(self.directory, "dump"), default=None)
        if newest is None:
            return None
        try:
            status = os.stat(dump_path(self.directory, newest))
        except FileNotFoundError:
            return None  # a newer one has just replaced it
        return status.st_size, status.st_mtime

    @property
    def has_news(self) -> bool:
        """Whether the journal holds anything that no dump has."""
        return self.journal_size > format.HEADER_SIZE

    def append(self, record: Record, *, spare: int = 0, lazily: bool = False) -> None:
        """Take a record for the next commit. Its events happen wholly or not at all.

        ``lazily``: nobody is told that it has happened, so it need not be durable when
        the commit returns; ``wants_sync`` then says that it is still to be.
        Makes sure that there is room for it and for ``spare`` bytes beyond; raises
        StoreFull, and has taken nothing, if there is not.
        """
        packed = format.pack_record(record)
        size = self._pending_size + len(packed)
        self._journal.make_room(format.BLOCK.size + size + spare)
        self._pending.append(packed)
        self._pending_size = size
        self._is_pressing |= not lazily

    def commit(self) -> bool:
        """Write what was appended, and make it durable if durability is "always" and
        not all of it was taken lazily. Returns whether there was anything.

        Raises OSError: then nothing of it may be acknowledged, and this store is not to
        be used again.
        """
        if not self._pending:
            return False
        self.journal_size += self._journal.append(self._pending)
        self._pending = []
        self._pending_size = format.ARRAY.size
        self._unsynced = True
        if self._durability == "always" and self._is_pressing:
            self.sync()
        return True

    @property
    def wants_sync(self) -> bool:
        """Whether something that was committed is to be made durable soon."""
        return self._unsynced and self._durability != "off"

    def sync(self) -> None:
        """Make durable what was committed. Raises OSError, as ``commit``."""
        began = time.monotonic()
        self._journal.sync()
        self.syncs.add(time.monotonic() - began)
        self._unsynced = False
        self._is_pressing = False

    def rotate(self) -> int:
        """Begin the next journal; returns its generation, whose dump is to be written.

        Must be called between commits, and the dump made of the queue as it is now.
        Raises StoreFull; then the old journal goes on. Raises OSError, as ``commit``.
        """
        # The next one stands for it that all of this one is on disk.
        self.sync()
        old = self._journal
        try:
            # Who was promised room in the old journal finds it in the next one.
            journal = Journal.create(self.directory, old.generation + 1, room=old.room)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise StoreFull("the disk has no room for another journal") from error
        sync_directory(self.directory)
        self._journal = journal
        self.journal_size = journal.offset
        old.close()
        return self._journal.generation

    def forget_before(self, generation: int) -> None:
        """The dump of ``generation`` is on disk: drop what it replaces."""
        forget_before(self.directory, generation)

    def forget_unfinished(self) -> None:
        """The dump writer has failed: drop what it left, which may fill the disk."""
        remove_unfinished(self.directory)

    def close(self) -> None:
        """Leave everything on disk and let the next owner in."""
        self.commit()
        self._journal.end()
        self._journal.close()
        self._lock.release()
