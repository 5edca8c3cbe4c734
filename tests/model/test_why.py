"""Why a task is not running, as the queue is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from poussetaches.model import decisions, endings
from poussetaches.model.caps import Caps
from poussetaches.model.endings import Outcome
from poussetaches.model.events import (
    Leased,
    Paused,
    Pushed,
    QueueSet,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, Submission, Terms
from poussetaches.model.why import MOST_LANES, Service, Why, in_words, why
from tests.support.queues import FAILURE, NOW, OK, POLICY, apply

ORIGIN = "http://127.0.0.1:8000"
IDLE = Service(16, 16)
MAIL = Terms(origin=ORIGIN, queue="mail")


@pytest.fixture
def queue() -> TaskQueue:
    queue = TaskQueue()
    apply(queue, [QueueSet("mail", NOW, None, {"paused": False})])
    return queue


def push(queue: TaskQueue, *ids: str, eta: float = NOW, terms: Terms = MAIL) -> None:
    apply(queue, [Pushed(id, NOW, eta, b"spec", terms) for id in ids])


def ask(queue: TaskQueue, id: str, now: float = NOW, service: Service = IDLE) -> Why:
    return why(queue, queue.tasks[id], now, service)


def codes(found: Why) -> list[str]:
    return [reason.code for reason in found.reasons]


def sentence(found: Why) -> str:
    return found.reasons[0].sentence


def set_mail(queue: TaskQueue, **settings: Any) -> None:
    apply(queue, [QueueSet("mail", NOW, None, settings)])


def attempt(queue: TaskQueue, id: str, outcome: Outcome, now: float = NOW) -> None:
    task = queue.tasks[id]
    apply(queue, [Leased(id, now, task.attempts + 1)])
    apply(queue, endings.conclude(queue, task, outcome, now, 0.5, POLICY))


def test_what_nothing_keeps_is_next(queue: TaskQueue) -> None:
    push(queue, "a", "b")
    assert codes(ask(queue, "a")) == ["next"]
    assert ask(queue, "a").expected == NOW
    found = ask(queue, "b")
    assert codes(found) == ["behind"]
    assert sentence(found) == "1 task of queue mail is before it."
    # There are slots for both.
    assert found.expected == NOW


def test_what_is_paused_waits_for_somebody(queue: TaskQueue) -> None:
    push(queue, "a")
    set_mail(queue, paused=True)
    found = ask(queue, "a")
    assert (codes(found), found.expected) == (["queue_paused"], None)
    assert sentence(found) == "Queue mail is paused."
    apply(queue, [Paused(NOW)])
    gone = Service(0, 0, is_stopping=True, is_full=True)
    assert codes(ask(queue, "a", service=gone)) == [
        "stopping",
        "paused",
        "queue_paused",
        "no_worker",
        "disk_full",
    ]


def test_its_own_time(queue: TaskQueue) -> None:
    push(queue, "a", eta=NOW + 130)
    found = ask(queue, "a", service=Service(4, 0))
    assert (codes(found), found.expected) == (["not_due"], NOW + 130)
    assert sentence(found) == "It is due in 2 m 10 s."
    assert found.reasons[0].numbers == {"seconds": 130}


def test_after_a_failure_the_backoff(queue: TaskQueue) -> None:
    push(queue, "a")
    attempt(queue, "a", FAILURE)
    found = ask(queue, "a")
    assert (codes(found), found.expected) == (["backoff"], NOW + 10)
    assert sentence(found) == "Attempt 1 failed (500); the next one is in 10 s."
    attempt(queue, "a", Outcome(False, -1, b"slow", kind="timeout"), NOW + 10)
    found = ask(queue, "a", NOW + 10)
    assert sentence(found) == "Attempt 2 failed (timeout); the next one is in 1 m 40 s."
    attempt(queue, "a", Outcome(False, 202, b"", snooze=5.0), NOW + 110)
    found = ask(queue, "a", NOW + 110)
    assert sentence(found) == (
        "The last attempt does not count (202); the next one is in 5.0 s."
    )


def test_the_rate_and_those_before_it(queue: TaskQueue) -> None:
    set_mail(queue, rate=(30.0, "m"))
    push(queue, "a", "b", "c")
    apply(queue, [Leased("a", NOW, 1)])
    found = ask(queue, "c", NOW + 1)
    assert codes(found) == ["rate", "behind"]
    assert sentence(found) == (
        "The rate limit of queue mail (30/m) has its next free turn in 1.0 s."
    )
    assert found.expected == NOW + 4
    # It does not move as fast as it may.
    slow = Service(16, 15, pace=0.1)
    assert ask(queue, "c", NOW + 1, slow).expected == NOW + 12


def test_the_concurrency_of_its_queue(queue: TaskQueue) -> None:
    set_mail(queue, concurrency=1)
    push(queue, "a", "b")
    apply(queue, [Leased("a", NOW, 1)])
    found = ask(queue, "b")
    assert (codes(found), found.expected) == (["queue_concurrency"], None)
    assert sentence(found) == "Queue mail has 1 of at most 1 attempts in flight."
    assert ask(queue, "b", service=Service(16, 15, pace=2.0)).expected == NOW + 0.5


def test_slots_that_are_taken_or_shared(queue: TaskQueue) -> None:
    push(queue, "a", "b")
    found = ask(queue, "b", service=Service(32, 0, pace=4.0))
    assert codes(found) == ["busy", "behind"]
    assert sentence(found) == "All 32 slots of the workers are taken."
    assert found.expected == NOW + 0.5
    apply(queue, [Leased("a", NOW, 1)])
    found = ask(queue, "b", service=Service(8, 7))
    assert codes(found) == ["share"]
    assert sentence(found) == (
        "Its target has its share of the slots: 1 are in flight to it, and the 7 of 8"
        " that are free are for others."
    )


def test_the_head_of_its_group(queue: TaskQueue) -> None:
    terms = MAIL._replace(special=Special(group="g"))
    push(queue, "a", "b", "c", terms=terms)
    found = ask(queue, "b")
    assert codes(found) == ["group"]
    assert sentence(found) == "Task a of its group is before it: attempt 1 waits."
    attempt(queue, "a", FAILURE)
    found = ask(queue, "c")
    assert sentence(found) == (
        "Task a and 1 other task of its group are before it: attempt 2 in 10 s."
    )
    assert found.reasons[0].numbers == {
        "group": "g",
        "task": "a",
        "before": 2,
        "attempt": 2,
    }
    # Not before that, at least.
    assert found.expected == NOW + 10
    apply(queue, [Leased("a", NOW + 10, 2)])
    found = ask(queue, "c", NOW + 10)
    assert "attempt 2 is under way" in sentence(found)
    assert found.expected is None


def test_a_target_that_is_held(queue: TaskQueue) -> None:
    push(queue, "a", "b")
    origin = queue.turns.origins[ORIGIN]
    queue.turns.origins.hold(origin, NOW, 600.0, unreached=True)
    queue.turns.settle(origin)
    found = ask(queue, "b", NOW + 0.1)
    assert codes(found) == ["origin_held", "behind"]
    assert sentence(found) == f"{ORIGIN} is away; asked again in 0.4 s."
    assert queue.turns.next(NOW + 0.5, 16) is queue.tasks["a"]
    apply(queue, [Leased("a", NOW + 0.5, 1)])
    found = ask(queue, "b", NOW + 0.5)
    assert codes(found) == ["origin_held"]
    assert sentence(found) == f"{ORIGIN} is away; 1 attempt at once must do for now."


def test_a_target_that_has_enough(queue: TaskQueue) -> None:
    push(queue, "a")
    origin = queue.turns.origins[ORIGIN]
    queue.turns.origins.slow(origin, NOW, 130.0)
    queue.turns.settle(origin)
    found = ask(queue, "a")
    assert (codes(found), found.expected) == (["origin_slowed"], NOW + 130)
    assert sentence(found) == f"{ORIGIN} has enough; asked again in 2 m 10 s."


def test_the_limit_of_its_target() -> None:
    queue = TaskQueue(caps=Caps(1, {}))
    push(queue, "a", "b")
    apply(queue, [Leased("a", NOW, 1)])
    found = ask(queue, "b")
    assert codes(found) == ["origin_limit"]
    assert sentence(found) == (
        f"{ORIGIN} is to have 1 attempts at once at most, and 1 are in flight."
    )


def test_what_does_not_wait(queue: TaskQueue) -> None:
    push(queue, "a", "b")
    apply(queue, [Leased("a", NOW, 1)])
    held = ask(queue, "a", NOW + 41)
    assert sentence(held) == "Attempt 1 has been under way for 41 s."
    assert held.reasons[0].numbers == {"attempt": 1, "seconds": 41.0}
    attempt(queue, "b", OK)
    found = why(queue, queue.succeeded["b"], NOW, IDLE)
    assert (codes(found), found.expected) == (["ended"], None)
    assert sentence(found) == "The task has succeeded."


def test_so_many_lanes_are_counted_and_no_more(queue: TaskQueue) -> None:
    for number in range(MOST_LANES + 5):
        push(queue, f"t{number}", terms=MAIL._replace(origin=f"http://h{number}:80"))
    last = ask(queue, f"t{MOST_LANES + 4}")
    assert (
        sentence(last) == f"More than {MOST_LANES} tasks of queue mail are before it."
    )
    assert last.expected is None
    near = ask(queue, f"t{MOST_LANES - 1}")
    assert sentence(near) == f"{MOST_LANES - 1} tasks of queue mail are before it."


def test_it_is_cheap_with_many_tasks(queue: TaskQueue) -> None:
    asked = [
        Submission(
            f"t{number}", b"spec", terms=Terms(origin=f"http://h{number % 50}:80")
        )
        for number in range(20_000)
    ]
    apply(queue, decisions.push_all(queue, asked, NOW, POLICY).events)
    began = time.perf_counter()
    found = ask(queue, "t19999")
    assert time.perf_counter() - began < 0.1
    assert found.reasons[0].numbers["before"] == 19_999


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.1 s"),
        (2.13, "2.1 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m 0 s"),
        (130.0, "2 m 10 s"),
        (11_100.0, "3 h 5 m"),
        (200_000.0, "2 d 7 h"),
    ],
)
def test_how_long_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
