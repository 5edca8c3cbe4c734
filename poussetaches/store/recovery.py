"""From the files of a data directory back to the queue.

The newest dump, then the journals from its generation on, in order and without a gap.
Only the last journal may have a torn tail, and only that is cut. Everything else that
does not fit refuses to start: a queue that silently misses tasks is worse than none.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from poussetaches.errors import IllegalEvent, StoreBroken, StoreDamaged, StoreTooNew
from poussetaches.model.queue import TaskQueue
from poussetaches.store import format
from poussetaches.store.blocks import BlockReader, Tail
from poussetaches.store.dump import read_dump
from poussetaches.store.files import (
    dump_path,
    generations,
    journal_path,
    remove_unfinished,
    sync_directory,
)
from poussetaches.store.journal import Journal
from poussetaches.store.torn import keep_torn


class Recovered(NamedTuple):
    """What recovery found."""

    #: The journal to append to.
    journal: Journal
    #: How many records were replayed.
    records: int
    #: Bytes of a torn tail that were cut, and the name of the file that has them.
    torn: int
    kept: str | None = None


class Content(NamedTuple):
    """What the files of a directory hold beside the queue."""

    #: The generation of the last journal, and its salt.
    generation: int
    salt: int
    #: How many records all journals that were replayed have.
    records: int
    #: How the last one ended.
    tail: Tail


class _Replayed(NamedTuple):
    salt: int
    records: int
    tail: Tail


def recover(directory: str, queue: TaskQueue) -> Recovered:
    """Bring a new queue to where the store left it, and open the journal to go on with.

    The directory must be locked. Raises StoreError (StoreDamaged with file and offset)
    or OSError.
    """
    remove_unfinished(directory)
    content = read(directory, queue)
    if content is None:
        begun = Journal.create(directory, 1)
        sync_directory(directory)
        return Recovered(begun, 0, 0)
    generation, salt, records, tail = content
    kept = keep_torn(directory, generation, tail) if tail.torn else None
    journal = Journal.reopen(directory, generation, salt, tail)
    return Recovered(journal, records, tail.torn, kept)


def read(directory: str, queue: TaskQueue) -> Content | None:
    """The reading half of ``recover``: changes the queue and no file.

    None if the store has not been begun. Raises as ``recover``.
    """
    dumps = generations(directory, "dump")
    journals = generations(directory, "journal")
    if dumps:
        first = dumps[-1]
        read_dump(directory, first, queue)
    else:
        first = 1
    if not dumps and not journals:
        return None
    coming = [generation for generation in journals if generation >= first]
    last = coming[-1] if coming else first
    if coming != list(range(first, last + 1)):
        missing = min(set(range(first, last + 1)) - set(coming))
        raise StoreBroken(
            f"{journal_path(directory, missing)} is missing: the queue cannot be "
            "recovered without it"
        )
    records = 0
    for generation in coming:
        replayed = _replay(journal_path(directory, generation), generation, queue)
        records += replayed.records
        if replayed.tail.torn and generation != last:
            raise StoreDamaged(
                journal_path(directory, generation),
                replayed.tail.offset,
                "the journal is cut off, but a later one exists",
            )
    return Content(last, replayed.salt, records, replayed.tail)


def forget_before(directory: str, generation: int) -> None:
    """Remove what the dump of ``generation`` has made superfluous."""
    for older in generations(directory, "journal"):
        if older < generation:
            os.unlink(journal_path(directory, older))
    for older in generations(directory, "dump"):
        if older < generation:
            os.unlink(dump_path(directory, older))


def _replay(path: str, generation: int, queue: TaskQueue) -> _Replayed:
    with open(path, "rb") as file:
        data = file.read()
    salt = format.read_header(path, data, format.JOURNAL, generation)
    reader = BlockReader(path, data, salt)
    records = 0
    for block in reader:
        try:
            unpacked = list(format.unpack_journal(block.body))
        except format.STRANGE as error:
            raise StoreTooNew(path, block.offset, format.STRANGE_REASON) from error
        for record in unpacked:
            records += 1
            for event in record:
                try:
                    queue.apply(event)
                except IllegalEvent as error:
                    raise StoreDamaged(path, block.offset, error.message) from error
    return _Replayed(salt, records, reader.tail)
