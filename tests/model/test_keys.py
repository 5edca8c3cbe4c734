"""By which a push that is made again is recognised."""

from __future__ import annotations

from poussetaches.model import decisions, endings
from poussetaches.model.events import Cancelled
from poussetaches.model.keys import KEY_SIZE, Keys
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Submission, Terms
from tests.support.queues import FAILURE, NOW, OK, POLICY, apply, leased

TTL = 60.0


def test_a_key_is_known_from_the_push_until_a_while_after_the_end() -> None:
    keys = Keys(TTL)
    assert keys.known("k", NOW) is None
    keys.add("k", "a", NOW)
    assert keys.known("k", NOW + 1e9) == "a"
    keys.end("k", "a", NOW)
    assert keys.known("k", NOW + TTL) == "a"
    assert keys.known("k", NOW + TTL + 0.1) is None


def test_a_key_that_is_known_no_longer_may_be_used_again() -> None:
    keys = Keys(TTL)
    keys.add("k", "a", NOW)
    keys.end("k", "a", NOW)
    keys.add("k", "b", NOW + TTL + 1)
    assert keys.known("k", NOW + 10 * TTL) == "b"
    # What the first one does now is not said of the second.
    keys.end("k", "a", NOW + TTL + 2)
    assert keys.known("k", NOW + 10 * TTL) == "b"


def test_what_is_known_no_longer_takes_no_room() -> None:
    keys = Keys(TTL)
    for number in range(100):
        keys.add(f"k{number}", str(number), NOW + number)
        keys.end(f"k{number}", str(number), NOW + number)
    assert len(keys) == TTL + 1
    assert keys.size == len(keys) * (KEY_SIZE + len("k00"))
    assert [one.id for one in keys.ended()][:2] == ["39", "40"]


def keyed(queue: TaskQueue, id: str, *, max_retries: int | None = None) -> None:
    terms = Terms(max_retries, "k")
    apply(queue, decisions.push(queue, Submission(id, b"", terms=terms), NOW, POLICY))


def test_a_retry_keeps_its_key() -> None:
    queue = TaskQueue(key_ttl=TTL)
    keyed(queue, "a")
    task = leased(queue)
    apply(queue, endings.conclude(queue, task, FAILURE, NOW, 0.5, POLICY))
    assert queue.keys.known("k", NOW + 1e9) == "a"
    assert not list(queue.keys.ended())


def test_every_end_begins_the_time_of_the_key() -> None:
    for end in ("succeeded", "dead", "cancelled"):
        queue = TaskQueue(key_ttl=TTL, retain_succeeded=0)
        keyed(queue, "a", max_retries=0)
        task = leased(queue)
        if end == "cancelled":
            apply(queue, [Cancelled("a", NOW)])
        else:
            outcome = OK if end == "succeeded" else FAILURE
            apply(queue, endings.conclude(queue, task, outcome, NOW, 0.5, POLICY))
        assert list(queue.keys.ended()) == [("k", "a", NOW)]
        assert queue.keys.known("k", NOW + TTL) == "a"
