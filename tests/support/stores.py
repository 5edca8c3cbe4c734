"""Stores for tests: how to fill one, and what is on its disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from poussetaches.model.events import (
    Died,
    Event,
    Failed,
    Leased,
    Paused,
    Pushed,
    Recurred,
    Scheduled,
    Succeeded,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.store.disk import Store
from poussetaches.store.recovery import Recovered, recover
from tests.support.queues import NOW, apply, ranked

#: A short story: what happened to a queue, record by record.
RECORDS: list[list[Event]] = [
    [Pushed("a", NOW, NOW, b"spec a")],
    [Pushed("b", NOW, NOW + 60.0, b"")],
    [Leased("a", NOW, 1)],
    [Scheduled("s", NOW, "@hourly", b"spec s"), Recurred("s", NOW, NOW, NOW)],
    [Failed("a", NOW + 1, 1, 500, b"no\0\0", NOW + 2)],
    [Leased("a", NOW + 2, 2)],
    [Leased("s", NOW + 2, 1)],
    [Died("a", NOW + 3, 2, -1, b"")],
    [Succeeded("s", NOW + 3, 1, 200), Recurred("s", NOW + 3, NOW + 9, NOW + 9)],
    [Paused(NOW + 4)],
]


class Life(NamedTuple):
    """What a store has been through."""

    #: Where it lies.
    directory: Path
    #: The queue (``ranked``) before the first block, and after each block.
    states: list[dict[str, Any]]
    #: Where the journal ended then, bytes.
    ends: list[int]
    #: The last journal.
    journal: Path


def opened(directory: Path, durability: str = "always") -> tuple[Store, TaskQueue]:
    """A store that is ready, and its queue."""
    queue = TaskQueue()
    store, _ = Store.open(str(directory), durability, queue, patience=0.0)
    return store, queue


def take(store: Store, queue: TaskQueue, *records: Iterable[Event]) -> None:
    """Have the store and the queue take these records, without a commit."""
    for record in records:
        events = [*record]
        store.append(events)
        apply(queue, events)


def killed(store: Store) -> None:
    """Let a store go as a kill would, but for what was allocated ahead."""
    store._journal.close()
    store._lock.release()


def lived(
    directory: Path,
    durability: str = "always",
    records: list[list[Event]] = RECORDS,
    sync_after: int = 0,
    stopped: bool = False,
) -> Life:
    """A store that was killed after it had committed each of ``records`` alone.

    ``sync_after``: after that many commits it was told to sync. ``stopped``: it was not
    killed, but closed in good order.
    """
    store, queue = opened(directory, durability)
    journal = directory / f"journal-{store.generation:08}.msgpack"
    life = Life(directory, [ranked(queue)], [store.journal_size], journal)
    for number, record in enumerate(records, start=1):
        take(store, queue, record)
        store.commit()
        if number == sync_after:
            store.sync()
        life.states.append(ranked(queue))
        life.ends.append(store.journal_size)
    if stopped:
        store.close()
    else:
        killed(store)
    return life


def recovered(directory: Path) -> tuple[TaskQueue, Recovered]:
    """What recovery makes of a directory; nothing is left open."""
    queue = TaskQueue()
    found = recover(str(directory), queue)
    found.journal.close()
    return queue, found


def copied(directory: Path, to: Path) -> Path:
    """The files of a store as they are at this moment, as a crash would leave them."""
    shutil.copytree(directory, to, ignore=shutil.ignore_patterns("lock"))
    return to
