"""The blocks of a file as far as they can be read, and the gaps between them.

Recovery stops at the first block that is not whole. Who looks for damage, or saves what
is left, goes on at the next mark behind which a whole block stands.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from poussetaches.errors import StoreDamaged
from poussetaches.store import format
from poussetaches.store.blocks import Block, BlockReader, content_end
from poussetaches.store.format import BLOCK, HEADER_SIZE, MARK, SEALED

#: Told how many bytes of a file have been gone through since it was last called.
Step = Callable[[int], object]

#: How many blocks are asked for the salt of a file without a header, and how much is
#: gone through to find them, bytes: a payload may be full of what looks like heads.
WITNESSES = 16
MOST_READ = 256 * 1024 * 1024


class Gap(NamedTuple):
    """A place in a file where no block can be read."""

    #: The first byte, and the first after it.
    offset: int
    end: int
    reason: str


class Scan:
    """Iterates, once, over the whole blocks of a file, however damaged it is.

    Raises StoreError if a newer version wrote it, OSError if it cannot be read.
    """

    def __init__(self, path: str, magic: bytes, generation: int, step: Step) -> None:
        self._path = path
        self._is_dump = magic == format.DUMP
        self._step = step
        with open(path, "rb") as file:
            self._data = file.read()
        #: Where no block could be read; complete when the iteration is.
        self.gaps: list[Gap] = []
        #: What is known to have been on disk, from what later heads say: bytes.
        self.synced = 0
        #: Where the last whole block ends.
        self.end = HEADER_SIZE
        #: Of the format; None if the header cannot be read.
        self.version: int | None = None
        self._salt = self._read_salt(magic, generation)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self._data)

    @property
    def damages(self) -> list[Gap]:
        """The gaps where something whole has been: a later block of a journal says so.

        A dump gets its name when it is whole, any file when its header is.
        """
        proven = max(self.synced, HEADER_SIZE)
        return [gap for gap in self.gaps if self._is_dump or gap.offset < proven]

    @property
    def torn(self) -> Gap | None:
        """The first gap that may be what a crash kept from being written.

        Recovery cuts the file there, even if there are whole blocks behind it.
        """
        damages = self.damages
        return self.gaps[len(damages)] if len(self.gaps) > len(damages) else None

    def __iter__(self) -> Iterator[Block]:
        reader = BlockReader(self._path, self._data, self._salt)
        offset = HEADER_SIZE
        while offset < len(self._data):
            found = _whole(reader, offset)
            if isinstance(found, str):
                following = self._following(reader, offset)
                self._skip(offset, following, found)
                self._step((following or len(self._data)) - offset)
                if following is None:
                    break
                offset = following
                continue
            end, synced, body = found
            self.synced = max(self.synced, synced)
            self.end = end
            yield Block(offset, end, body)
            self._step(end - offset)
            offset = end

    def _skip(self, offset: int, following: int | None, reason: str) -> None:
        if following is None:
            # Zeros up to the end of the file are padding.
            following = content_end(self._data, offset)
        if following > offset:
            self.gaps.append(Gap(offset, following, reason))

    def _following(self, reader: BlockReader, offset: int) -> int | None:
        for at, head in reader.heads_after(offset):
            # What knows of less than an earlier block is older than that, and stands
            # here as the payload of a task: a copy of this very file.
            if head.synced < self.synced:
                continue
            self.synced = head.synced
            if not isinstance(_whole(reader, at), str):
                return at
        return None

    def _read_salt(self, magic: bytes, generation: int) -> int:
        try:
            salt = format.read_header(self._path, self._data, magic, generation)
            self.version = format.HEADER.unpack_from(self._data)[1]
            return salt
        except StoreDamaged as error:
            end = min(HEADER_SIZE, len(self._data))
            self.gaps.append(Gap(0, end, error.reason))
            return find_salt(self._data)


def find_salt(data: bytes) -> int:
    """The salt that most blocks of a file agree on; 0 if there are none.

    A body says whether it goes with its head, and the checksum of the head can be
    unwound over what it was made of, back to what it began with.
    """
    votes: Counter[int] = Counter()
    left = MOST_READ
    at = data.find(MARK, HEADER_SIZE)
    while at != -1 and votes.total() < WITNESSES and at + BLOCK.size <= len(data):
        _, length, synced, head_crc, crc = BLOCK.unpack_from(data, at)
        following = at + 1
        start = at + BLOCK.size
        end = start + length
        if length and end <= len(data) and length <= left:
            left -= length
            if zlib.crc32(memoryview(data)[start:end], head_crc) == crc:
                votes[_unwound(head_crc, SEALED.pack(length, synced))] += 1
                following = end
        at = data.find(MARK, following)
    return max(votes, key=votes.__getitem__, default=0)


_ALL_ONES = 0xFFFFFFFF
_TABLE = [zlib.crc32(bytes([i]), _ALL_ONES) ^ _ALL_ONES for i in range(256)]
#: The first byte of an entry of the table says which one it is.
_INDEX = {entry >> 24: index for index, entry in enumerate(_TABLE)}


def _unwound(crc: int, data: bytes) -> int:
    """The ``value`` with which ``zlib.crc32(data, value)`` is ``crc``."""
    register = crc ^ _ALL_ONES
    for byte in reversed(data):
        index = _INDEX[register >> 24]
        register = (register ^ _TABLE[index]) << 8 | (index ^ byte)
    return register ^ _ALL_ONES


def _whole(reader: BlockReader, offset: int) -> tuple[int, int, Any] | str:
    try:
        return reader.at(offset)
    except ValueError as error:
        return f"a block's checksum fits, but its content cannot be read: {error}"
