"""The sampler: what the charts show is what the meters counted, when it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.errors import ChannelError
from poussetaches.model.ring import SERIES, SPANS
from poussetaches.supervisor.queue_keeper import QueueKeeper
from poussetaches.supervisor.sampler import Sampler
from tests.supervisor.test_meters import House

HEARTBEAT_TIMEOUT = 10.0
STEP, POINTS = SPANS["5m"]


class Watched:
    """A house whose loop turns when a test says so."""

    def __init__(self, directory: Path) -> None:
        self.house = House(directory)
        self.clock = self.house.clock
        self.began_at = self.clock.time
        self.sampler = Sampler(self.house.keeper, HEARTBEAT_TIMEOUT)

    def turn_after(self, seconds: float) -> None:
        self.clock.time += seconds
        self.sampler.turn()

    def shown(self, span: str = "5m") -> dict[str, list[float]]:
        series: dict[str, list[float]] = self.sampler.show(span)["series"]
        return series

    def last(self, points: int = 1) -> list[dict[str, float]]:
        columns = [one[-points:] for one in self.shown().values()]
        return [
            dict(zip(SERIES, row, strict=True)) for row in zip(*columns, strict=True)
        ]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.house.store.close()


def test_what_happened_stands_in_the_step_in_which_it_did(watched: Watched) -> None:
    house = watched.house
    house.push()
    house.try_once(200)
    house.push(max_retries=0)
    house.try_once(404)
    house.push()
    house.lease()
    house.push(delay=-1.0)
    watched.turn_after(STEP)
    [point] = watched.last()
    assert point == {
        "pushed": 4 / STEP,
        "attempts": 2 / STEP,
        "succeeded": 1 / STEP,
        "failed": 1 / STEP,
        "dead": 1 / STEP,
        "waiting": 1.0,
        "in_flight": 1.0,
        "oldest_due": 3.0,
        # Both took a quarter of a second.
        "p50": pytest.approx(0.175),
        "p95": pytest.approx(0.2425),
        "p99": pytest.approx(0.2485),
    }
    watched.turn_after(STEP)
    [point] = watched.last()
    assert (point["pushed"], point["oldest_due"]) == (0.0, 5.0)
    assert math.isnan(point["p50"])
    # Of a longer one no step is over.
    assert all(map(math.isnan, watched.shown("1h")["pushed"]))


def test_attempts_are_counted_by_what_they_brought(watched: Watched) -> None:
    house = watched.house
    for outcome in ({}, {"snooze": 5.0}):
        house.push()
        house.try_once(500, **outcome)
    house.push()
    house.lease()
    house.dispatch.lose(house.workers.all[0], "it ended")
    watched.turn_after(STEP)
    [point] = watched.last()
    # What was put off has not failed.
    assert (point["attempts"], point["failed"]) == (3 / STEP, 2 / STEP)


def test_a_queue_that_is_dropped_takes_nothing_with_it(watched: Watched) -> None:
    queues = QueueKeeper(watched.house.keeper)
    queues.set("mail", {})
    watched.house.push(queue="mail")
    watched.house.try_once(200)
    queues.drop("mail")
    watched.turn_after(STEP)
    [point] = watched.last()
    assert (point["pushed"], point["succeeded"]) == (1 / STEP, 1 / STEP)


def test_between_two_heartbeats_an_idle_service_had_nothing_to_do(
    watched: Watched,
) -> None:
    watched.house.push(delay=3600.0)
    watched.turn_after(0.0)
    watched.turn_after(HEARTBEAT_TIMEOUT)
    points = watched.last(5)
    assert [point["waiting"] for point in points] == [1.0] * 5
    assert [point["pushed"] for point in points] == [1 / STEP, 0.0, 0.0, 0.0, 0.0]
    watched.turn_after(HEARTBEAT_TIMEOUT + 2 * STEP)
    assert math.isnan(watched.last()[0]["waiting"])


def test_points_have_the_time_of_the_wall_clock(watched: Watched) -> None:
    watched.turn_after(STEP + 0.5)
    shown = watched.sampler.show("5m")
    assert (shown["span"], shown["step"]) == ("5m", STEP)
    last = shown["from"] + (POINTS - 1) * STEP
    assert last == watched.began_at + STEP
    # Also of those that were before it was set.
    watched.clock.wall_ahead = 3600.0
    watched.house.keeper.watch_clock()
    assert watched.sampler.show("5m")["from"] == shown["from"] + 3600.0


def test_an_api_asks_for_spans_that_there_are(watched: Watched) -> None:
    nonsense: Any
    for nonsense in ("1w", "", 5, None):
        with pytest.raises(ChannelError):
            watched.sampler.show(nonsense)
