"""Pages of the queue's lists."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.channel.messages import metadata_of, seal, unseal, url_of
from poussetaches.errors import InvalidInput
from poussetaches.model import (
    decisions,
    endings,
    listing,
    queue_decisions,
    recurrence,
)
from poussetaches.model.events import Cancelled, Leased, Moved, Paused
from poussetaches.model.filter import ALL, Filter
from poussetaches.model.groups import group_of
from poussetaches.model.line import Position
from poussetaches.model.listing import count, oldest_due, tasks, total
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Spec, Special, Submission, Task, Terms
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

LIVE = ("waiting", "leased")
LISTS = (
    ("waiting", "leased"),
    ("waiting",),
    ("leased",),
    ("succeeded",),
    ("dead",),
    ("runs",),
    ("waiting", "dead", "succeeded"),
)

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
    apply(queue, queue_decisions.set_queue(queue, "mail", {}, NOW))
    for number, deed in enumerate(deeds):
        befall(queue, number, deed)
    return queue


def befall(queue: TaskQueue, number: int, deed: tuple[str, int, float]) -> None:
    what, pick, seconds = deed
    living = [*queue.tasks.values()]
    waiting = [
        # One of its group may not be begun while another one is.
        task
        for task in queue.turns.beyond(None, len(living))
        if not group_of(task.terms) or what != "lease"
    ]
    flying = [*queue.leased.values()]
    if what == "push":
        origin = f"http://{pick % 4}:80"
        spec = seal(Spec(f"{origin}/{'task' if pick % 3 else 'x'}"))
        special = None if pick % 7 else Special(group="g")
        terms = Terms(0, "", origin, "mail" if pick % 5 else "default", special)
        submission = Submission(f"t{number}", spec, seconds, terms=terms)
        apply(queue, decisions.push(queue, submission, NOW, POLICY))
    elif what == "lease" and waiting:
        task = waiting[pick % len(waiting)]
        queue.apply(Leased(task.id, NOW, task.attempts + 1))
    elif what in ("end", "fail") and flying:
        outcome = OK if what == "end" else FAILURE
        task = flying[pick % len(flying)]
        apply(queue, endings.conclude(queue, task, outcome, NOW, 0.5, POLICY))
    elif what == "cancel" and living:
        queue.apply(Cancelled(living[pick % len(living)].id, NOW))
    elif what == "move" and waiting:
        task = waiting[pick % len(waiting)]
        queue.apply(Moved(task.id, NOW, NOW + seconds))


def position(task: Task) -> Position:
    return (task.eta, task.order)


def whole(queue: TaskQueue, lists: Sequence[str]) -> list[Task]:
    """What the lists have, all of it."""
    runs = [queue.tasks[id] for id in queue.schedules if id in queue.tasks]
    everything = [
        *queue.tasks.values(),
        *queue.succeeded.values(),
        *queue.dead.values(),
    ]
    found = [task for task in everything if task.state.value in lists]
    return sorted(found + (runs if "runs" in lists else []), key=position)


def walk(
    queue: TaskQueue, lists: Sequence[str], limit: int, filter: Filter = ALL
) -> list[Task]:
    """The same, slice by slice."""
    seen: list[Task] = []
    after: Position | None = None
    fits = None if filter.is_wide else filter.test(url_of, metadata_of)
    while True:
        some = tasks(queue, lists, limit=limit, after=after, filter=filter, fits=fits)
        seen += some.tasks
        after = some.cursor
        if after is None:
            return seen


@given(deeds=DEEDS, lists=st.sampled_from(LISTS))
def test_a_page_is_a_slice_of_the_whole(
    deeds: list[tuple[str, int, float]], lists: Sequence[str]
) -> None:
    """For every limit and from every position, also one where nothing stands."""
    queue = some_queue(deeds)
    everything = whole(queue, lists)
    positions = [position(task) for task in everything]
    after_each: list[Position | None] = [None, (NOW - 9.0, 0), (NOW + 0.5, 7)]
    before = state(queue)
    for after in after_each + positions:
        rest = [t for t in everything if after is None or position(t) > after]
        for limit in range(1, len(rest) + 2):
            found = tasks(queue, lists, limit=limit, after=after)
            assert found.tasks == rest[:limit]
            more = position(rest[limit - 1]) if limit < len(rest) else None
            assert found.cursor == more
    assert total(queue, lists, ALL) == len(everything)
    assert state(queue) == before


@given(deeds=DEEDS, limit=st.integers(1, 7), lists=st.sampled_from(LISTS))
def test_page_after_page_shows_every_task_once(
    deeds: list[tuple[str, int, float]], limit: int, lists: Sequence[str]
) -> None:
    queue = some_queue(deeds)
    assert walk(queue, lists, limit) == whole(queue, lists)


FILTERS = st.builds(
    Filter,
    queue=st.sampled_from([None, None, "default", "mail", "nobody's"]),
    origin=st.sampled_from([None, None, "http://1:80", "http://9:80"]),
    url=st.sampled_from([b"", b"http://1:80/", b"http://1:80/t", b"http"]),
    statuses=st.sampled_from([(), ((500, 599),), ((0, 0), (-1, -1))]),
    cause=st.none(),
    text=st.sampled_from([b"", b"", b":80/t", b"no"]),
)


@given(
    deeds=DEEDS,
    filter=FILTERS,
    lists=st.sampled_from(LISTS),
    limit=st.integers(1, 7),
    size=st.integers(1, 20),
)
def test_a_filtered_list_is_the_list_of_all_filtered(
    deeds: list[tuple[str, int, float]],
    filter: Filter,
    lists: Sequence[str],
    limit: int,
    size: int,
) -> None:
    """However few are looked at in a slice; and as many are counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "SLICE_TASKS", size)
        queue = some_queue(deeds)
        expected = [task for task in whole(queue, lists) if fits_plainly(task, filter)]
        assert walk(queue, lists, limit, filter) == expected
        after, counted = None, 0
        while True:
            some = count(
                queue,
                lists,
                after=after,
                filter=filter,
                fits=filter.test(url_of, metadata_of),
            )
            counted += some.number
            after = some.cursor
            if after is None:
                break
        assert counted == len(expected)
        assert total(queue, lists, filter) in (None, len(expected))


@pytest.mark.parametrize(
    ("begins", "found"),
    [
        ("http://ada:s", 0),
        ("http://ada:secret@a/", 0),
        ("http://a", 0),
        ("http://***@a/t", 1),
        ("http://*", 1),
        ("http://b/?to=x@", 1),
    ],
)
def test_a_url_is_found_as_it_is_shown_and_so_gives_no_password_away(
    begins: str, found: int
) -> None:
    queue = TaskQueue()
    for id, url in (("1", "http://ada:secret@a/t"), ("2", "http://b/?to=x@y")):
        asked = Submission(id, seal(Spec(url)), 0.0)
        apply(queue, decisions.push(queue, asked, NOW, POLICY))
    filter = Filter(url=begins.encode())
    assert len(walk(queue, ("waiting",), 5, filter)) == found


def fits_plainly(task: Task, filter: Filter) -> bool:
    return (
        filter.queue in (None, task.terms.queue)
        and filter.origin in (None, task.terms.origin)
        and unseal(task.spec).url.encode().startswith(filter.url)
        and any(
            filter.text in one
            for one in (unseal(task.spec).url.encode(), task.error or b"")
        )
        and (
            not filter.statuses
            or any(task.error_status in range(a, b + 1) for a, b in filter.statuses)
        )
    )


@given(before=DEEDS, meanwhile=DEEDS, limit=st.integers(1, 5))
def test_what_stays_is_seen_once_while_the_queue_changes(
    before: list[tuple[str, int, float]],
    meanwhile: list[tuple[str, int, float]],
    limit: int,
) -> None:
    """Whatever waits for the same moment all the time, begun or not, or has ended since
    then, whatever happens to others between the slices."""
    everywhere = ("waiting", "leased", "succeeded", "dead")
    queue = some_queue(before)
    at_first = {task.id: position(task) for task in whole(queue, everywhere)}
    seen: list[str] = []
    after: Position | None = None
    coming = iter(meanwhile)
    number = len(before)
    while True:
        some = tasks(queue, everywhere, limit=limit, after=after)
        seen += [task.id for task in some.tasks]
        after = some.cursor
        if after is None:
            break
        number += 1
        befall(queue, number, next(coming, ("push", 0, 0.0)))
        if number > len(before) + 200:
            break  # those that are pushed meanwhile are always behind
    if after is None:
        for task in whole(queue, everywhere):
            if at_first.get(task.id) == position(task):
                assert seen.count(task.id) == 1


def test_a_url_is_found_in_whatever_was_sealed() -> None:
    for length in (0, 1, 20, 31, 32, 33, 255, 256, 257, 65_535, 65_536, 70_000):
        url = "é" * (length // 2) + "x" * (length % 2)
        assert url_of(seal(Spec(url, b"payload"))) == url.encode()


def test_what_is_known_without_a_search() -> None:
    queue = TaskQueue()
    pushed(queue, "a", "b")
    leased(queue)
    assert total(queue, ("waiting", "leased"), Filter(queue="default")) == 2
    assert total(queue, ("waiting",), Filter(queue="default")) == 1
    assert total(queue, ("waiting",), Filter(queue="no")) == 0
    assert total(queue, ("dead",), Filter(queue="default")) is None
    assert total(queue, ("waiting",), Filter(origin="http://a:80")) is None
    assert total(queue, ("waiting", "waiting"), ALL) == 1


def test_the_waiting_list_has_what_is_in_flight_in_its_place() -> None:
    queue = TaskQueue()
    pushed(queue, "a", "b", "c")
    leased(queue)
    assert [t.id for t in tasks(queue, LIVE, limit=9, after=None).tasks] == [*"abc"]


def test_the_cron_list_has_the_next_runs_only() -> None:
    queue = TaskQueue()
    pushed(queue, "plain")
    run = scheduled(queue, "s")
    other = scheduled(queue, "r", "@every 5s")
    assert tasks(queue, ("runs",), limit=9, after=None) == ([other, run], None)


def test_a_dropped_schedule_whose_run_is_in_flight_is_not_in_the_cron_list() -> None:
    queue = TaskQueue()
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    apply(queue, recurrence.unschedule(queue, NOW))
    assert tasks(queue, ("runs",), limit=9, after=None) == ([], None)
    assert tasks(queue, LIVE, limit=9, after=None) == ([run], None)


def test_an_empty_list_is_one_empty_page() -> None:
    for lists in LISTS:
        assert tasks(TaskQueue(), lists, limit=9, after=None) == ([], None)
        assert total(TaskQueue(), lists, ALL) == 0


def test_there_is_no_other_list() -> None:
    with pytest.raises(InvalidInput, match="no list 'all'"):
        tasks(TaskQueue(), ("all",), limit=9, after=None)
    with pytest.raises(InvalidInput, match="no list 'all'"):
        total(TaskQueue(), ("all",), ALL)


@pytest.mark.parametrize("which", ["waiting", "dead"])
def test_a_page_ends_when_it_becomes_too_long(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the task that goes beyond, so that every page has one at least."""
    monkeypatch.setattr(listing, "SLICE_BYTES", 100)
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
        found = tasks(queue, (which,), limit=9, after=after)
        lengths.append(len(found.tasks))
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
