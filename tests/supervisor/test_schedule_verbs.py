"""What an api may ask about schedules, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.errors import ChannelError, InvalidInput, NotFound, QueueFull
from poussetaches.model.bounds import Bounds
from poussetaches.model.endings import Outcome
from poussetaches.model.schedule import schedule_id
from poussetaches.model.task import Special, Submission, Terms
from poussetaches.supervisor.schedule_verbs import ScheduleVerbs
from tests.supervisor.test_keeper import House
from tests.support.queues import FREE

OK = Outcome(True, 200, b"")
HOUR = 3600.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.keeper.store.close()


def push(house: House, name: str, text: str = "@every 1h", **wishes: Any) -> str:
    """Push a schedule of that name; its id."""
    terms = Terms(special=Special(name=name, **wishes))
    id = schedule_id("", None, "", name=name)
    house.keeper.push(Submission(id, b"spec", schedule=text, terms=terms))
    return id


def ask(house: House, verb: str, **arguments: Any) -> Any:
    return ScheduleVerbs(house.keeper).table()[verb](**arguments)


def view(house: House, name: str) -> tuple[Any, ...]:
    """Paused, next, slot, in flight and last, of the schedule of that name."""
    shown: tuple[Any, ...] = ask(house, "schedule", schedule=name)
    return shown[4:]


def test_a_schedule_is_found_by_its_name_and_by_its_id(house: House) -> None:
    id = push(house, "report")
    by_name = ask(house, "schedule", schedule="report")
    assert by_name == ask(house, "schedule", schedule=id)
    assert by_name[:3] == (id, b"spec", "@every 1h")
    with pytest.raises(NotFound, match="there is no schedule 'nobody'"):
        ask(house, "schedule", schedule="nobody")


def test_what_is_said_of_it_follows_its_runs(house: House) -> None:
    push(house, "report")
    begin = house.clock.time
    first, second = begin + HOUR, begin + 2 * HOUR
    assert view(house, "report") == (False, first, first, False, None)
    house.clock.time = first + 5.0
    task = house.keeper.lease(FREE)
    assert task is not None
    assert view(house, "report") == (False, second, second, True, None)
    house.keeper.conclude(task, OK)
    last = (first, first + 5.0, "succeeded", 1, 200)
    assert view(house, "report") == (False, second, second, False, last)


def test_times_are_those_of_the_wall_clock(house: House) -> None:
    """Somebody set it an hour ahead: an interval keeps its beat, and is seen so."""
    push(house, "interval")
    push(house, "fields", "0 0 1 1 *")
    fields = view(house, "fields")
    at = house.clock.time + 2 * HOUR
    house.clock.wall_ahead = HOUR
    house.keeper.watch_clock()
    assert view(house, "interval")[1:3] == (at, at)
    assert view(house, "fields") == fields


def test_the_page_of_schedules_goes_on_where_it_ended(house: House) -> None:
    for name in ("b", "c", "a"):
        push(house, name)
    page = ask(house, "schedules", limit=2, cursor=None)
    ids = [schedule_id("", None, "", name=name) for name in ("a", "b", "c")]
    assert [one[0] for one in page["schedules"]] == ids[:2]
    assert (page["total"], page["cursor"]) == (3, f"{ids[1]} b")
    page = ask(house, "schedules", limit=2, cursor=page["cursor"])
    assert [one[0] for one in page["schedules"]] == ids[2:]
    assert page["cursor"] is None


@pytest.mark.parametrize("cursor", ["", "x", " x"])
def test_a_cursor_that_no_page_gave_is_refused(house: House, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor: "):
        ask(house, "schedules", limit=1, cursor=cursor)


def test_what_is_done_to_a_schedule_is_on_disk(house: House) -> None:
    push(house, "report")
    push(house, "gone")
    house.keeper.commit()
    assert ask(house, "schedule_pause", schedule="report")[4:7] == (True, None, None)
    assert ask(house, "schedule_run", schedule="report", task_id="e" * 32) == "e" * 32
    assert ask(house, "schedule_drop", schedule="gone")[2] == "@every 1h"
    house.keeper.commit()
    house.crash()
    assert [*house.queue.tasks] == ["e" * 32]
    assert view(house, "report")[0] is True
    assert ask(house, "schedule_resume", schedule="report")[4] is False
    assert ask(house, "unschedule") == 1
    assert not house.queue.schedules


def test_a_full_queue_takes_no_run_by_hand_and_lets_schedules_be_steered(
    house: House,
) -> None:
    house.bounds = Bounds(max_tasks=1)
    house.start_again()
    push(house, "report")
    with pytest.raises(QueueFull):
        ask(house, "schedule_run", schedule="report", task_id="e" * 32)
    push(house, "report", "@every 2h")
    assert view(house, "report")[1] == house.clock.time + 2 * HOUR
    ask(house, "schedule_pause", schedule="report")
    assert not house.queue.tasks


def test_a_run_too_late_is_skipped_when_its_turn_comes(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """And what else is due is delivered in the same turn."""
    push(house, "report", missed="none")
    push(house, "other")
    begin = house.clock.time
    house.clock.time += HOUR + 61.0
    task = house.keeper.lease(FREE)
    assert task is not None
    assert task.id == schedule_id("", None, "", name="other")
    assert house.keeper.lease(FREE) is None
    last = (begin + HOUR, house.clock.time, "skipped", 0, 0)
    coming = begin + 2 * HOUR
    assert view(house, "report") == (False, coming, coming, False, last)
    assert "run skipped" in caplog.text


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("schedules", {"limit": 0, "cursor": None}),
        ("schedules", {"limit": "1", "cursor": None}),
        ("schedules", {"limit": 1, "cursor": 1}),
        ("schedule", {"schedule": 1}),
        ("schedule_drop", {"schedule": None}),
        ("schedule_run", {"schedule": "report", "task_id": 1}),
        ("schedule_run", {"schedule": "report", "task_id": "short"}),
        ("schedule_run", {"schedule": "report", "task_id": "a" * 32}),
    ],
)
def test_what_no_sound_api_asks_is_its_end(
    house: House, verb: str, arguments: dict[str, Any]
) -> None:
    push(house, "report")
    house.keeper.push(Submission("a" * 32, b"spec"))
    with pytest.raises(ChannelError):
        ask(house, verb, **arguments)
