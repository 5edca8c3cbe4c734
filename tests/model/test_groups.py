"""Groups: in order of acceptance, one at a time, whatever befalls the head."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.errors import Conflict
from poussetaches.model import decisions, endings
from poussetaches.model.endings import Outcome
from poussetaches.model.events import ClockStepped, Event, Moved, QueueSet
from poussetaches.model.queue import TaskQueue
from poussetaches.model.size import SPECIAL_SIZE, TASK_SIZE
from poussetaches.model.task import Special, State, Submission, Task, Terms
from tests.support.queues import (
    FAILURE,
    FREE,
    NOW,
    OK,
    POLICY,
    apply,
    ranked,
    reloaded,
    state,
)


class Scene:
    """A queue, and the order in which its tasks are delivered."""

    def __init__(self) -> None:
        self.queue = TaskQueue()
        self.now = NOW

    def submission(self, id: str, group: str, **given: Any) -> Submission:
        delay = given.pop("delay", 0.0)
        places = {
            name: given.pop(name)
            for name in ("origin", "queue", "key")
            if name in given
        }
        special = Special(group=group, **given) if group or given else None
        terms = Terms.of(Terms(special=special, **places))
        return Submission(id, b"", delay, terms=terms)

    def push(self, id: str, group: str = "g", **given: Any) -> None:
        asked = self.submission(id, group, **given)
        self.do(decisions.push(self.queue, asked, self.now, POLICY))

    def replace(self, id: str, group: str, **given: Any) -> None:
        task, asked = self.queue.tasks[id], self.submission(id, group, **given)
        self.do(decisions.replace(self.queue, task, asked, self.now))

    def do(self, events: list[Event]) -> None:
        apply(self.queue, events)

    def lease(self) -> Task | None:
        event = decisions.lease(self.queue, self.now, FREE)
        if event is None:
            return None
        self.queue.apply(event)
        return self.queue.tasks[event.id]

    def conclude(self, task: Task, outcome: Outcome = OK) -> None:
        self.do(endings.conclude(self.queue, task, outcome, self.now, 0.5, POLICY))

    def restart(self) -> None:
        again = reloaded(self.queue, TaskQueue())
        assert ranked(again) == ranked(self.queue)
        self.queue = again

    def order(self) -> str:
        """The tasks in the order in which they come, one after another."""
        names = ""
        while (task := self.lease()) is not None:
            assert task.id not in names
            names += task.id
            self.conclude(task)
        return names


def test_a_group_is_delivered_one_at_a_time_in_order_of_acceptance() -> None:
    scene = Scene()
    for id in "abc":
        scene.push(id)
    scene.push("x", "")
    head = scene.lease()
    other = scene.lease()
    assert head is not None and head.id == "a"
    assert other is not None and other.id == "x"
    assert scene.lease() is None
    scene.conclude(head)
    assert scene.order() == "bc"


def test_those_behind_wait_whatever_their_own_time_is() -> None:
    scene = Scene()
    scene.push("a", delay=60.0)
    scene.push("b", delay=-3600.0)
    assert scene.lease() is None
    assert scene.queue.turns.due_at(FREE) == NOW + 60.0
    scene.now += 60.0
    assert scene.order() == "ab"


def test_a_head_that_is_tried_again_keeps_only_its_group() -> None:
    scene = Scene()
    for id, group in (("a", "g"), ("b", "g"), ("c", "h"), ("d", "")):
        scene.push(id, group)
    head = scene.lease()
    assert head is not None
    scene.conclude(head, FAILURE)
    scene.restart()
    assert scene.order() == "cd"
    scene.now += 10.0
    assert scene.order() == "ab"


def test_whoever_is_behind_follows_a_head_that_dies_or_goes() -> None:
    for end in ("dead", "cancelled", "cancelled in flight", "expired", "moved away"):
        scene = Scene()
        scene.push("a", expires=NOW + 5.0, delay=0.0 if "flight" in end else 1.0)
        scene.push("b")
        scene.push("c")
        if end == "dead":
            scene.now += 1.0
            head = scene.lease()
            assert head is not None
            scene.conclude(head, Outcome(False, 500, b"", final=True))
        elif end == "expired":
            scene.now += 5.0
            due = scene.queue.turns.expiries.due(scene.now, 500)
            scene.do(endings.expire(scene.queue, due, scene.now, POLICY))
        elif end == "moved away":
            scene.replace("a", "other", delay=1000.0)
        else:
            assert (scene.lease() is not None) == ("flight" in end)
            task = scene.queue.tasks["a"]
            scene.do(decisions.cancel(scene.queue, task, scene.now, POLICY))
        assert scene.order() == "bc", end
        assert scene.queue.difference() == 0


def test_one_that_waits_behind_can_go_and_be_moved() -> None:
    scene = Scene()
    for id in "abcd":
        scene.push(id)
    queue = scene.queue
    scene.do(decisions.cancel(queue, queue.tasks["b"], NOW, POLICY))
    scene.do([Moved("d", NOW, NOW - 1000.0)])
    scene.restart()
    assert scene.order() == "acd"


@pytest.mark.parametrize("restarts", [False, True])
def test_who_joins_a_group_by_being_replaced_is_its_last(restarts: bool) -> None:
    """Also after a restart, and though it is older than the others."""
    scene = Scene()
    scene.push("a", "")
    scene.push("b")
    scene.push("c")
    first = scene.lease()
    assert first is not None and first.id == "a"
    scene.conclude(first, FAILURE)
    head = scene.lease()
    assert head is not None and head.id == "b"
    scene.replace("a", "g")
    if restarts:
        scene.restart()
        head = scene.queue.tasks["b"]
    assert scene.lease() is None, "two of one group at once"
    scene.conclude(head)
    assert scene.order() == "ca"


@pytest.mark.parametrize("restarts", [False, True])
def test_who_is_replaced_in_its_group_keeps_its_place(restarts: bool) -> None:
    scene = Scene()
    for id in "abc":
        scene.push(id)
    scene.replace("b", "g", delay=30.0)
    scene.replace("a", "g", origin="http://elsewhere:80")
    if restarts:
        scene.restart()
    assert scene.order() == "a"
    scene.now += 30.0
    assert scene.order() == "bc"


def test_a_group_goes_through_queues_and_targets() -> None:
    scene = Scene()
    scene.do([QueueSet("q", NOW, None, {"paused": True})])
    scene.push("a", origin="http://a:80")
    scene.push("b", origin="http://b:80", queue="q")
    scene.push("c", origin="http://a:80")
    assert scene.order() == "a"
    scene.restart()
    scene.do([QueueSet("q", NOW, None, {"paused": False})])
    assert scene.order() == "bc"


def test_a_task_that_is_replaced_lets_go_of_its_key() -> None:
    scene = Scene()
    scene.push("a", "", key="k1")
    scene.replace("a", "", key="k2")
    keys = scene.queue.keys
    assert (keys.known("k1", NOW), keys.known("k2", NOW)) == (None, "a")
    scene.restart()
    keys = scene.queue.keys
    assert (keys.known("k1", NOW), keys.known("k2", NOW)) == (None, "a")
    assert scene.queue.keys.size == len(scene.queue.keys) * (400 + 2)


def test_a_task_cannot_be_replaced_by_one_with_the_key_of_another() -> None:
    """Two would be known by it, and which of them a restart would decide."""
    scene = Scene()
    scene.push("a", "", key="k1")
    scene.push("b", "", key="k2")
    before = state(scene.queue)
    with pytest.raises(Conflict, match=r"^key: "):
        scene.replace("b", "", key="k1")
    assert state(scene.queue) == before
    scene.replace("b", "", key="k2", delay=5.0)
    assert scene.queue.keys.known("k2", NOW) == "b"


def test_a_task_that_is_replaced_takes_what_its_new_spec_and_terms_take() -> None:
    scene = Scene()
    scene.push("a", "")
    scene.push("b", "")
    sizes = [scene.queue.size]
    scene.replace("a", "g", expires=NOW + 100.0)
    sizes.append(scene.queue.size)
    scene.replace("a", "")
    sizes.append(scene.queue.size)
    both = 2 * TASK_SIZE
    assert sizes == [both, both + SPECIAL_SIZE, both]
    assert scene.queue.turns.expiries.next() is None


def test_a_named_moment_follows_the_clock_until_another_is_asked_for() -> None:
    scene = Scene()
    for id in "ab":
        scene.push(id, "", eta=NOW + 3600.0)
    scene.do([ClockStepped(NOW, 600.0)])
    assert [t.eta - NOW for t in scene.queue.tasks.values()] == [3000.0, 3000.0]
    scene.do([Moved("a", NOW, NOW)])
    scene.restart()
    scene.do([ClockStepped(NOW, -600.0)])
    assert [t.eta - NOW for t in scene.queue.tasks.values()] == [0.0, 4200.0]
    assert scene.order() == "a"
    assert scene.queue.tasks["b"].state is State.WAITING
