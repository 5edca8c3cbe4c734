"""The queue, under everything that may befall it."""

from __future__ import annotations

import pytest

from poussetaches.model import decisions, endings
from poussetaches.model.counts import Counts
from poussetaches.model.events import (
    ClockStepped,
    Event,
    Leased,
    Moved,
    Paused,
    Pushed,
    Resumed,
    Succeeded,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State, Submission, Task, Terms
from tests.model.machine import QueueMachine
from tests.support.queues import (
    FAILURE,
    NOW,
    OK,
    POLICY,
    apply,
    leased,
    pushed,
    scheduled,
    state,
)

TestQueue = QueueMachine.TestCase


def succeed(queue: TaskQueue, *ids: str) -> None:
    for id in ids:
        pushed(queue, id, delay=-60.0)
        events = endings.conclude(queue, leased(queue), OK, NOW, 0.5, POLICY)
        apply(queue, events)


def test_a_new_queue_is_empty() -> None:
    queue = TaskQueue()
    assert (queue.waiting, queue.paused, queue.skew) == (0, False, 0.0)
    assert queue.counts == Counts(0, 0, 0, 0)
    assert queue.turns.first() is None


def test_a_pushed_task_is_as_it_was_submitted() -> None:
    queue = TaskQueue()
    submission = Submission("a", b"spec", 5.0, "", Terms(7))
    apply(queue, decisions.push(queue, submission, NOW, POLICY))
    assert queue.tasks == {
        "a": Task(
            "a",
            b"spec",
            "",
            0.0,
            NOW + 5.0,
            1,
            State.WAITING,
            terms=Terms(7),
            pushed_at=NOW,
        )
    }
    assert queue.counts == Counts(accepted=1)


def test_a_run_is_as_its_schedule_says() -> None:
    queue = TaskQueue()
    submission = Submission("s", b"spec", 0.0, "@hourly", Terms(7))
    apply(queue, decisions.push(queue, submission, NOW, POLICY))
    slot = NOW + 3600
    assert queue.tasks["s"] == Task(
        "s", b"spec", "@hourly", slot, slot, 1, terms=Terms(7), pushed_at=NOW
    )


def test_the_last_ones_that_succeeded_are_remembered_in_order_of_ending() -> None:
    queue = TaskQueue(retain_succeeded=3)
    succeed(queue, "a", "b", "c", "d", "e")
    assert list(queue.succeeded) == ["c", "d", "e"]
    assert queue.counts == Counts(accepted=5, succeeded=5)


def test_nothing_that_succeeded_need_be_remembered() -> None:
    queue = TaskQueue(retain_succeeded=0)
    succeed(queue, "a", "b")
    assert not queue.succeeded
    assert queue.difference() == 0


def test_of_a_schedule_the_last_run_that_succeeded_is_remembered() -> None:
    queue = TaskQueue(retain_succeeded=2)
    for _ in range(3):
        run = scheduled(queue, "s")
        leased(queue, run.eta)
        last = run
        events = endings.conclude(queue, run, OK, run.eta, 0.5, POLICY)
        apply(queue, events)
    succeed_at = queue.tasks["s"].eta
    assert queue.succeeded == {"s": last}
    assert last.slot < succeed_at
    assert queue.counts.succeeded == 3


def test_every_dead_task_is_remembered() -> None:
    queue = TaskQueue(retain_succeeded=1)
    for number in range(5):
        submission = Submission(f"t{number}", b"", 0.0, "", Terms(0))
        apply(queue, decisions.push(queue, submission, NOW, POLICY))
        task = leased(queue)
        apply(queue, endings.conclude(queue, task, FAILURE, NOW, 0.5, POLICY))
    assert list(queue.dead) == ["t0", "t1", "t2", "t3", "t4"]
    assert queue.counts == Counts(accepted=5, dead=5)


def test_a_retry_goes_behind_what_waits_for_the_same_moment() -> None:
    queue = TaskQueue()
    pushed(queue, "a", "b")
    apply(queue, endings.lose(queue, leased(queue), "gone", NOW, 0.5, POLICY))
    assert [leased(queue).id for _ in range(2)] == ["b", "a"]


@pytest.mark.parametrize("seconds", [-10.0, 10.0])
def test_a_moved_task_has_its_turn_at_its_new_time(seconds: float) -> None:
    queue = TaskQueue()
    pushed(queue, "a", "b", "c", delay=60.0)
    queue.apply(Moved("b", NOW, NOW + 60.0 + seconds))
    turns = [leased(queue, NOW + 99).id for _ in range(3)]
    assert turns == (["b", "a", "c"] if seconds < 0 else ["a", "c", "b"])


def test_pausing_is_a_state_not_a_count() -> None:
    queue = TaskQueue()
    for event in (Paused(NOW), Paused(NOW), Resumed(NOW)):
        queue.apply(event)
    assert not queue.paused


def test_a_loaded_queue_goes_on_with_the_order_it_had() -> None:
    """A task pushed after the restart goes behind those from before."""
    queue = TaskQueue()
    pushed(queue, "a", "b")
    leased(queue)
    succeed(queue, "later")
    again = TaskQueue()
    again.load(
        tasks=list(queue.tasks.values()),
        schedules=[],
        succeeded=list(queue.succeeded.values()),
        dead=[],
        counts=queue.counts,
        paused=False,
        skew=3.5,
        latest=NOW,
    )
    assert list(again.leased) == ["a"]
    assert (again.skew, again.latest) == (3.5, NOW)
    orders = {task.order for task in (*again.tasks.values(), *again.succeeded.values())}
    assert pushed(again, "c").order not in orders
    assert [leased(again).id for _ in range(2)] == ["b", "c"]


def test_a_loaded_queue_shares_no_counts_with_what_it_was_loaded_from() -> None:
    counts = Counts(accepted=1, cancelled=1)
    queue = TaskQueue()
    queue.load(
        tasks=[],
        schedules=[],
        succeeded=[],
        dead=[],
        counts=counts,
        paused=True,
        skew=0.0,
    )
    queue.apply(Pushed("a", NOW, NOW, b""))
    assert counts == Counts(accepted=1, cancelled=1)
    assert queue.counts == Counts(accepted=2, cancelled=1)


def test_a_replay_keeps_nothing_of_what_has_gone() -> None:
    """Nobody asks a queue that is replayed whose turn it is, as the dispatch does."""
    queue = TaskQueue(retain_succeeded=0)
    events: list[Event] = [
        Pushed("moved", NOW, NOW, b""),
        Moved("moved", NOW, NOW + 99),
    ]
    for number in range(100):
        id = f"t{number}"
        events += [
            Pushed(id, NOW, NOW + 1, b""),
            Leased(id, NOW + 1, 1),
            Succeeded(id, NOW + 1, 1, 200),
        ]
    apply(queue, events)
    assert [task.id for task in queue.turns.beyond(None, 9)] == ["moved"]


def test_setting_the_clock_is_no_matter_of_the_tasks() -> None:
    queue = TaskQueue()
    pushed(queue, "a")
    before = state(queue)
    queue.apply(ClockStepped(NOW + 3, 7.0))
    assert state(queue) == {**before, "skew": 7.0, "latest": NOW + 3}
