"""The blocks of a file, one after the other: which are whole, and how the file ends."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from poussetaches.errors import StoreDamaged
from poussetaches.store import format
from poussetaches.store.format import BLOCK, HEADER_SIZE, MARK, SEALED

#: How much is looked at at once for the end of what is not zero, bytes.
PIECE = 64 * 1024

#: What may be a head: no file has a terabyte, so ``synced`` begins with zeros. Sixteen
#: megabytes of marks take four seconds without that, and a quarter of one with it.
_CANDIDATE = re.compile(re.escape(MARK) + rb"(?=[\s\S]{4}\0{3})")

#: Of a block that is as it was written, which cannot have been right then.
UNREADABLE = "the checksums of a block fit, but its content cannot be read"


class Head(NamedTuple):
    """The head of a block that is what was written; its body may not be."""

    #: Where the body begins, and where it ends, be that beyond the file.
    start: int
    end: int
    synced: int
    #: Its own checksum, and that of the body, which begins with it.
    crc: int
    body_crc: int


class Block(NamedTuple):
    """One whole block of a file."""

    #: Where it begins.
    offset: int
    #: Where the next one begins.
    end: int
    #: The unpacked body.
    body: Any


class Tail(NamedTuple):
    """How a file ended."""

    #: Where the last whole block ends.
    offset: int
    #: Bytes after it that are not zero padding; 0 = the file is whole.
    torn: int


class BlockReader:
    """Iterates over the blocks of a file's content; ``tail`` says how it ended.

    Raises StoreDamaged where a later block proves that the unreadable one was on disk.
    """

    def __init__(self, path: str, data: bytes, salt: int) -> None:
        self._path = path
        self._data = data
        self._salt = salt
        self.tail = Tail(HEADER_SIZE, 0)

    def __iter__(self) -> Iterator[Block]:
        offset = HEADER_SIZE
        while True:
            try:
                found = self.at(offset)
            except ValueError as error:
                raise StoreDamaged(self._path, offset, UNREADABLE) from error
            if isinstance(found, str):
                break
            yield Block(offset, found[0], found[2])
            offset = found[0]
        self.tail = Tail(offset, content_end(self._data, offset) - offset)
        if self.tail.torn:
            self._refuse_if_synced(offset, found)

    def at(self, offset: int) -> tuple[int, int, Any] | str:
        """(end, synced, body) of the block at ``offset``, or why there is none.

        Raises ValueError if its checksums fit and its body is no msgpack.
        """
        head = self.head(offset)
        if isinstance(head, str):
            return head
        if head.end > len(self._data):
            return "the file ends within a block"
        body = memoryview(self._data)[head.start : head.end]
        if zlib.crc32(body, head.crc) != head.body_crc:
            return "the checksum of a block does not fit"
        return head.end, head.synced, format.unpack(body)

    def head(self, offset: int) -> Head | str:
        """The head of the block at ``offset``, or why there is none.

        As quick for a head that does not fit as for one that does.
        """
        data = self._data
        if offset + BLOCK.size > len(data):
            return "the file ends within the head of a block"
        mark, length, synced, crc, body_crc = BLOCK.unpack_from(data, offset)
        if mark != MARK or length == 0:
            return "no block begins here"
        if zlib.crc32(SEALED.pack(length, synced), self._salt) != crc:
            return "the checksum of a block's head does not fit"
        if synced > offset:
            return "the head of a block claims what cannot be"
        start = offset + BLOCK.size
        return Head(start, start + length, synced, crc, body_crc)

    def heads_after(self, offset: int) -> Iterator[tuple[int, Head]]:
        """Where the heads are, behind the block at ``offset``, which is not whole."""
        own = self.head(offset)
        # What a block carries is not looked at, if it is known how far it reaches.
        start = offset + 1 if isinstance(own, str) else own.end
        for match in _CANDIDATE.finditer(self._data, start):
            head = self.head(match.start())
            if not isinstance(head, str):
                yield match.start(), head

    def _refuse_if_synced(self, torn: int, reason: str) -> None:
        if any(head.synced > torn for _, head in self.heads_after(torn)):
            raise StoreDamaged(self._path, torn, reason)


def content_end(data: bytes, offset: int) -> int:
    """Where the zeros begin that ``data`` ends with, at ``offset`` the earliest."""
    end = len(data)
    while end > offset:
        begin = max(offset, end - PIECE)
        # In pieces, as the rest of a file may be all of it.
        if piece := data[begin:end].rstrip(b"\0"):
            return begin + len(piece)
        end = begin
    return offset
