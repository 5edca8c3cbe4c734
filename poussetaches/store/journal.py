"""The journal: an append-only file of blocks, synced before anything is answered."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from poussetaches.errors import StoreFull
from poussetaches.store import format
from poussetaches.store.blocks import Tail
from poussetaches.store.files import (
    NO_ROOM,
    about,
    create_file,
    journal_path,
    write_all,
)

#: How far ahead the file is allocated, bytes. Appending within allocated space cannot
#: fail for want of room, and syncs faster.
CHUNK = 4 * 1024 * 1024
#: How much of a torn tail is made zero at once, bytes.
PIECE = 1024 * 1024
#: Of what the system counts as allocated, bytes.
SECTOR = 512


class Journal:
    """One open journal. Made by ``create`` or ``reopen``."""

    def __init__(
        self, path: str, fd: int, generation: int, salt: int, offset: int
    ) -> None:
        self._path = path
        self._fd = fd
        self._salt = salt
        self.generation = generation
        #: Where the next block goes.
        self.offset = offset
        #: Everything before this is known to be on disk.
        self.synced = offset
        self._allocated = os.fstat(fd).st_size

    @classmethod
    def create(cls, directory: str, generation: int, *, room: int = 0) -> Journal:
        """Begin the journal of a generation, with ``room`` bytes allocated.

        Its name is durable when the directory is synced. Raises OSError; then it is not
        there.
        """
        path = journal_path(directory, generation)
        salt = secrets.randbits(32)
        head = format.header(format.JOURNAL, generation, salt)
        fd = create_file(path, head, room=room)
        return cls(path, fd, generation, salt, len(head))

    @classmethod
    def reopen(cls, directory: str, generation: int, salt: int, tail: Tail) -> Journal:
        """Continue a journal that was found whole up to its ``tail``.

        A torn one becomes zeros. What is allocated stays so, as it may be promised to
        what is in flight. Raises OSError.
        """
        path = journal_path(directory, generation)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            with about(path):
                _make_zero(fd, tail)
                _fill_holes(fd, tail.offset)
                os.fsync(fd)
        except OSError:
            os.close(fd)
            raise
        return cls(path, fd, generation, salt, tail.offset)

    @property
    def room(self) -> int:
        """How many bytes are allocated and not yet written."""
        return self._allocated - self.offset

    def make_room(self, size: int) -> None:
        """Allocate the next ``size`` bytes. Raises StoreFull if the disk has no
        room."""
        missing = size - self.room
        if missing <= 0:
            return
        if not self._allocate(max(missing, CHUNK)) and not self._allocate(missing):
            raise StoreFull("the disk has no room for another task", retry_after=10)

    def _allocate(self, more: int) -> bool:
        """Allocate so many bytes more; returns whether there was room for them."""
        try:
            with about(self._path):
                os.posix_fallocate(self._fd, self._allocated, more)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            return False
        self._allocated += more
        return True

    def append(self, packed_records: Sequence[bytes]) -> int:
        """Write records as one block; returns its bytes. Not durable before ``sync``.

        Raises OSError; then the file is not to be trusted any more.
        """
        body = format.journal_body(packed_records)
        data = format.block(body, self._salt, self.synced)
        with about(self._path):
            write_all(self._fd, data, self.offset)
        self.offset += len(data)
        self._allocated = max(self._allocated, self.offset)
        return len(data)

    def sync(self) -> None:
        """Make what was appended durable. Raises OSError; then nothing of it is."""
        with about(self._path):
            os.fdatasync(self._fd)
        self.synced = self.offset

    def end(self) -> None:
        """Write down that everything so far is on disk; not if there is no room.

        From then on nothing of it can pass for what a crash has torn. Raises OSError.
        """
        if self.offset == format.HEADER_SIZE:
            return
        self.sync()
        missing = format.BLOCK.size + format.ARRAY.size - self.room
        if missing > 0 and not self._allocate(missing):
            return
        try:
            self.append([])
        except OSError as error:
            # Some file systems need room even where it is allocated. What was written
            # of the block goes with the rest when the file is closed.
            if error.errno not in NO_ROOM:
                raise

    def close(self) -> None:
        """Give back the allocated rest, sync, close. Raises OSError."""
        try:
            with about(self._path):
                os.ftruncate(self._fd, self.offset)
                os.fsync(self._fd)
        finally:
            os.close(self._fd)


def _make_zero(fd: int, tail: Tail) -> None:
    """Undo what is torn. A crash halfway leaves it torn, at the same place.

    What stays of it is no whole block then either, and nothing behind it counts.
    """
    end = tail.offset + tail.torn
    try:
        for offset in range(tail.offset, end, PIECE):
            write_all(fd, bytes(min(PIECE, end - offset)), offset)
    except OSError as error:
        # Some file systems need room even for that. Then the promised room goes with
        # it.
        if error.errno not in NO_ROOM:
            raise
        os.ftruncate(fd, tail.offset)


def _fill_holes(fd: int, offset: int) -> None:
    """Have what seems to be allocated be so: a copy of a journal may have holes."""
    status = os.fstat(fd)
    room = status.st_size - offset
    if room == 0 or status.st_blocks * SECTOR >= status.st_size:
        return
    try:
        os.posix_fallocate(fd, offset, room)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        os.ftruncate(fd, offset)
