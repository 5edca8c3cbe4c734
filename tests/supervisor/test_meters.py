"""The meters: what is counted of tasks and attempts, and of how many queues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.channel.messages import Ended
from poussetaches.model import decisions
from poussetaches.model.histogram import view
from poussetaches.model.queue import TaskQueue
from poussetaches.model.revival import retry
from poussetaches.model.task import NO_ANSWER, Special, Submission, Task, Terms
from poussetaches.store.disk import Store
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.meters import (
    IDLE,
    MOST_ORIGINS,
    MOST_QUEUES,
    SLOT,
    Meters,
)
from poussetaches.supervisor.queue_keeper import QueueKeeper
from tests.supervisor.test_dispatch import Workers
from tests.supervisor.test_keeper import POLICY, StoppedClock

HERE, THERE = "http://here:80", "http://there:80"


class House:
    """A keeper and a worker, and a clock that stands still."""

    def __init__(self, directory: Path) -> None:
        queue = TaskQueue()
        self.store, _ = Store.open(str(directory), "off", queue, patience=0.0)
        self.clock = StoppedClock()
        self.keeper = Keeper(
            queue, self.store, self.clock, POLICY, slots=4, end_room=10_000
        )
        self.workers = Workers(100)
        children: Any = self.workers
        self.dispatch = Dispatch(self.keeper, children, timeout=60.0)
        self._number = 0

    @property
    def meters(self) -> Meters:
        return self.keeper.meters

    def push(self, origin: str = HERE, delay: float = 0.0, **terms: Any) -> None:
        self._number += 1
        id = f"{self._number:032}"
        asked = Terms(origin=origin, **terms)
        self.keeper.push(Submission(id, b"spec", delay=delay, terms=asked))

    def lease(self) -> list[Task]:
        """Begin what is due; the tasks in flight."""
        self.dispatch.lease(0.0)
        return [hold.task for hold in self.workers.all[0].holds.values()]

    def end(self, status: int, **outcome: Any) -> None:
        """The oldest attempt ends."""
        worker = self.workers.all[0]
        lease = next(iter(worker.holds))
        ok = status == 200
        self.dispatch.ended(worker, Ended(lease, ok, status, b"", 0.25, **outcome))

    def try_once(self, status: int, **outcome: Any) -> None:
        self.lease()
        self.end(status, **outcome)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def test_attempts_are_counted_by_what_they_brought(house: House) -> None:
    meter = house.meters["default"]
    house.push(max_retries=1)
    house.try_once(500)
    house.clock.time += 3600
    house.try_once(503)
    house.push(THERE)
    house.try_once(200)
    house.push(THERE)
    house.try_once(200, snooze=5.0)  # a success is one
    assert meter.outcomes == {
        "succeeded": 2,
        "failed": 2,
        "deferred": 0,
        "lost": 0,
        "cancelled": 0,
    }
    house.push(THERE)
    house.try_once(NO_ANSWER, snooze=5.0)
    house.clock.time += 5
    [task] = house.lease()
    house.keeper.decide(lambda q, now, rules: decisions.cancel(q, task, now, rules))
    house.end(200)
    house.push(THERE)
    house.lease()
    house.dispatch.lose(house.workers.all[0], "it ended")
    assert meter.outcomes == {
        "succeeded": 2,
        "failed": 2,
        "deferred": 1,
        "lost": 1,
        "cancelled": 1,
    }
    assert {n: c for n, c in enumerate(meter.statuses) if c} == {2: 3, 5: 2, 10: 2}
    assert (meter.accepted, meter.dead, meter.cancelled) == (5, 1, 1)
    assert house.meters.origins[HERE][:2] == [0, 2]
    assert house.meters.origins[THERE][:2] == [2, 1]
    # What a worker took to its grave took nobody knows how long.
    assert view(meter.durations.raw)["count"] == 6
    tally = house.meters.tally
    assert (tally.pushed, tally.dead, tally.attempts) == (5, 1, 7)
    assert (tally.succeeded, tally.failed, tally.lost) == (2, 2, 1)
    assert tally.buckets == meter.durations.counts


def test_times_are_measured_from_when_a_task_was_due(house: House) -> None:
    meter = house.meters["default"]
    house.push(delay=10.0)
    house.clock.time += 12
    house.lease()
    house.clock.time += 30
    house.end(200)
    assert (meter.lateness.sum, meter.end_to_end.sum) == (2.0, 32.0)
    assert meter.durations.sum == 0.25


def test_what_jumps_the_queue_is_not_late(house: House) -> None:
    house.push(delay=-60.0)
    house.clock.time += 1
    house.try_once(500)
    house.clock.time += 3600
    house.try_once(200)
    meter = house.meters["default"]
    assert (meter.lateness.sum, meter.end_to_end.sum) == (1.0, 3601.0)


def test_what_comes_back_from_the_dead_is_not_accepted_anew(house: House) -> None:
    house.push(max_retries=0)
    house.try_once(500)
    [task] = house.keeper.queue.dead.values()
    house.keeper.decide(lambda q, now, rules: retry(q, task, "f" * 32, now, rules))
    house.try_once(200)
    meter = house.meters["default"]
    assert (meter.accepted, meter.revived, meter.dead) == (1, 1, 1)
    assert meter.outcomes["succeeded"] == 1


def test_an_attempt_that_does_not_count_is_the_first_all_the_same(
    house: House,
) -> None:
    house.push()
    house.clock.time += 3
    house.try_once(202, snooze=60.0)
    house.clock.time += 65
    house.try_once(200)
    meter = house.meters["default"]
    assert (meter.lateness.sum, view(meter.lateness.raw)["count"]) == (3.0, 1)


def test_a_task_that_is_run_before_its_time_is_not_late(house: House) -> None:
    house.push(delay=3600.0)
    [task] = house.keeper.queue.tasks.values()
    house.dispatch.begin(task, 0.0)
    house.end(200)
    meter = house.meters["default"]
    assert (meter.lateness.sum, meter.end_to_end.sum) == (0.0, 0.0)
    assert view(meter.lateness.raw)["count"] == 1


def test_a_task_that_expires_or_comes_of_another_is_counted(house: House) -> None:
    at = house.clock.time + 5
    special = Special(expires=at, roll_back="http://here/told")
    house.push(special=special)
    house.clock.time += 6
    house.keeper.expire()
    meter = house.meters["default"]
    assert (meter.accepted, meter.expired) == (2, 1)


def test_runs_of_a_schedule_are_counted_in_its_queue(house: House) -> None:
    QueueKeeper(house.keeper).set("nightly", {})
    terms = Terms(origin=HERE, queue="nightly")
    id = "a" * 40
    house.keeper.push(Submission(id, b"spec", schedule="* * * * *", terms=terms))
    house.clock.time += 61
    house.try_once(200)
    meter = house.meters["nightly"]
    assert (meter.accepted, meter.outcomes["succeeded"]) == (2, 1)


def test_rates_are_those_of_the_last_minutes(house: House) -> None:
    meters = house.meters
    house.clock.time = meters._began_at + 600 - meters._began_at % SLOT

    def rate(window: str) -> float:
        found = meters.rates(meters.all(), house.clock.time)
        return found[window]["accepted"]

    assert rate("1m") == rate("5m") == 0.0
    for _ in range(60):
        house.push()
    house.clock.time += 0.5
    assert rate("1m") == pytest.approx(60 / 55.5, abs=0.001)
    assert rate("5m") == pytest.approx(60 / 295.5, abs=0.001)
    house.clock.time += 54.5
    assert rate("1m") == 1.0
    # Whatever else happens then, or does not.
    house.push()
    house.clock.time += SLOT + 0.1
    assert rate("1m") == pytest.approx(1 / 55.1, abs=0.001)
    assert rate("5m") == pytest.approx(61 / 295.1, abs=0.001)
    house.clock.time += 300
    assert rate("5m") == 0.0


def test_a_service_that_has_just_begun_was_not_idle_before(house: House) -> None:
    for _ in range(10):
        house.push()
    house.clock.time += 2
    rates = house.meters.rates(house.meters.all(), house.clock.time)
    assert rates["1m"]["accepted"] == rates["5m"]["accepted"] == 5.0
    assert rates["1m"]["succeeded"] == 0.0


def test_queues_beyond_so_many_share_a_meter(house: House) -> None:
    queues = QueueKeeper(house.keeper)
    for number in range(MOST_QUEUES + 1):
        queues.set(f"q{number}", {})
        house.push(queue=f"q{number}")
    house.push(queue=f"q{MOST_QUEUES}")
    meters = house.meters
    assert len(meters) == MOST_QUEUES
    assert meters.others is not None
    assert meters.others.accepted == 2
    assert sum(meter.accepted for meter in meters.all()) == MOST_QUEUES + 2
    # Room is made by a queue that is dropped, with its numbers.
    queues.purge("q7")
    queues.drop("q7")
    assert "q7" not in meters
    assert meters.tally.pushed == MOST_QUEUES + 2
    assert meters[f"q{MOST_QUEUES}"].accepted == 0


def test_an_origin_has_numbers_while_it_is_in_use(house: House) -> None:
    for number in range(MOST_ORIGINS + 1):
        house.push(f"http://h{number}:80")
        house.try_once(200)
        house.clock.time += 1
    origins = house.meters.origins
    assert len(origins) == MOST_ORIGINS
    assert house.meters.other_origins[:2] == [1, 0]
    # Of those that nothing was sent to for long, the one that has rested longest goes.
    house.push("http://h0:80", max_retries=0)
    house.try_once(500)
    house.clock.time += IDLE
    house.push("http://new:80")
    house.try_once(500)
    assert len(origins) == MOST_ORIGINS
    assert ("http://h0:80" in origins, "http://h1:80" in origins) == (True, False)
    assert origins["http://new:80"][:2] == [0, 1]
