"""What the public sees of origins, and how one is let go on by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.errors import ChannelError, NotFound
from poussetaches.model.caps import Caps
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Cancelled
from poussetaches.model.gate import FIRST_PAUSE
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Submission, Task, Terms
from poussetaches.schema.origin import OriginView
from poussetaches.store.disk import Store
from poussetaches.supervisor import origin_verbs
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.origin_verbs import OriginVerbs
from tests.supervisor.test_keeper import POLICY, StoppedClock
from tests.support.queues import FREE, OK

REFUSED = Outcome(False, NO_ANSWER, b"refused", unreached=True)
BUSY = Outcome(False, 429, b"", retry_after=20.0)
LIMIT = 3600.0


class House:
    """The verbs, and tasks for some origins: ``a1`` is one for http://a:80."""

    def __init__(self, directory: Path) -> None:
        self.clock = StoppedClock()
        queue = TaskQueue(caps=Caps(own={"http://c:80": 2}))
        self.store, _ = Store.open(str(directory), "off", queue, patience=0.0)
        self.keeper = Keeper(
            queue,
            self.store,
            self.clock,
            POLICY._replace(hold_limit=LIMIT),
            slots=8,
            end_room=10_000,
        )
        self._table = OriginVerbs(self.keeper).table()

    def push(self, *ids: str) -> None:
        for id in ids:
            terms = Terms.of((None, "", f"http://{id[0]}:80"))
            self.keeper.push(Submission(id, b"spec", terms=terms))

    def begin(self) -> Task:
        task = self.keeper.lease(FREE)
        assert task is not None
        return task

    def attempt(self, outcome: Outcome) -> None:
        self.keeper.conclude(self.begin(), outcome)

    def told(self, **asked: Any) -> dict[str, Any]:
        told: dict[str, Any] = self._table["origins"](**asked)
        return told | {"origins": [OriginView._make(one) for one in told["origins"]]}

    def shown(self) -> list[OriginView]:
        found: list[OriginView] = self.told()["origins"]
        return found

    def lift(self, origin: Any) -> int:
        lifted: int = self._table["origins_lift"](origin=origin)
        return lifted


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def test_those_in_trouble_come_first_then_those_with_a_cap(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are more than are told of, what matters is among them."""
    house.push("z1", "c1", "b1", "d1")
    house.attempt(REFUSED)
    assert [one.origin[7] for one in house.shown()] == ["z", "c", "b", "d"]
    house.begin()
    house.attempt(BUSY)
    assert [one.origin[7] for one in house.shown()] == ["z", "b", "c", "d"]
    monkeypatch.setattr(origin_verbs, "MOST_SHOWN", 2)
    told = house.told()
    assert [one.origin[7] for one in told["origins"]] == ["z", "b"]
    assert (told["total"], told["held"]) == (4, 1)


def test_a_held_one_says_since_when_and_when_it_is_tried_next(house: House) -> None:
    house.push("a1", "a2", "a3")
    house.keeper.queue.skew = 100.0
    house.attempt(REFUSED)
    now = house.clock.time + 100.0
    [told] = house.shown()
    assert told == OriginView(
        "http://a:80", "held", now, now + FIRST_PAUSE, 1, None, 0, 3, "refused"
    )
    house.clock.time += FIRST_PAUSE
    task = house.begin()
    [told] = house.shown()
    assert (told.state, told.next_probe, told.in_flight) == ("held", None, 1)
    assert (told.since, told.waiting) == (now, 2)
    house.keeper.conclude(task, OK)
    [told] = house.shown()
    assert (told.state, told.since, told.limit) == ("open", None, 2)
    assert house.told()["held"] == 0


def test_one_that_has_enough_is_slowed(house: House) -> None:
    house.push("a1", "c1")
    house.attempt(BUSY)
    slowed, capped = house.shown()
    assert (slowed.state, slowed.since, slowed.limit) == ("slowed", None, 1)
    assert slowed.next_probe == house.clock.time + 20.0
    assert (capped.state, capped.limit, capped.cap) == ("open", None, 2)


def test_those_in_trouble_can_be_asked_for_alone(house: House) -> None:
    house.push("a1", "b1", "c1")
    house.attempt(REFUSED)
    told = house.told(in_trouble=True)
    assert [one.origin for one in told["origins"]] == ["http://a:80"]
    assert (told["total"], told["held"]) == (3, 1)


def test_one_that_was_waited_for_too_long_is_given_up(house: House) -> None:
    house.push("a1", "a2")
    house.attempt(REFUSED)
    house.clock.time += LIMIT + 1
    house.attempt(REFUSED)
    [told] = house.shown()
    assert (told.state, told.limit, house.told()["held"]) == ("given up", None, 0)
    assert house.lift("http://a:80") == 1
    assert house.shown()[0].state == "open"


def test_why_one_is_away_is_told_until_it_answers(house: House) -> None:
    house.push("a1", "a2")
    for status in (503, 502):
        house.attempt(Outcome(False, status, b"<h1>Bad gateway</h1>"))
        house.clock.time += 60.0
    [told] = house.shown()
    assert (told.state, told.reason) == ("held", "answered 502")
    house.keeper.conclude(house.begin(), OK)
    assert house.shown()[0].reason is None
    house.attempt(BUSY)
    assert (house.shown()[0].state, house.shown()[0].reason) == ("slowed", None)


def test_what_is_lifted_goes_on_at_once(house: House) -> None:
    house.push("a1", "b1", "a2")
    house.attempt(REFUSED)
    house.attempt(REFUSED)
    assert house.keeper.lease(FREE) is None
    assert house.told()["held"] == 2
    assert house.lift("http://a:80") == 1
    assert house.lift("http://a:80") == 0
    assert {house.begin().id, house.begin().id} == {"a1", "a2"}
    assert house.told()["held"] == 1
    assert house.lift(None) == 1
    assert house.begin().id == "b1"
    assert house.told()["held"] == 0


def test_who_is_forgotten_is_held_no_more(house: House) -> None:
    """With the last task for it goes what is known of an origin."""
    house.push("a1")
    house.attempt(REFUSED)
    now = house.clock.time
    house.keeper.decide(lambda queue, _, policy: [Cancelled("a1", now)])
    assert house.told() == {"origins": [], "total": 0, "held": 0}
    assert house.keeper.queue.turns.origins.troubled == {}
    with pytest.raises(NotFound, match=r"nothing waits for http://a:80"):
        house.lift("http://a:80")


def test_no_sound_api_asks_for_what_is_no_text(house: House) -> None:
    with pytest.raises(ChannelError):
        house.lift(5)
