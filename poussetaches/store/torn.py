"""What a start cuts off a journal, kept for a while for whoever wants to look at it.

With durability "always" nobody was told that it had been accepted. With the others
there may be whole records in it, behind a hole that a power cut left.
"""

from __future__ import annotations

import logging
import os
import re

from poussetaches.store.blocks import Tail
from poussetaches.store.files import create_file, journal_path, sync_directory

log = logging.getLogger(__name__)

NAME = re.compile(r"journal-\d{8}\.torn-\d+")

#: How many are kept, and how long they may be together, bytes. The oldest go for the
#: newest: a service that crashes all the time must not fill the disk with them.
MOST_FILES = 16
MOST_BYTES = 64 * 1024 * 1024


def keep_torn(directory: str, generation: int, tail: Tail) -> str | None:
    """Copy a torn tail to a file of its own; returns its name.

    None, and a warning, if that cannot be: no start fails for it.
    """
    journal = journal_path(directory, generation)
    path = f"{journal.removesuffix('.msgpack')}.torn-{tail.offset}"
    try:
        if not os.path.exists(path):
            _copy(journal, tail, path)
    except OSError as error:
        log.warning("the torn tail is not kept: %s", error)
        return None
    return os.path.basename(path)


def _copy(journal: str, tail: Tail, path: str) -> None:
    directory = os.path.dirname(path)
    _forget_oldest(directory, tail.torn)
    with open(journal, "rb") as file:
        file.seek(tail.offset)
        os.close(create_file(path, file.read(tail.torn)))
    sync_directory(directory)


def _forget_oldest(directory: str, size: int) -> None:
    with os.scandir(directory) as entries:
        kept = [entry for entry in entries if NAME.fullmatch(entry.name)]
    kept.sort(key=lambda entry: entry.stat().st_mtime_ns)
    total = size + sum(entry.stat().st_size for entry in kept)
    while kept and (len(kept) >= MOST_FILES or total > MOST_BYTES):
        oldest = kept.pop(0)
        total -= oldest.stat().st_size
        os.unlink(oldest.path)
