"""The journal: an append-only file of blocks, synced before anything is answered."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Sequence

from poussetaches.errors import StoreFull
from poussetaches.store import format
from poussetaches.store.files import create_file, journal_path, write_all

#: How far ahead the file is allocated, bytes. Appending within allocated space cannot
#: fail for want of room, and syncs faster.
CHUNK = 4 * 1024 * 1024

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Journal:
    """One open journal. Made by ``create`` or ``reopen``."""

    def __init__(self, fd: int, generation: int, salt: int, offset: int) -> None:
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

        It is durable on return. Raises OSError; then it is not there.
        """
        path = journal_path(directory, generation)
        salt = secrets.randbits(32)
        head = format.header(format.JOURNAL, generation, salt)
        fd = create_file(path, head, room=room)
        return cls(fd, generation, salt, len(head))

    @classmethod
    def reopen(cls, directory: str, generation: int, salt: int, offset: int) -> Journal:
        """Continue a journal whose content before ``offset`` was found whole.

        What lies after it, padding or a torn tail, is cut off. Raises OSError.
        """
        path = journal_path(directory, generation)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        os.ftruncate(fd, offset)
        os.fsync(fd)
        return cls(fd, generation, salt, offset)

    @property
    def room(self) -> int:
        """How many bytes are allocated and not yet written."""
        return self._allocated - self.offset

    def make_room(self, size: int) -> None:
        """Allocate the next ``size`` bytes. Raises StoreFull if the disk has no
        room."""
        missing = self.offset + size - self._allocated
        if missing <= 0:
            return
        for more in (max(missing, CHUNK), missing):
            try:
                os.posix_fallocate(self._fd, self._allocated, more)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
            else:
                self._allocated += more
                return
        raise StoreFull("the disk has no room for another task", retry_after=10)

    def append(self, packed_records: Sequence[bytes]) -> int:
        """Write records as one block; returns its bytes. Not durable before ``sync``.

        Raises OSError; then the file is not to be trusted any more.
        """
        body = format.journal_body(packed_records)
        data = format.block(body, self._salt, self.synced)
        write_all(self._fd, data, self.offset)
        self.offset += len(data)
        self._allocated = max(self._allocated, self.offset)
        return len(data)

    def sync(self) -> None:
        """Make what was appended durable. Raises OSError; then nothing of it is."""
        os.fdatasync(self._fd)
        self.synced = self.offset

    def close(self) -> None:
        """Give back the allocated rest, sync, close."""
        os.ftruncate(self._fd, self.offset)
        os.fsync(self._fd)
        os.close(self._fd)
