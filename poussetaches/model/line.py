"""The line: things that stand in order of eta and, among equal ones, of arrival.

A list of short sorted lists. The usual flow, to the end and from the front, costs next
to nothing; anything else two bisections and a small move of memory. What leaves is gone
at once, and what stands there takes the eight bytes of a place in a list.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

#: Where something stands: its eta, its order.
Position = tuple[float, int]

#: How long a chunk is when the line is filled from its end. Twice that is split.
CHUNK = 512


class Standing(Protocol):
    """What can stand in a line. No two of one line have the same position, and nothing
    changes its position while it stands there."""

    eta: float
    order: int


T = TypeVar("T", bound=Standing)

#: Where a thing stands.
position = attrgetter("eta", "order")


def _end(chunk: list[T]) -> Position:
    where: Position = position(chunk[-1])
    return where


class Line(Generic[T]):
    """Begins empty."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        #: None of them is ever empty.
        self._chunks: list[list[T]] = []

    def load(self, things: Iterable[T]) -> None:
        """``things``, in any order, join a line that is empty."""
        whole = sorted(things, key=position)
        starts = range(0, len(whole), CHUNK)
        self._chunks = [whole[start : start + CHUNK] for start in starts]

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    @property
    def is_single(self) -> bool:
        """Whether one thing stands in it, and no other."""
        chunks = self._chunks
        return len(chunks) == 1 and len(chunks[0]) == 1

    def first(self) -> T | None:
        """What stands at the front."""
        chunks = self._chunks
        return chunks[0][0] if chunks else None

    def last(self) -> T | None:
        """What stands at the end."""
        chunks = self._chunks
        return chunks[-1][-1] if chunks else None

    def add(self, thing: T) -> bool:
        """``thing`` joins the line where it belongs. Returns whether it is the first
        now."""
        chunks = self._chunks
        if not chunks:
            chunks.append([thing])
            return True
        chunk = chunks[-1]
        last = chunk[-1]
        if thing.eta > last.eta or (thing.eta == last.eta and thing.order > last.order):
            if len(chunk) < CHUNK:
                chunk.append(thing)
            else:
                chunks.append([thing])
            return False
        number, index = self._place(position(thing), bisect_left)
        chunk = chunks[number]
        chunk.insert(index, thing)
        if len(chunk) == 2 * CHUNK:
            chunks.insert(number + 1, chunk[CHUNK:])
            del chunk[CHUNK:]
        return number == index == 0

    def remove(self, thing: T) -> bool:
        """``thing`` leaves the line. Returns whether it was the first. Raises
        LookupError if it does not stand in it."""
        chunks = self._chunks
        number = index = 0
        if not chunks or chunks[0][0] is not thing:
            where = position(thing)
            number, index = self._place(where, bisect_left)
            if number == len(chunks) or chunks[number][index] is not thing:
                raise LookupError(f"nothing to remove at {where}")
        chunk = chunks[number]
        del chunk[index]
        if not chunk:
            del chunks[number]
        return number == index == 0

    def beyond(self, after: Position | None) -> Iterator[T]:
        """Those whose position is beyond ``after`` (None: all), in order. Not to be
        used any more once the line has changed."""
        number, index = (0, 0) if after is None else self._place(after, bisect_right)
        for chunk in self._chunks[number:]:
            # One by one: of many lanes no more than a few are wanted of each.
            for place in range(index, len(chunk)):
                yield chunk[place]
            index = 0

    def until(self, after: Position) -> Iterator[T]:
        """The others, as ``beyond``."""
        number, index = self._place(after, bisect_right)
        for chunk in self._chunks[:number]:
            yield from chunk
        if index:
            yield from self._chunks[number][:index]

    def count_before(self, where: Position) -> int:
        """How many stand before ``where``."""
        number, index = self._place(where, bisect_left)
        return sum(map(len, self._chunks[:number])) + index

    def _place(self, where: Position, bisect: Callable[..., int]) -> tuple[int, int]:
        """The number of the chunk, and the index in it, to which ``where`` leads."""
        chunks = self._chunks
        number = bisect(chunks, where, key=_end)
        if number == len(chunks):
            return number, 0
        return number, bisect(chunks[number], where, key=position)
