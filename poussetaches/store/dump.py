"""The dump: the whole queue at one moment, in one file that is either whole or
absent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from poussetaches.errors import StoreDamaged
from poussetaches.model.queue import Counts, TaskQueue
from poussetaches.store import format
from poussetaches.store.files import UNFINISHED, dump_path, sync_directory

#: Rows per block: few enough to stop soon when asked, many enough to cost nothing.
ROWS = 500


def write_dump(
    directory: str,
    generation: int,
    queue: TaskQueue,
    *,
    going_on: Callable[[], bool] = lambda: True,
) -> bool:
    """Write the dump of a generation: temporary file, sync, rename, sync the directory.

    Runs in the dump writer. ``going_on`` is asked between blocks and before the rename;
    once it says no, the dump is given up. Returns whether it was written. Raises
    OSError; what is unfinished then goes at the next start.
    """
    path = dump_path(directory, generation)
    unfinished = f"{path}{UNFINISHED}"
    salt = secrets.randbits(32)
    with open(unfinished, "wb", opener=_private) as file:
        file.write(format.header(format.DUMP, generation, salt))
        for body in _bodies(queue):
            if not going_on():
                return False
            file.write(format.block(body, salt))
        file.flush()
        os.fsync(file.fileno())
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
    rows: dict[str, list[Any]] = {kind: [] for kind in ("schedules", *TASK_KINDS)}
    meta: dict[str, Any] = {}
    ended = False
    reader = format.BlockReader(path, data, salt)
    for block in reader:
        kind, content = block.body
        if kind == "queue":
            meta = content
        elif kind == "end":
            ended = content == sum(map(len, rows.values()))
        else:
            rows[kind].extend(content)
    if not ended or reader.tail.torn:
        raise StoreDamaged(path, reader.tail.offset, "the dump is cut off")
    queue.load(
        schedules=[format.row_schedule(row) for row in rows["schedules"]],
        tasks=[format.row_task(row) for row in rows["tasks"]],
        succeeded=[format.row_task(row) for row in rows["succeeded"]],
        dead=[format.row_task(row) for row in rows["dead"]],
        counts=Counts(**meta["counts"]),
        paused=meta["paused"],
        skew=meta["skew"],
    )


TASK_KINDS = ("tasks", "succeeded", "dead")


def _bodies(queue: TaskQueue) -> Iterator[bytes]:
    meta = {
        "counts": asdict(queue.counts),
        "paused": queue.paused,
        "skew": queue.skew,
    }
    yield format.pack_dump("queue", meta)
    count = 0
    parts: dict[str, Iterable[Any]] = {
        kind: map(format.task_row, getattr(queue, kind).values()) for kind in TASK_KINDS
    }
    parts["schedules"] = map(format.schedule_row, queue.schedules.values())
    for kind, rows in parts.items():
        remaining = iter(rows)
        while some := list(islice(remaining, ROWS)):
            count += len(some)
            yield format.pack_dump(kind, some)
    yield format.pack_dump("end", count)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
