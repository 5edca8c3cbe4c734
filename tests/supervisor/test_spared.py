"""Attempts that a server which went away had not read do not count, at first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from poussetaches.model.endings import Outcome
from poussetaches.model.events import Cancelled
from poussetaches.model.gate import FIRST_PAUSE, MOST_SPARED
from poussetaches.model.origin import Origin
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Submission, Task, Terms
from poussetaches.store.disk import Store
from poussetaches.supervisor.keeper import Keeper
from tests.supervisor.test_keeper import POLICY, StoppedClock
from tests.support.queues import FREE, OK

NAME = "http://127.0.0.1:8000"
UNREAD = Outcome(False, NO_ANSWER, b"reset", unread=True)
REFUSED = Outcome(False, NO_ANSWER, b"refused", unreached=True)


class House:
    """A keeper with tasks for one origin, and its clock."""

    def __init__(self, directory: Path, hold_limit: float) -> None:
        self.clock = StoppedClock()
        queue = TaskQueue()
        self.store, _ = Store.open(str(directory), "off", queue, patience=0.0)
        policy = POLICY._replace(hold_limit=hold_limit)
        self.keeper = Keeper(
            queue, self.store, self.clock, policy, slots=8, end_room=10_000
        )

    @property
    def origin(self) -> Origin:
        return self.keeper.queue.turns.origins[NAME]

    def push(self, *ids: str) -> None:
        terms = Terms.of((None, "", NAME))
        for id in ids:
            self.keeper.push(Submission(id, b"spec", terms=terms))

    def begin(self) -> Task:
        """The next attempt, at once or as soon as it may begin."""
        while (task := self.keeper.lease(FREE)) is None:
            due_at = self.keeper.due_at(FREE)
            assert self.clock.time < due_at < math.inf
            self.clock.time = due_at
        return task

    def attempt(self, outcome: Outcome) -> Task:
        task = self.begin()
        self.keeper.conclude(task, outcome)
        return task


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, hold_limit=3600.0)
    yield house
    house.store.close()


def test_so_many_in_a_row_do_not_count_and_all_after_them_do(house: House) -> None:
    """What ends every process that takes it must die in the end."""
    house.push("a")
    for _ in range(MOST_SPARED):
        before = house.clock.time
        task = house.attempt(UNREAD)
        assert (task.attempts, task.eta) == (0, house.clock.time + FIRST_PAUSE)
        assert house.clock.time - before <= FIRST_PAUSE
    assert house.attempt(UNREAD).attempts == 1
    assert house.attempt(UNREAD).attempts == 2
    assert house.attempt(Outcome(False, 500, b"")).attempts == 3
    assert house.attempt(UNREAD).attempts == 3


def test_they_hold_up_nobody_else(house: House) -> None:
    """One process of several that dies is no target that is away."""
    house.push("a", "b")
    house.attempt(UNREAD)
    assert house.origin.gate is None
    before = house.clock.time
    assert house.attempt(OK).id == "b"
    assert house.clock.time == before


def test_a_deploy_that_is_met_three_times_costs_nothing(house: House) -> None:
    """Over a connection that was kept, in the line of a listener that closes, and when
    nobody listens; then the next deploy may come."""
    house.push("a")
    for _ in range(5):
        for outcome in (UNREAD, UNREAD, REFUSED):
            assert house.attempt(outcome).attempts == 0
    assert house.begin().attempts == 1


def test_a_probe_that_is_not_read_leaves_the_target_held(house: House) -> None:
    house.push("a", "b")
    house.attempt(REFUSED)
    house.attempt(UNREAD)
    assert house.origin.is_held
    before = house.clock.time
    house.begin()
    assert house.clock.time - before > FIRST_PAUSE


def test_what_ended_is_forgotten(house: House) -> None:
    house.push("a", "b")
    task = house.attempt(UNREAD)
    assert house.origin.spared == {"a": 1}
    now = house.clock.time
    house.keeper.decide(lambda queue, _, policy: [Cancelled(task.id, now)])
    assert house.origin.spared == {}


def test_they_count_where_nothing_is_waited_for(tmp_path: Path) -> None:
    house = House(tmp_path, hold_limit=0.0)
    house.push("a")
    assert house.attempt(UNREAD).attempts == 1
    house.store.close()
