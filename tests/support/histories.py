"""Everything that a store can do, done once: for a crash to come in between.

    history = ScriptedHistory(directory, "always", told)
    history.live()

What was safe at each moment is known. Whatever a crash leaves must be one of ``states``
from number ``safe`` on: everything that was acknowledged has happened, in its order,
and at most what was under way has happened besides.
"""

from __future__ import annotations

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from poussetaches.model import decisions, endings
from poussetaches.model.events import Event, Pushed
from poussetaches.model.task import Submission
from poussetaches.store.dump import write_dump
from tests.support.queues import FAILURE, FREE, NOW, OK, POLICY, apply, ranked
from tests.support.stores import RECORDS, opened, take


class StoreHistory(ABC):
    """What a store is told to do. ``told``: called when something has become safe."""

    def __init__(
        self, directory: Path, durability: str, told: Callable[[], None]
    ) -> None:
        self._directory = directory
        self._durability = durability
        self._told = told
        #: The states of the queue, the one that is being made safe included.
        self.states: list[dict[str, Any]] = []
        #: The tasks that were accepted by then.
        self.accepted: list[set[str]] = []
        #: The number of the last one that is safe for sure.
        self.safe = 0

    @abstractmethod
    def live(self) -> None:
        """Do everything, once over."""

    def _open(self) -> None:
        self._store, self._queue = opened(self._directory, self._durability)
        if not self.states:
            self._keep(set())

    def _stop(self) -> None:
        self._store.close()
        self._is_safe()

    def _commit(self, *records: list[Event]) -> None:
        take(self._store, self._queue, *records)
        self._keep(self.accepted[-1] | pushed_in(records))
        self._store.commit()
        if self._durability == "always":
            self._is_safe()

    def _commit_lazily(self, *records: list[Event]) -> None:
        """As the ends of attempts: it becomes safe with what is committed next."""
        for record in records:
            self._store.append(record, lazily=True)
            apply(self._queue, record)
        self._keep(self.accepted[-1] | pushed_in(records))
        self._store.commit()

    def _dump(
        self, meanwhile: list[Event], *afterwards: list[Event], written: bool = True
    ) -> None:
        """``meanwhile`` is committed while the dump is written, ``afterwards`` before
        what it replaces is removed. ``written``: whether its writer lives to write it.
        """
        then = copy.deepcopy(self._queue)
        generation = self._store.rotate()
        self._is_safe()
        self._commit(meanwhile)
        if written:
            write_dump(str(self._directory), generation, then)
        if afterwards:
            self._commit(*afterwards)
        if written:
            self._store.forget_before(generation)

    def _keep(self, accepted: set[str]) -> None:
        self.states.append(ranked(self._queue))
        self.accepted.append(accepted)

    def _is_safe(self) -> None:
        self.safe = len(self.states) - 1
        self._told()


class ScriptedHistory(StoreHistory):
    """The same each time, with every kind of event in it."""

    def live(self) -> None:
        self._open()
        self._commit(*RECORDS[:1])
        for record in RECORDS[1:4]:
            self._commit(record)
        for number in (1, 2):
            self._dump(
                [Pushed(f"during dump {number}", NOW, NOW, b"")],
                *RECORDS[2 + 2 * number : 4 + 2 * number],
            )
        self._store.rotate()
        self._is_safe()
        self._commit(*RECORDS[8:])
        self._stop()
        self._open()
        self._commit([Pushed("after a restart", NOW, NOW, bytes(2000))])
        self._commit([Pushed("and more", NOW, NOW, bytes(100))])
        self._stop()


class RandomHistory(StoreHistory):
    """As a service under load, in an order that ``dice`` throw."""

    def __init__(
        self,
        directory: Path,
        durability: str,
        told: Callable[[], None],
        dice: random.Random,
        *,
        ticks: int = 30,
    ) -> None:
        super().__init__(directory, durability, told)
        self._dice = dice
        self._ticks = ticks
        self._pushes = 0
        self._now = NOW

    def live(self) -> None:
        self._open()
        for _ in range(self._ticks):
            deed = self._dice.random()
            if deed < 0.07:
                self._stop()
                self._open()
            elif deed < 0.2:
                self._dump(self._push(), written=self._dice.random() < 0.8)
            else:
                self._tick()
        self._stop()

    def _tick(self) -> None:
        self._now += self._dice.choice([0.01, 1.0, 20.0])
        for task in list(self._queue.leased.values()):
            outcome = self._dice.choice([OK, OK, FAILURE])
            args = (self._queue, task, outcome, self._now, self._dice.random(), POLICY)
            self._commit_lazily(endings.conclude(*args))
        if self._dice.random() < 0.8:
            self._commit(*(self._push() for _ in range(self._dice.randrange(1, 4))))
        leased = decisions.lease(self._queue, self._now, FREE)
        if leased is not None:
            self._commit([leased])

    def _push(self) -> list[Event]:
        self._pushes += 1
        size = self._dice.choice([0, 10, 100, 1500])
        delay = self._dice.choice([0.0, 0.0, 5.0])
        submission = Submission(f"t{self._pushes}", bytes(size), delay)
        return decisions.push(self._queue, submission, self._now, POLICY)


def pushed_in(records: Iterable[Iterable[Event]]) -> set[str]:
    """The tasks that are accepted by these records."""
    events = (event for record in records for event in record)
    return {event.id for event in events if isinstance(event, Pushed)}
