"""A task's own limit of retries, until it is dead, and over journal and dump."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.channel.messages import seal
from poussetaches.model import decisions, endings
from poussetaches.model.backoff import DEFAULT, FOR_EVER, Backoff
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Died, Event, Failed, Leased, Pushed
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import PLAIN, State, Submission, Task, Terms
from poussetaches.store import format
from poussetaches.store.dump import read_dump, write_dump
from tests.support.queues import FREE

POLICY = Policy(DEFAULT, Rules("UTC"), seal)
REFUSED = Outcome(False, 500, b"no")
#: A draw that moves nothing.
MIDDLE = 0.5
ID = "a" * 32
SCHEDULE_ID = "b" * 40


def apply(queue: TaskQueue, events: list[Event]) -> None:
    for event in events:
        queue.apply(event)


def pushed(max_retries: int | None, schedule: str = "") -> TaskQueue:
    """A queue with one task (or schedule) that was pushed at 0."""
    queue = TaskQueue()
    id = SCHEDULE_ID if schedule else ID
    submission = Submission(id, b"spec", 0.0, schedule, Terms(max_retries))
    apply(queue, decisions.push(queue, submission, 0.0, POLICY))
    return queue


def lease(queue: TaskQueue) -> Task:
    """Begin the next attempt, whenever it is due."""
    waiting = queue.turns.first()
    assert waiting is not None
    event = decisions.lease(queue, waiting.eta, FREE)
    assert event is not None
    queue.apply(event)
    return queue.tasks[event.id]


def attempts_until_death(queue: TaskQueue, id: str = ID) -> int:
    while id not in queue.dead:
        task = lease(queue)
        apply(queue, endings.conclude(queue, task, REFUSED, task.eta, MIDDLE, POLICY))
    return queue.dead[id].attempts


@pytest.mark.parametrize("max_retries", [0, 1, 2, 10, 11, 30])
def test_a_task_gets_its_first_attempt_and_its_retries(max_retries: int) -> None:
    assert attempts_until_death(pushed(max_retries)) == max_retries + 1


def test_a_task_without_a_limit_of_its_own_has_the_policys() -> None:
    assert attempts_until_death(pushed(None)) == DEFAULT.max_attempts


def test_a_task_may_be_retried_for_ever() -> None:
    queue = pushed(FOR_EVER)
    for attempt in range(1, 200):
        task = lease(queue)
        assert task.attempts == attempt
        [event] = endings.conclude(queue, task, REFUSED, task.eta, MIDDLE, POLICY)
        assert isinstance(event, Failed)
        assert event.eta - task.eta == 4.0 ** min(attempt - 1, 9)
        queue.apply(event)


@given(
    attempt=st.integers(1, 1000),
    max_retries=st.integers(-1, 1000),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_that_of_the_table_and_then_its_last(
    attempt: int, max_retries: int, draw: float
) -> None:
    wait = DEFAULT.wait(attempt, draw, max_retries)
    if max_retries != FOR_EVER and attempt > max_retries:
        assert wait is None
    else:
        assert wait == DEFAULT.wait(min(attempt, 10), draw)


@pytest.mark.parametrize("max_retries", [None, FOR_EVER, 0, 5])
def test_without_waits_there_are_no_retries(max_retries: int | None) -> None:
    assert Backoff((), jitter=0.3).wait(1, MIDDLE, max_retries) is None


def test_every_run_of_a_schedule_has_the_limit_of_its_schedule() -> None:
    queue = pushed(1, "@every 1h")
    for _ in range(2):
        assert attempts_until_death(queue, SCHEDULE_ID) == 2
        queue.dead.drop(SCHEDULE_ID)
    assert queue.tasks[SCHEDULE_ID].terms.max_retries == 1


def lose(queue: TaskQueue) -> Event:
    """Begin the next attempt and have its worker end."""
    task = lease(queue)
    [event] = endings.lose(queue, task, "it ended", task.eta, MIDDLE, POLICY)
    queue.apply(event)
    return event


def test_a_lost_attempt_counts_against_the_limit() -> None:
    queue = pushed(1)
    assert isinstance(lose(queue), Failed)
    assert isinstance(lose(queue), Died)


def test_a_task_for_ever_that_kills_its_workers_waits_as_after_any_failure() -> None:
    queue = pushed(FOR_EVER)
    waits = []
    for _ in range(15):
        event = lose(queue)
        assert isinstance(event, Failed)
        waits.append(event.eta - event.at)
    assert waits[0] == 0.0
    assert waits[1:10] == pytest.approx([4.0**n for n in range(1, 10)])
    assert waits[10:] == pytest.approx([4.0**9] * 5)


def test_the_limit_is_in_the_dump(tmp_path: Path) -> None:
    queue = pushed(7)
    submission = Submission(SCHEDULE_ID, b"spec", 0.0, "@every 1h", Terms(3))
    apply(queue, decisions.push(queue, submission, 0.0, POLICY))
    assert write_dump(str(tmp_path), 1, queue)
    again = TaskQueue()
    read_dump(str(tmp_path), 1, again)
    assert again.tasks == queue.tasks
    assert again.schedules == queue.schedules
    assert again.tasks[ID].terms.max_retries == 7
    assert again.schedules[SCHEDULE_ID].terms.max_retries == 3


def test_the_limit_is_in_the_journal() -> None:
    record: list[Event] = [Pushed(ID, 1.0, 2.0, b"spec", Terms(7)), Leased(ID, 3.0, 1)]
    body = msgpack.unpackb(format.journal_body([format.pack_record(record)]))
    assert list(format.unpack_journal(body)) == [record]


def test_what_was_written_before_there_was_a_limit_has_none() -> None:
    [[event]] = format.unpack_journal([[[1, ID, 1.0, 2.0, b"spec"]]])
    assert event == Pushed(ID, 1.0, 2.0, b"spec")
    task = Task(ID, b"spec", "", 0.0, 2.0, 1, State.WAITING, 0, 0.0, 0, None)
    assert format.row_task(format.task_row(task)[:11]) == task
    schedule = format.row_schedule((SCHEDULE_ID, "@every 1h", b"spec"))
    assert schedule.terms == PLAIN
