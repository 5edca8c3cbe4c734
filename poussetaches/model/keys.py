"""Keys: by which a push that is made again is recognised, and not accepted twice.

The caller chooses a key. It is known from the push on, as long as the task lives and
for a while after its end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: What a key takes in memory beside its characters, bytes: measured.
KEY_SIZE = 400


class EndedKey(NamedTuple):
    """A key whose task is not live any more."""

    key: str
    #: Of the task.
    id: str
    ended_at: float


class Keys:
    """``ttl``: for how long a key is known after the end of its task, seconds."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        #: The task that each key stands for.
        self._ids: dict[str, str] = {}
        #: What they take in memory, bytes: an estimate.
        self.size = 0
        #: When those of them ended that have, in order of ending.
        self._ended: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ids)

    def known(self, key: str, now: float) -> str | None:
        """The id of the task that was pushed with ``key``; None if none is known."""
        ended_at = self._ended.get(key, now)
        return self._ids.get(key) if now - ended_at <= self._ttl else None

    def add(self, key: str, id: str, at: float) -> None:
        """A task was pushed with ``key``. What is known no longer is dropped."""
        while self._ended:
            oldest, ended_at = next(iter(self._ended.items()))
            if at - ended_at <= self._ttl:
                break
            del self._ended[oldest], self._ids[oldest]
            self.size -= KEY_SIZE + len(oldest)
        self._set(key, id)

    def end(self, key: str, id: str, at: float) -> None:
        """A task that was pushed with ``key`` has ended."""
        if self._ids.get(key) == id:
            self._ended[key] = at
            self._ended.move_to_end(key)

    def revive(self, key: str, id: str, at: float) -> bool:
        """A task that has ended, and was pushed with ``key`` ("": none), is live again.
        Returns whether the key is that of the task: nobody else has it now."""
        if not key:
            return True
        if self.known(key, at) not in (None, id):
            return False
        self._set(key, id)
        return True

    def ended(self) -> Iterator[EndedKey]:
        """Those whose tasks have ended, in order of ending."""
        for key, ended_at in self._ended.items():
            yield EndedKey(key, self._ids[key], ended_at)

    def let_go(self, key: str, id: str) -> None:
        """Do not know the key of a live task any more."""
        if self._ids.get(key) == id:
            del self._ids[key]
            self.size -= KEY_SIZE + len(key)

    def load(self, live: Iterable[tuple[str, str]], ended: Iterable[EndedKey]) -> None:
        """Take over what is known: key and id of live tasks, and what ``ended``
        gave."""
        for key, id, ended_at in ended:
            self._set(key, id)
            self._ended[key] = ended_at
        for key, id in live:
            self._set(key, id)

    def _set(self, key: str, id: str) -> None:
        if key not in self._ids:
            self.size += KEY_SIZE + len(key)
        self._ids[key] = id
        self._ended.pop(key, None)
