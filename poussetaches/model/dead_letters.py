"""The dead letters: kept, and grouped by what they died of once somebody has asked."""

from __future__ import annotations

from collections.abc import Iterator

from poussetaches.model.causes import Causes
from poussetaches.model.filter import UrlOf
from poussetaches.model.kept import Kept
from poussetaches.model.task import Task


class DeadLetters(Kept):
    def __init__(self) -> None:
        super().__init__()
        self._causes: Causes | None = None

    def causes(self, url_of: UrlOf) -> Causes:
        """Their index, which is begun now if it is the first time."""
        if self._causes is None:
            self._causes = Causes(self, url_of)
        return self._causes

    @property
    def size(self) -> int:
        """What the index takes in memory, bytes: an estimate."""
        return 0 if self._causes is None else self._causes.size

    def put(self, task: Task) -> Task | None:
        other = super().put(task)
        if self._causes is not None:
            self._causes.put(task)
        return other

    def drop(self, id: str) -> Task:
        task = super().drop(id)
        if self._causes is not None:
            self._causes.drop(task)
        return task

    def let_go(self) -> Iterator[Task]:
        if self._causes is not None:
            self._causes.let_go()
        return super().let_go()
