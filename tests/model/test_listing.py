"""Pages of the queue's lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model import decisions, endings, listing, recurrence
from poussetaches.model.events import Cancelled, Leased, Moved, Paused
from poussetaches.model.line import Position
from poussetaches.model.listing import oldest_due, page
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Submission, Task, Terms
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

LISTS = ("waiting", "success", "dead", "cron")

#: What befalls the tasks of a queue, in turn: (what, which task, some time).
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["push", "push", "lease", "end", "fail", "cancel", "move"]),
        st.integers(0, 50),
        # Few values: many tasks of the same eta.
        st.sampled_from([0.0, 0.0, 1.0, 2.0, -5.0, 60.0]),
    ),
    min_size=10,
    max_size=60,
)


def some_queue(deeds: list[tuple[str, int, float]]) -> TaskQueue:
    """A queue with tasks in every place, to several targets."""
    queue = TaskQueue()
    for number, (what, pick, seconds) in enumerate(deeds):
        tasks = [*queue.tasks.values()]
        waiting = [task for task in tasks if task.id not in queue.leased]
        flying = [*queue.leased.values()]
        if what == "push":
            origin = f"http://{pick % 4}:80"
            id = f"t{number}"
            submission = Submission(id, b"spec", seconds, terms=Terms(origin=origin))
            apply(queue, decisions.push(queue, submission, NOW, POLICY))
        elif what == "lease" and waiting:
            task = waiting[pick % len(waiting)]
            queue.apply(Leased(task.id, NOW, task.attempts + 1))
        elif what in ("end", "fail") and flying:
            outcome = OK if what == "end" else FAILURE
            task = flying[pick % len(flying)]
            apply(queue, endings.conclude(queue, task, outcome, NOW, 0.5, POLICY))
        elif what == "cancel" and tasks:
            queue.apply(Cancelled(tasks[pick % len(tasks)].id, NOW))
        elif what == "move" and waiting:
            task = waiting[pick % len(waiting)]
            queue.apply(Moved(task.id, NOW, NOW + seconds))
    return queue


def position(task: Task) -> Position:
    return (task.eta, task.order)


def whole(queue: TaskQueue, which: str) -> list[Task]:
    """What the list has, all of it."""
    tasks = {
        "waiting": queue.tasks,
        "success": queue.succeeded,
        "dead": queue.dead,
        "cron": {id: queue.tasks[id] for id in queue.schedules if id in queue.tasks},
    }[which]
    return sorted(tasks.values(), key=position)


@given(deeds=DEEDS, which=st.sampled_from(LISTS))
def test_a_page_is_a_slice_of_the_whole(
    deeds: list[tuple[str, int, float]], which: str
) -> None:
    """For every limit and from every position, also one where nothing stands."""
    queue = some_queue(deeds)
    tasks = whole(queue, which)
    positions = [position(task) for task in tasks]
    after_each: list[Position | None] = [None, (NOW - 9.0, 0), (NOW + 0.5, 7)]
    before = state(queue)
    for after in after_each + positions:
        rest = [t for t in tasks if after is None or position(t) > after]
        for limit in range(1, len(rest) + 2):
            found = page(queue, which, limit=limit, after=after)
            assert found.tasks == rest[:limit]
            assert found.total == len(tasks)
            more = position(rest[limit - 1]) if limit < len(rest) else None
            assert found.cursor == more
    assert state(queue) == before


@given(deeds=DEEDS, limit=st.integers(1, 7))
def test_page_after_page_shows_every_task_once(
    deeds: list[tuple[str, int, float]], limit: int
) -> None:
    queue = some_queue(deeds)
    seen: list[Task] = []
    after: Position | None = None
    while True:
        found = page(queue, "waiting", limit=limit, after=after)
        seen += found.tasks
        if found.cursor is None:
            break
        after = found.cursor
    assert seen == whole(queue, "waiting")


def test_the_waiting_list_has_what_is_in_flight_in_its_place() -> None:
    queue = TaskQueue()
    pushed(queue, "a", "b", "c")
    leased(queue)
    assert [t.id for t in page(queue, "waiting", limit=9, after=None).tasks] == [*"abc"]


def test_the_cron_list_has_the_next_runs_only() -> None:
    queue = TaskQueue()
    pushed(queue, "plain")
    run = scheduled(queue, "s")
    other = scheduled(queue, "r", "@every 5s")
    assert page(queue, "cron", limit=9, after=None) == ([other, run], 2, None)


def test_a_dropped_schedule_whose_run_is_in_flight_is_not_in_the_cron_list() -> None:
    queue = TaskQueue()
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    apply(queue, recurrence.unschedule(queue, NOW))
    assert page(queue, "cron", limit=9, after=None) == ([], 0, None)
    assert page(queue, "waiting", limit=9, after=None) == ([run], 1, None)


def test_an_empty_list_is_one_empty_page() -> None:
    for which in LISTS:
        assert page(TaskQueue(), which, limit=9, after=None) == ([], 0, None)


def test_there_is_no_other_list() -> None:
    with pytest.raises(InvalidInput, match="no list 'all'"):
        page(TaskQueue(), "all", limit=9, after=None)


@pytest.mark.parametrize("which", ["waiting", "dead"])
def test_a_page_ends_when_it_becomes_too_long(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the task that goes beyond, so that every page has one at least."""
    monkeypatch.setattr(listing, "PAGE_BYTES", 100)
    queue = TaskQueue()
    for number, size in enumerate([60, 40, 1, 500, 0, 99]):
        submission = Submission(f"t{number}", bytes(size), 0.0, "", Terms(0))
        apply(queue, decisions.push(queue, submission, NOW, POLICY))
    while which == "dead" and queue.tasks:
        task = leased(queue)
        outcome = FAILURE._replace(error=task.spec[: len(task.spec) // 2])
        task.spec = task.spec[len(task.spec) // 2 :]
        apply(queue, endings.conclude(queue, task, outcome, NOW, 0.5, POLICY))
    lengths = []
    after: Position | None = None
    while True:
        found = page(queue, which, limit=9, after=after)
        lengths.append(len(found.tasks))
        assert found.total == 6
        after = found.cursor
        if after is None:
            break
    assert lengths == [3, 1, 2]


def test_the_oldest_due_is_the_one_that_waits_longest() -> None:
    queue = TaskQueue()
    pushed(queue, "late", delay=60.0)
    assert oldest_due(queue, NOW) is None
    pushed(queue, "flying", delay=-9.0)
    leased(queue)
    assert oldest_due(queue, NOW) is None
    pushed(queue, "younger")
    assert oldest_due(queue, NOW) is queue.tasks["younger"]
    due = pushed(queue, "due", delay=-5.0)
    queue.apply(Paused(NOW))
    assert oldest_due(queue, NOW) is due
