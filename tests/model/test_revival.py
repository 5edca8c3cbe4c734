"""A dead letter comes back; and what may be run before its turn."""

from __future__ import annotations

import pytest

from poussetaches.errors import Conflict, IllegalEvent, NotFound
from poussetaches.model.bounds import Bounds, fullness_for, growth
from poussetaches.model.events import (
    Died,
    Event,
    Expired,
    Forgotten,
    Leased,
    Pushed,
    QueueDropped,
    QueueSet,
    Recurred,
    Revived,
    Scheduled,
    Succeeded,
)
from poussetaches.model.lookup import find_runnable
from poussetaches.model.queue import TaskQueue
from poussetaches.model.revival import find_dead, retry
from poussetaches.model.task import PLAIN, Special, State, Task, Terms
from tests.support.queues import NOW, POLICY, apply, pushed

FRESH = "f" * 32


@pytest.fixture
def queue() -> TaskQueue:
    return TaskQueue(key_ttl=100.0)


def die(queue: TaskQueue, id: str, terms: Terms = PLAIN) -> Task:
    """A task that is dead a second later."""
    apply(queue, [Pushed(id, NOW, NOW, b"spec", terms)])
    apply(queue, [Leased(id, NOW, 1), Died(id, NOW + 1, 1, 503, b"no", "status")])
    return queue.dead[id]


def revive(queue: TaskQueue, task: Task, now: float = NOW + 2) -> list[Event]:
    events = retry(queue, task, FRESH, now, POLICY)
    apply(queue, events)
    assert queue.difference() == 0
    return events


def test_a_dead_letter_waits_as_if_it_had_never_been_tried(queue: TaskQueue) -> None:
    task = die(queue, "a")
    accepted = queue.counts.accepted
    assert revive(queue, find_dead(queue, "a")) == [Revived("a", NOW + 2, NOW + 2)]
    assert queue.tasks["a"] is task
    assert (task.state, task.attempts, task.eta) == (State.WAITING, 0, NOW + 2)
    assert [one.status for one in task.past] == [503]
    assert (queue.counts.accepted, queue.counts.dead, len(queue.dead)) == (
        accepted,
        0,
        0,
    )
    assert queue.turns.next(NOW + 2, 8) is task


def test_what_is_not_dead_does_not_come_back(queue: TaskQueue) -> None:
    pushed(queue, "a")
    with pytest.raises(Conflict, match="not dead: it waits"):
        find_dead(queue, "a")
    with pytest.raises(NotFound):
        find_dead(queue, "b")
    with pytest.raises(IllegalEvent):
        queue.apply(Revived("a", NOW, NOW))


def test_a_late_outcome_does_not_touch_what_came_back(queue: TaskQueue) -> None:
    revive(queue, die(queue, "a"))
    for late in (Succeeded("a", NOW + 3, 1, 200), Died("a", NOW + 3, 1, 500, b"")):
        with pytest.raises(IllegalEvent):
            queue.apply(late)
    assert queue.tasks["a"].state is State.WAITING


def test_its_key_is_known_again(queue: TaskQueue) -> None:
    terms = Terms(key="k")
    # So long after its death that the key was known no more.
    for now in (NOW + 2, NOW + 500):
        task = die(queue, f"t{now}", terms)
        revive(queue, task, now)
        assert queue.keys.known("k", now + 1000) == task.id
        apply(queue, [Leased(task.id, now, 1), Succeeded(task.id, now, 1, 200)])
        queue.keys.let_go("k", task.id)


def test_unless_somebody_else_has_it_now(queue: TaskQueue) -> None:
    task = die(queue, "a", Terms(3, "k"))
    later = NOW + 500
    apply(queue, [Pushed("b", later, later, b"spec", Terms(key="k"))])
    revive(queue, task, later)
    assert queue.keys.known("k", later) == "b"
    assert task.terms == Terms(3)


def test_it_joins_its_group_at_the_end(queue: TaskQueue) -> None:
    terms = Terms(special=Special(group="g"))
    task = die(queue, "a", terms)
    apply(queue, [Pushed("b", NOW, NOW, b"spec", terms)])
    revive(queue, task)
    assert [*queue.turns.groups.members("g")] == [queue.tasks["b"], task]
    assert [*queue.tasks] == ["b", "a"]
    with pytest.raises(Conflict, match="Task b of its group comes first"):
        find_runnable(queue, "a", NOW + 2)


def test_nobody_wants_what_has_expired(queue: TaskQueue) -> None:
    task = die(queue, "a", Terms(special=Special(expires=NOW + 60)))
    with pytest.raises(Conflict, match="expired"):
        retry(queue, task, FRESH, NOW + 60, POLICY)
    assert retry(queue, task, FRESH, NOW + 59, POLICY)


def test_its_queue_may_be_gone(queue: TaskQueue) -> None:
    apply(queue, [QueueSet("mail", NOW, None, {"paused": False})])
    task = die(queue, "a", Terms(queue="mail"))
    apply(queue, [QueueDropped("mail", NOW + 1)])
    with pytest.raises(Conflict, match="There is no queue mail any more"):
        retry(queue, task, FRESH, NOW + 2, POLICY)
    makes = POLICY._replace(auto_create_queues=True)
    apply(queue, retry(queue, task, FRESH, NOW + 2, makes))
    assert queue.turns.knows("mail")
    assert queue.turns.queues["mail"].waiting == 1


def test_the_run_of_a_schedule_comes_back_as_a_task_of_its_own(
    queue: TaskQueue,
) -> None:
    special = Special(name="nightly", timezone="UTC", missed="all", timeout=5.0)
    terms = Terms(2, origin="http://h:80", special=special)
    apply(queue, [Scheduled("s", NOW, "@hourly", b"spec", terms)])
    apply(queue, [Recurred("s", NOW, NOW, NOW), Leased("s", NOW, 1)])
    apply(queue, [Died("s", NOW + 1, 1, 500, b"")])
    apply(queue, [Recurred("s", NOW + 1, NOW + 3600, NOW + 3600)])
    events = revive(queue, find_dead(queue, "s"))
    assert [type(event) for event in events] == [Pushed, Forgotten]
    task = queue.tasks[FRESH]
    assert task.schedule == ""
    assert task.terms == terms._replace(special=Special(timeout=5.0))
    assert queue.tasks["s"].eta == NOW + 3600
    assert not queue.dead


def test_memory_that_is_full_does_not_keep_it(queue: TaskQueue) -> None:
    task = die(queue, "a")
    events = retry(queue, task, FRESH, NOW + 2, POLICY)
    assert growth(events) == 1
    assert fullness_for(queue, Bounds(max_memory=1), events) is None
    assert fullness_for(queue, Bounds(max_tasks=0), events) is not None
    push = [Pushed("b", NOW, NOW, b"")]
    assert fullness_for(queue, Bounds(max_memory=1), push) is not None


def test_what_is_run_by_hand_asks_a_target_that_is_held(queue: TaskQueue) -> None:
    terms = Terms(origin="http://h:80")
    apply(queue, [Pushed(id, NOW, NOW, b"", terms) for id in ("a", "b", "c")])
    turns, origins = queue.turns, queue.turns.origins
    origin = origins["http://h:80"]
    origins.hold(origin, NOW, 600.0, unreached=True)
    turns.settle(origin)
    assert turns.next(NOW, 1000) is None
    task = find_runnable(queue, "b", NOW)
    apply(queue, [Leased("b", NOW, 1)])
    assert turns.next(NOW, 1000) is None
    apply(queue, [Succeeded("b", NOW + 0.1, 1, 200)])
    # What the supervisor makes of every answer.
    origins.answer(origin, NOW + 0.1)
    turns.settle(origin)
    assert not origin.is_held
    assert turns.next(NOW + 0.1, 1000) is queue.tasks["a"]
    assert task.state is State.SUCCEEDED


def test_what_may_not_be_run_whoever_wants_it(queue: TaskQueue) -> None:
    pushed(queue, "held", "done", "late", "later")
    special = Special(expires=NOW + 60)
    apply(queue, [Pushed("unwanted", NOW, NOW + 90, b"", Terms(special=special))])
    apply(queue, [Leased("held", NOW, 1), Leased("done", NOW, 1)])
    apply(queue, [Succeeded("done", NOW, 1, 200), Expired("late", NOW)])
    apply(queue, [Scheduled("s", NOW, "@hourly", b""), Recurred("s", NOW, NOW, NOW)])
    die(queue, "dead")
    for id, sentence in {
        "held": "under way",
        "done": "has succeeded already",
        "late": "has expired already",
        "dead": "`retry` brings it back",
        "s": "run of a schedule",
        "unwanted": "expired",
    }.items():
        with pytest.raises(Conflict, match=sentence):
            find_runnable(queue, id, NOW + 60)
    with pytest.raises(NotFound):
        find_runnable(queue, "nobody", NOW)
    assert find_runnable(queue, "later", NOW - 50).id == "later"
