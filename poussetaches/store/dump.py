"""The dump: the whole queue at one moment, in one file that is either whole or
absent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from poussetaches.allocator import give_back
from poussetaches.errors import StoreDamaged, StoreTooNew
from poussetaches.model.counts import Counts
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Task
from poussetaches.store import format
from poussetaches.store.blocks import BlockReader
from poussetaches.store.files import (
    UNFINISHED,
    about,
    dump_path,
    sync_directory,
    write_all,
)

#: A block ends with the row that makes it this long, rows or bytes: soon enough to stop
#: when asked and to be built in memory, late enough to cost nothing.
ROWS = 500
BLOCK_BYTES = 4 * 1024 * 1024
#: So many bytes at a time are brought to disk: all of them at once, at the end, would
#: hold up whoever syncs a journal beside it.
SYNC_BYTES = 16 * 1024 * 1024
#: Tasks that are let go of together: many enough to go seldom over the holes of those
#: before, in search of the next ones, and not many more than lie in the same memory.
LET_GO = 5000


def write_dump(
    directory: str,
    generation: int,
    queue: TaskQueue,
    *,
    going_on: Callable[[], bool] = lambda: True,
    letting_go: bool = False,
) -> bool:
    """Write the dump of a generation: temporary file, sync, rename, sync the directory.

    Runs in the dump writer. ``going_on`` is asked between blocks and before the rename;
    once it says no, the dump is given up. Returns whether it was written. Raises
    OSError; what is unfinished is then for ``remove_unfinished``.

    ``letting_go``: of each task once it is written, for the queue is a copy that nobody
    will use again. To read an object is to write to the memory where it is, because its
    references are counted there; so a forked process that reads everything has its own
    copy of everything in the end, unless it frees the one as it copies the next.
    """
    path = dump_path(directory, generation)
    unfinished = f"{path}{UNFINISHED}"
    salt = secrets.randbits(32)
    fd = os.open(
        unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
    )
    try:
        with about(unfinished):
            head = format.header(format.DUMP, generation, salt)
            write_all(fd, head, 0)
            offset = synced = len(head)
            for body in _bodies(queue, letting_go):
                if not going_on():
                    return False
                block = format.block(body, salt)
                write_all(fd, block, offset)
                offset += len(block)
                if offset - synced >= SYNC_BYTES:
                    os.fdatasync(fd)
                    synced = offset
                if letting_go:
                    give_back()
            os.fsync(fd)
    finally:
        os.close(fd)
    if not going_on():
        return False
    os.rename(unfinished, path)
    sync_directory(directory)
    return True


def read_dump(directory: str, generation: int, queue: TaskQueue) -> None:
    """Load the dump of a generation into a new queue.

    Raises StoreDamaged, and leaves the queue as it was, if the file is not whole.
    """
    path = dump_path(directory, generation)
    with open(path, "rb") as file:
        data = file.read()
    salt = format.read_header(path, data, format.DUMP, generation)
    rows: dict[str, Any] = {kind: [] for kind in READERS}
    meta: dict[str, Any] = {}
    ended = False
    reader = BlockReader(path, data, salt)
    for block in reader:
        try:
            kind, content = block.body
            if kind == "queue":
                meta = read_meta(content)
            elif kind == "end":
                ended = content == sum(map(len, rows.values()))
            else:
                rows[kind].extend(map(READERS[kind], content))
        except format.STRANGE as error:
            raise StoreTooNew(path, block.offset, format.STRANGE_REASON) from error
    if not (meta and ended) or reader.tail.torn:
        raise StoreDamaged(path, reader.tail.offset, "the dump is cut off")
    queue.load(**rows, **meta)


TASK_KINDS = ("tasks", "succeeded", "dead", "expired")

#: What reads a row, for every kind of block that has rows.
READERS: dict[str, Callable[[Sequence[Any]], Any]] = {
    **dict.fromkeys(TASK_KINDS, format.row_task),
    "schedules": format.row_schedule,
    "keys": format.row_key,
    "queues": format.row_queue,
}


def read_meta(content: dict[str, Any]) -> dict[str, Any]:
    """What a "queue" block holds, as arguments of ``TaskQueue.load``.

    Raises one of format.STRANGE if it holds anything else.
    """
    known = {"counts", "paused", "skew", "latest"}
    if strange := content.keys() - known:
        raise KeyError(*strange)
    return {**content, "counts": Counts(**content["counts"])}


def _bodies(queue: TaskQueue, letting_go: bool) -> Iterator[bytes]:
    meta = {
        "counts": asdict(queue.counts),
        "paused": queue.paused,
        "skew": queue.skew,
        "latest": queue.latest,
    }
    yield format.pack_dump("queue", meta)
    count = 0
    queues = [one.row for one in queue.turns.queues.values() if one.is_set]
    tasks = _let_go(queue) if letting_go else _tasks(queue)
    parts: dict[str, Iterable[Any]] = {
        kind: map(format.task_row, some) for kind, some in tasks.items()
    }
    parts["schedules"] = map(format.schedule_row, queue.schedules.values())
    parts["keys"] = queue.keys.ended()
    parts["queues"] = queues
    for kind, rows in parts.items():
        for some in _parcels(map(format.pack_row, rows)):
            count += len(some)
            yield format.dump_body(kind, some)
    yield format.pack_dump("end", count)


def _tasks(queue: TaskQueue) -> dict[str, Iterable[Task]]:
    return {
        "tasks": queue.tasks.values(),
        "succeeded": queue.succeeded.values(),
        "dead": queue.dead.values(),
        "expired": queue.expired.values(),
    }


def _let_go(queue: TaskQueue) -> dict[str, Iterable[Task]]:
    """The same, in the same order. Each is gone soon after the next one is asked for.

    In the order in which they came, because what came together lies together: the
    allocator gives its memory back to the system when all in one arena is free.
    """
    queue.turns.let_go()
    queue.schedules.let_go()
    queue.leased.clear()
    return {
        "tasks": _taken(queue),
        "succeeded": queue.succeeded.let_go(),
        "dead": queue.dead.let_go(),
        "expired": queue.expired.let_go(),
    }


def _taken(queue: TaskQueue) -> Iterator[Task]:
    tasks = queue.tasks
    while tasks:
        for id in [*islice(tasks, LET_GO)]:
            task = tasks.pop(id)
            if task.terms.key:
                queue.keys.let_go(task.terms.key, id)
            yield task


def _parcels(packed_rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    size = 0
    for row in packed_rows:
        some.append(row)
        size += len(row)
        if len(some) == ROWS or size >= BLOCK_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
