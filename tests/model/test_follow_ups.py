"""What an answer asks for is decided with the success that brings it."""

from __future__ import annotations

import pytest

from poussetaches.model import recurrence
from poussetaches.model.endings import Outcome, conclude
from poussetaches.model.events import Failed, Pushed, Recurred, Succeeded
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, Submission, Terms
from tests.support.queues import (
    NOW,
    OK,
    POLICY,
    apply,
    leased,
    pushed,
    scheduled,
    state,
)


def answer(*follow_ups: Submission) -> Outcome:
    return OK._replace(follow_ups=follow_ups)


def test_a_chain_is_neither_lost_nor_doubled() -> None:
    queue = TaskQueue()
    pushed(queue, "a")
    asked = [Submission("b", b"spec"), Submission("c", b"spec", 60.0)]
    events = conclude(queue, leased(queue), answer(*asked), NOW, 0.5, POLICY)
    assert [type(event) for event in events] == [Succeeded, Pushed, Pushed]
    apply(queue, events)
    assert {id: task.eta - NOW for id, task in queue.tasks.items()} == {
        "b": 0.0,
        "c": 60.0,
    }


def test_a_key_that_is_known_brings_no_second_task() -> None:
    queue = TaskQueue()
    pushed(queue, "a", "b")
    asked = [Submission(id, b"", terms=Terms(key="k")) for id in ("c", "d")]
    for id in ("e", "f"):
        task = leased(queue)
        answered = answer(*(one._replace(id=one.id + id) for one in asked))
        apply(queue, conclude(queue, task, answered, NOW, 0.5, POLICY))
    assert list(queue.tasks) == ["ce"]


def test_what_cannot_be_accepted_fails_the_attempt_and_changes_nothing_else() -> None:
    queue = TaskQueue()
    task = pushed(queue, "a")
    leased(queue)
    asked = [Submission("b", b""), Submission("c", b"", terms=Terms(queue="none"))]
    events = conclude(queue, task, answer(*asked), NOW, 0.5, POLICY)
    (event,) = events
    assert isinstance(event, Failed)
    assert b"there is no queue" in event.error
    apply(queue, events)
    assert list(queue.tasks) == ["a"]


def test_a_schedule_that_was_dropped_during_a_run_can_be_asked_for_by_it() -> None:
    """It is there, and it has a run that comes."""
    queue = TaskQueue()
    run = scheduled(queue)
    now = run.eta
    leased(queue, now)
    apply(queue, recurrence.drop(queue, run.id, now))
    asked = Submission(run.id, b"spec", schedule="@hourly")
    events = conclude(queue, run, answer(asked), now + 1.0, 0.5, POLICY)
    apply(queue, events)
    assert list(queue.schedules) == [run.id]
    assert queue.tasks[run.id].eta == now + 3600.0
    assert queue.difference() == 0


@pytest.mark.parametrize("paused", [False, True])
def test_a_run_that_changes_its_schedule_is_followed_by_what_is_new(
    paused: bool,
) -> None:
    queue = TaskQueue()
    terms = Terms.of(Terms(special=Special(name="n")))
    first = Submission("s", b"spec", schedule="@hourly", terms=terms)
    apply(queue, recurrence.schedule(queue, first, NOW, POLICY.rules))
    run = queue.tasks["s"]
    now = run.eta
    leased(queue, now)
    if paused:
        apply(queue, recurrence.pause(queue, "s", now))
    asked = first._replace(schedule="* * * * *")
    before = state(queue)
    events = conclude(queue, run, answer(asked), now + 1.0, 0.5, POLICY)
    assert state(queue) == before
    assert any(isinstance(event, Recurred) for event in events) != paused
    apply(queue, events)
    assert queue.schedules["s"].text == "* * * * *"
    if not paused:
        assert queue.tasks["s"].eta == now + 60.0
    else:
        apply(queue, recurrence.resume(queue, "s", now + 2.0, POLICY.rules))
        assert queue.tasks["s"].eta == now + 60.0
