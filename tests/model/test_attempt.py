"""What a task remembers of its attempts (its machines compare it in every order)."""

from __future__ import annotations

import pytest

from poussetaches.model import decisions, endings
from poussetaches.model.attempt import MOST_REMEMBERED, Attempt, remember
from poussetaches.model.backoff import FOR_EVER
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Moved, Replaced
from poussetaches.model.queue import TaskQueue
from poussetaches.model.size import size_of
from poussetaches.model.task import NO_ANSWER, State, Submission, Task, Terms
from tests.support.queues import FREE, NOW, POLICY, apply, leased, pushed, reloaded


@pytest.fixture
def queue() -> TaskQueue:
    return TaskQueue()


def begun(queue: TaskQueue, now: float, worker: int = 2) -> Task:
    event = decisions.lease(queue, now, FREE, worker)
    assert event is not None
    queue.apply(event)
    return queue.tasks[event.id]


def ended(queue: TaskQueue, task: Task, outcome: Outcome, now: float) -> Attempt:
    apply(queue, endings.conclude(queue, task, outcome, now, 0.5, POLICY))
    return task.past[-1]


def test_a_failure_is_remembered_with_what_it_brought(queue: TaskQueue) -> None:
    pushed(queue, "a", delay=5.0)
    task = begun(queue, NOW + 6.0)
    outcome = Outcome(False, 503, b"x" * 300, kind="status", request="ab12")
    assert ended(queue, task, outcome, NOW + 7.0) == Attempt(
        1,
        NOW + 5.0,
        NOW + 6.0,
        NOW + 7.0,
        2,
        503,
        "failed",
        "status",
        b"x" * 256,
        "ab12",
    )
    assert task.error == b"x" * 300
    assert task.state is State.WAITING


def test_a_success_is_remembered_without_its_answer(queue: TaskQueue) -> None:
    pushed(queue, "a")
    task = begun(queue, NOW)
    assert ended(
        queue, task, Outcome(True, 200, b"", request="ab"), NOW + 1
    ) == Attempt(1, NOW, NOW, NOW + 1, 2, 200, "succeeded", "", b"", "ab")


def test_a_result_that_is_kept_is_kept_whole(queue: TaskQueue) -> None:
    pushed(queue, "a")
    task = begun(queue, NOW)
    outcome = Outcome(True, 200, b"", result=bytes(70_000))
    assert ended(queue, task, outcome, NOW).excerpt == bytes(70_000)
    assert queue.size == size_of(task)
    assert queue.size > 70_000


def test_an_attempt_that_does_not_count_is_remembered_all_the_same(
    queue: TaskQueue,
) -> None:
    pushed(queue, "a")
    snooze = Outcome(False, 200, b"", snooze=5.0, kind="snooze")
    first = ended(queue, begun(queue, NOW), snooze, NOW)
    task = begun(queue, NOW + 5.0)
    second = ended(queue, task, Outcome(False, 410, b"", True, kind="dead"), NOW + 6.0)
    assert (first.number, first.outcome, first.kind) == (1, "deferred", "snooze")
    assert (second.number, second.outcome, second.due_at) == (1, "failed", NOW + 5.0)
    assert queue.dead["a"].past == (first, second)


def test_what_is_not_known_says_why(queue: TaskQueue) -> None:
    task = pushed(queue, "a")
    begun(queue, NOW)
    apply(queue, endings.lose(queue, task, "it died", NOW + 1, 0.5, POLICY))
    begun(queue, NOW + 1)
    apply(queue, endings.hand_back(queue, task, NOW + 2, POLICY))
    assert [(a.number, a.outcome, a.kind, a.status) for a in task.past] == [
        (1, "lost", "lost", NO_ANSWER),
        (2, "stopped", "stopped", NO_ANSWER),
    ]
    assert task.past[0].excerpt == b"it died"


def test_of_many_the_first_and_the_last_are_remembered(queue: TaskQueue) -> None:
    submission = Submission("a", b"spec", terms=Terms(FOR_EVER))
    apply(queue, decisions.push(queue, submission, NOW, POLICY))
    now = NOW
    for number in range(1, 51):
        task = leased(queue, now)
        outcome = Outcome(False, 500, b"no %d" % number, kind="status")
        ended(queue, task, outcome, now)
        now = task.eta
        assert queue.size == size_of(task)
    assert [one.number for one in task.past] == [1, *range(32, 51)]
    assert len(task.past) == MOST_REMEMBERED
    assert task.dropped == 30


def test_a_change_of_a_task_changes_nothing_of_what_it_was(queue: TaskQueue) -> None:
    task = pushed(queue, "a")
    ended(queue, begun(queue, NOW), Outcome(False, 500, b"no"), NOW)
    past = task.past
    queue.apply(Moved("a", NOW + 1, NOW + 99.0))
    queue.apply(Replaced("a", NOW + 2, NOW + 50.0, b"longer than it was"))
    assert (task.past, task.pushed_at) == (past, NOW)
    assert queue.size == size_of(task)


def test_a_task_that_expires_remembers_its_attempts(queue: TaskQueue) -> None:
    task = pushed(queue, "a")
    ended(queue, begun(queue, NOW), Outcome(False, 500, b"no"), NOW)
    apply(queue, endings.expire(queue, ["a"], NOW + 1, POLICY))
    assert queue.expired["a"] is task
    assert len(task.past) == 1
    assert reloaded(queue, TaskQueue()).expired["a"].past == task.past


def test_remember_keeps_the_order() -> None:
    past: tuple[Attempt, ...] = ()
    for number in range(1, 23):
        one = Attempt(number, 0.0, 0.0, 0.0, 0, 500, "failed", "", b"", "")
        past = remember(past, one)
    assert [one.number for one in past] == [1, *range(4, 23)]
