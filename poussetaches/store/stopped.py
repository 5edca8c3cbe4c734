"""The store of a stopped service: read it, or give it another queue at one stroke."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from poussetaches.errors import StoreError, StoreLocked
from poussetaches.model.queue import TaskQueue
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from poussetaches.store.recovery import read


@contextmanager
def kept_from_starting(directory: str) -> Iterator[str | None]:
    """No service starts on ``directory`` within. Writes nothing, not even to the lock.

    Yields the process id of a service that runs already; then nothing is kept.
    """
    try:
        fd = os.open(os.path.join(directory, "lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        # No service has ever been here; it may be a copy.
        yield None
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        owner = None
    except BlockingIOError:
        owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
    try:
        yield owner
    finally:
        os.close(fd)


@contextmanager
def stopped(directory: str) -> Iterator[None]:
    """As ``kept_from_starting``; raises StoreLocked if a service runs."""
    with kept_from_starting(directory) as owner:
        if owner is not None:
            raise StoreLocked(
                f"data_dir: {directory} is in use by a service (process {owner}); "
                "stop it first"
            )
        yield


def read_stopped(directory: str, *, retain_succeeded: int) -> TaskQueue:
    """What a stopped service left; changes no file.

    Raises StoreError, also if there is no store, or OSError.
    """
    queue = TaskQueue(retain_succeeded=retain_succeeded)
    with stopped(directory):
        if read(directory, queue) is None:
            raise StoreError(f"data_dir: there is no store in {directory}")
    return queue


@contextmanager
def opened(directory: str, queue: TaskQueue) -> Iterator[Store]:
    """A stopped store, recovered into ``queue`` and locked. Begins it if need be.

    Raises StoreError (StoreLocked if a service runs), OSError.
    """
    store, _ = Store.open(directory, "always", queue, patience=0.0)
    try:
        yield store
    finally:
        store.close()


def begin(directory: str, queue: TaskQueue) -> None:
    """Make a store that holds ``queue``, in a directory that is new or empty.

    Raises StoreError if it is neither, OSError.
    """
    if os.path.exists(directory) and os.listdir(directory):
        raise StoreError(f"{directory} is not empty: name a directory that is new")
    with opened(directory, TaskQueue()) as store:
        replace_queue(store, queue)


def replace_queue(store: Store, queue: TaskQueue) -> None:
    """Let a store hold ``queue`` instead of what it held, wholly or not at all.

    It does when the dump gets its name. Raises StoreFull or OSError; then it holds what
    it held.
    """
    generation = store.rotate()
    try:
        write_dump(store.directory, generation, queue)
    except OSError:
        store.forget_unfinished()
        raise
    store.forget_before(generation)


def is_within(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory``, or would lie in it."""
    path, directory = os.path.realpath(path), os.path.realpath(directory)
    return os.path.commonpath([path, directory]) == directory
