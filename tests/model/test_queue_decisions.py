"""Queues made, changed, dropped and purged: what is decided, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import Conflict, InvalidInput, NotFound
from poussetaches.model import queue_decisions
from poussetaches.model.backoff import Growth
from poussetaches.model.decisions import push, push_all
from poussetaches.model.events import Cancelled, Pushed, QueueDropped, QueueSet
from poussetaches.model.limiter import Rate
from poussetaches.model.named_queue import Queue
from poussetaches.model.queue import TaskQueue
from poussetaches.model.queue_decisions import (
    MOST_QUEUES,
    abandoned,
    configure,
    drop,
    drop_abandoned,
    purge,
    set_queue,
)
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import Submission, Terms
from tests.support.queues import NOW, POLICY, apply, leased

MAIL = QueueSettings(concurrency=4, rate=Rate(20.0, "m"), headers=(("X-A", "7"),))


def queue_with(**configured: QueueSettings) -> TaskQueue:
    queue = TaskQueue()
    apply(queue, configure(queue, configured, NOW))
    return queue


def said(queue: TaskQueue, name: str, **changes: Any) -> Queue:
    apply(queue, set_queue(queue, name, changes, NOW))
    return queue.turns.queues[name]


def pushed(queue: TaskQueue, id: str, name: str, schedule: str = "") -> None:
    terms = Terms(queue=name)
    submission = Submission(id, b"spec", schedule=schedule, terms=terms)
    apply(queue, push(queue, submission, NOW, POLICY))


# --- what the configuration says ------------------------------------------------------


def test_a_section_makes_a_queue_and_the_same_one_again_nothing() -> None:
    queue = queue_with(mail=MAIL)
    assert queue.turns.queues["mail"].settings == MAIL
    assert configure(queue, {"mail": MAIL}, NOW) == []


def test_a_section_that_differs_changes_the_queue_under_what_was_said() -> None:
    queue = queue_with(mail=MAIL)
    said(queue, "mail", concurrency=1)
    apply(queue, configure(queue, {"mail": QueueSettings(concurrency=9)}, NOW))
    assert queue.turns.queues["mail"].settings == QueueSettings(concurrency=1)
    assert said(queue, "mail", concurrency=None).settings.concurrency == 9


def test_of_a_queue_that_was_only_made_a_section_may_say_that_it_is_paused() -> None:
    """By hand it was said that there is one, and no more."""
    queue = TaskQueue()
    said(queue, "mail")
    apply(queue, configure(queue, {"mail": QueueSettings(paused=True)}, NOW))
    assert queue.turns.queues["mail"].settings.paused


def test_an_empty_queue_goes_with_its_section() -> None:
    queue = queue_with(mail=MAIL)
    assert configure(queue, {}, NOW) == [QueueDropped("mail", NOW)]


def test_one_with_tasks_keeps_its_limits_until_they_have_ended() -> None:
    """Or deleting a section would let loose what it held back."""
    queue = queue_with(mail=MAIL)
    pushed(queue, "a", "mail")
    assert configure(queue, {}, NOW) == []
    assert abandoned(queue, {}) == ["mail"]
    assert abandoned(queue, {"mail": MAIL}) == []
    assert drop_abandoned(queue, "mail", NOW) == []
    leased(queue)
    assert drop_abandoned(queue, "mail", NOW) == []
    apply(queue, [Cancelled("a", NOW)])
    apply(queue, drop_abandoned(queue, "mail", NOW))
    assert "mail" not in queue.turns.queues
    assert drop_abandoned(queue, "mail", NOW) == []


def test_one_that_was_changed_by_hand_stays_as_it_is() -> None:
    queue = queue_with(mail=MAIL)
    said(queue, "mail", paused=True)
    apply(queue, configure(queue, {}, NOW))
    one = queue.turns.queues["mail"]
    assert one.configured is None
    assert (one.settings.concurrency, one.settings.paused) == (4, True)
    assert abandoned(queue, {}) == []
    assert configure(queue, {}, NOW) == []
    apply(queue, drop(queue, "mail", NOW))


def test_one_that_is_changed_by_hand_after_its_section_went_stays_too() -> None:
    queue = queue_with(mail=MAIL)
    pushed(queue, "a", "mail")
    apply(queue, configure(queue, {}, NOW))
    events = set_queue(queue, "mail", {"paused": True}, NOW, is_abandoned=True)
    apply(queue, [*events, Cancelled("a", NOW)])
    one = queue.turns.queues["mail"]
    assert one.configured is None
    assert (one.settings.concurrency, one.settings.paused) == (4, True)
    assert abandoned(queue, {}) == []


def test_the_default_queue_loses_its_section_and_stays() -> None:
    queue = queue_with(default=MAIL)
    said(queue, "default", burst=3)
    pushed(queue, "a", "default")
    apply(queue, configure(queue, {}, NOW))
    assert queue.turns.queues["default"].settings == QueueSettings(burst=3)
    assert abandoned(queue, {}) == []


def test_more_sections_than_there_may_be_queues_change_nothing() -> None:
    many = {f"q{n}": QueueSettings() for n in range(MOST_QUEUES)}
    with pytest.raises(InvalidInput, match="at most 1000 queues"):
        configure(TaskQueue(), many, NOW)


# --- what people say ------------------------------------------------------------------


def test_a_queue_of_which_nothing_is_said_exists() -> None:
    queue = TaskQueue()
    assert said(queue, "mail").settings == QueueSettings()
    pushed(queue, "a", "mail")
    assert set_queue(queue, "mail", {}, NOW) == []


def test_a_queue_stays_when_all_that_was_said_is_taken_back() -> None:
    queue = TaskQueue()
    said(queue, "mail", burst=3)
    assert said(queue, "mail", burst=None).settings == QueueSettings()
    pushed(queue, "a", "mail")


def test_what_is_said_wins_and_null_takes_it_back() -> None:
    queue = queue_with(mail=MAIL)
    one = said(queue, "mail", concurrency="unlimited", rate="5/h", max_doublings=3)
    assert one.settings.concurrency is None
    assert one.settings.rate == Rate(5.0, "h")
    assert one.settings.backoff == Growth(0.0, None, 3)
    assert one.configured == MAIL.to_wire()
    taken_back = {"concurrency": None, "rate": None, "max_doublings": None}
    one = said(queue, "mail", **taken_back)
    assert one.settings == MAIL
    assert one.changed == {}


def test_the_same_said_again_is_no_event() -> None:
    """Also where the first was read from disk, as lists where there were tuples."""
    queue = TaskQueue()
    changes = {"rate": "5/h", "headers": {"X-A": "7"}, "max_doublings": 3}
    [event] = set_queue(queue, "mail", changes, NOW)
    assert isinstance(event, QueueSet)
    as_tuples = {**event.changed, "headers": (("X-A", "7"),), "rate": (5.0, "h")}
    queue.apply(event._replace(changed=as_tuples))
    assert set_queue(queue, "mail", changes, NOW) == []


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("a b", {}, "is no name of a queue"),
        ("mail", {"burst": 0}, "burst: 0 is not from 1 to"),
        ("mail", {"bursts": None}, "bursts: is not a setting of a queue"),
        ("mail", {"headers": {"Host": "a"}}, "headers: it cannot be sent"),
    ],
)
def test_what_cannot_be_is_refused(
    name: str, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        set_queue(TaskQueue(), name, changes, NOW)


def test_there_is_an_end_to_making_queues() -> None:
    queue = queue_with(**{f"q{n}": QueueSettings() for n in range(MOST_QUEUES - 1)})
    with pytest.raises(InvalidInput, match="at most 1000 queues"):
        set_queue(queue, "mail", {}, NOW)
    said(queue, "q1", burst=2)


@pytest.mark.parametrize("name", ["mail", "default"])
def test_a_queue_that_is_needed_is_not_dropped(name: str) -> None:
    queue = queue_with(mail=MAIL)
    with pytest.raises(Conflict, match=r"stands in the conf|cannot be dropped"):
        drop(queue, name, NOW)


def test_a_queue_with_tasks_is_not_dropped() -> None:
    queue = TaskQueue()
    said(queue, "mail")
    pushed(queue, "a", "mail")
    with pytest.raises(Conflict, match="1 tasks wait in mail and 0 are in flight"):
        drop(queue, "mail", NOW)
    leased(queue)
    with pytest.raises(Conflict, match="0 tasks wait in mail and 1 are in flight"):
        drop(queue, "mail", NOW)


@pytest.mark.parametrize("decide", [drop, queue_decisions.find])
def test_a_queue_that_is_not_there_is_not_found(decide: Any) -> None:
    arguments = (NOW,) if decide is drop else ()
    with pytest.raises(NotFound, match="there is no queue 'mial'"):
        decide(TaskQueue(), "mial", *arguments)


@given(
    tasks=st.lists(st.tuples(st.sampled_from(["mail", "default"]), st.booleans())),
    begun=st.integers(0, 3),
    most=st.integers(1, 5),
)
def test_a_purge_cancels_what_waits_in_its_queue_and_nothing_else(
    tasks: list[tuple[str, bool]], begun: int, most: int
) -> None:
    queue = queue_with(mail=QueueSettings())
    for number, (name, recurs) in enumerate(tasks):
        pushed(queue, f"t{number}", name, "@hourly" if recurs else "")
    plain = [name for name, recurs in tasks if not recurs]
    for _ in range(min(begun, len(plain))):
        leased(queue)
    before = {
        id
        for id, task in queue.tasks.items()
        if task.terms.queue == "mail" and id not in queue.leased and not task.schedule
    }
    others = set(queue.tasks) - before
    cancelled: set[str] = set()
    while events := purge(queue, "mail", NOW, most):
        assert len(events) <= most
        cancelled |= {event.id for event in events if isinstance(event, Cancelled)}
        apply(queue, events)
    assert cancelled == before
    assert set(queue.tasks) == others
    assert queue.difference() == 0


def test_one_of_many_pushes_to_an_unknown_queue_is_named() -> None:
    """Nobody looks through ten thousand pushes for a misspelt one."""
    names = ("default", "mial")
    pushes = [
        Submission(f"t{n}", b"", terms=Terms(queue=name))
        for n, name in enumerate(names)
    ]
    with pytest.raises(InvalidInput, match=r"Element 1: queue: .*'mial'") as caught:
        push_all(TaskQueue(), pushes, NOW, POLICY)
    assert caught.value.field == "[1].queue"
    with pytest.raises(InvalidInput, match=r"^queue: there is no queue 'mial'") as one:
        push_all(TaskQueue(), pushes[1:], NOW, POLICY)
    assert one.value.field == "queue"


def test_pushes_make_no_more_queues_than_there_may_be() -> None:
    queue = queue_with(**{f"q{n}": QueueSettings() for n in range(MOST_QUEUES - 2)})
    policy = POLICY._replace(auto_create_queues=True)
    pushes = [
        Submission(f"t{n}", b"", terms=Terms(None, "", "", f"new{n}")) for n in range(2)
    ]
    made = push_all(queue, pushes[:1], NOW, policy).events
    assert [type(event) for event in made] == [QueueSet, Pushed]
    with pytest.raises(InvalidInput, match="at most 1000 queues"):
        push_all(queue, pushes, NOW, policy)
