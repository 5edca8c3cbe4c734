"""How much the queue may hold, and which dead letters it lets go."""

from __future__ import annotations

import math

import pytest

from poussetaches.errors import IllegalEvent
from poussetaches.model import decisions, endings
from poussetaches.model.bounds import (
    FORGOTTEN_AT_ONCE,
    UNBOUNDED,
    Bounds,
    forget,
    forget_at,
    fullness,
)
from poussetaches.model.events import Forgotten
from poussetaches.model.queue import TaskQueue
from poussetaches.model.size import TASK_SIZE, size_of_attempt
from poussetaches.model.task import Submission, Terms
from tests.support.queues import FAILURE, NOW, POLICY, apply, leased, pushed, scheduled


def die(queue: TaskQueue, *ids: str, at: float = NOW) -> None:
    for id in ids:
        submission = Submission(id, b"spec", terms=Terms(max_retries=0))
        apply(queue, decisions.push(queue, submission, at, POLICY))
        task = leased(queue, at)
        apply(queue, endings.conclude(queue, task, FAILURE, at, 0.5, POLICY))


def forgotten(queue: TaskQueue, bounds: Bounds, now: float) -> list[str]:
    events = forget(queue, bounds, now)
    apply(queue, events)
    return [event.id for event in events if isinstance(event, Forgotten)]


def test_an_unbounded_queue_is_never_full_and_forgets_nothing() -> None:
    queue = TaskQueue()
    die(queue, "a", "b")
    pushed(queue, "c")
    assert fullness(queue, UNBOUNDED) is None
    assert forget_at(queue, UNBOUNDED) == math.inf
    assert forget(queue, UNBOUNDED, 1e12) == []


def test_live_tasks_are_counted_and_those_that_ended_are_not() -> None:
    queue = TaskQueue()
    bounds = Bounds(max_tasks=2)
    die(queue, "dead")
    pushed(queue, "a")
    assert fullness(queue, bounds) is None
    scheduled(queue)
    assert fullness(queue, bounds) == "2 tasks wait, and max_tasks allows no more"


def test_memory_is_that_of_everything_that_is_kept() -> None:
    queue = TaskQueue()
    die(queue, "dead")
    (attempt,) = queue.dead["dead"].past
    remembered = len(FAILURE.error) + size_of_attempt(attempt)
    assert queue.size == TASK_SIZE + len(b"spec") + remembered
    assert fullness(queue, Bounds(max_memory=queue.size + 1)) is None
    sentence = fullness(queue, Bounds(max_memory=queue.size))
    assert sentence is not None
    assert "max_memory" in sentence
    assert forgotten(queue, Bounds(retain_dead=0), NOW) == ["dead"]
    assert queue.size == 0


def test_the_oldest_dead_letters_go_when_there_are_too_many() -> None:
    queue = TaskQueue()
    die(queue, "a", "b", "c", "d")
    bounds = Bounds(retain_dead=2)
    assert forget_at(queue, bounds) < NOW
    assert forgotten(queue, bounds, NOW) == ["a", "b"]
    assert list(queue.dead) == ["c", "d"]
    assert forget_at(queue, bounds) == math.inf
    # They have died, whether anybody remembers or not.
    assert queue.counts.dead == 4
    assert queue.difference() == 0


def test_a_dead_letter_goes_at_exactly_its_age() -> None:
    queue = TaskQueue()
    die(queue, "a", at=NOW)
    die(queue, "b", at=NOW + 10)
    bounds = Bounds(retain_dead_for=60.0)
    assert forget_at(queue, bounds) == NOW + 60
    assert forgotten(queue, bounds, NOW + 59.9) == []
    assert forgotten(queue, bounds, NOW + 60) == ["a"]
    assert forget_at(queue, bounds) == NOW + 70


def test_many_are_forgotten_in_parts() -> None:
    queue = TaskQueue()
    die(queue, *map(str, range(FORGOTTEN_AT_ONCE + 3)))
    bounds = Bounds(retain_dead=1)
    assert len(forgotten(queue, bounds, NOW)) == FORGOTTEN_AT_ONCE
    assert forget_at(queue, bounds) < NOW
    assert len(forgotten(queue, bounds, NOW)) == 2


def test_what_is_not_dead_cannot_be_forgotten() -> None:
    queue = TaskQueue()
    pushed(queue, "a")
    with pytest.raises(IllegalEvent):
        queue.apply(Forgotten("a", NOW))
