"""Dead letters, and a supervisor's verbs for them without a supervisor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from poussetaches.api.gateway import Gateway
from poussetaches.channel.messages import seal
from poussetaches.model import decisions, endings
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Event, Leased
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import Spec, Submission, Task, Terms
from poussetaches.supervisor.dead_verbs import DeadVerbs
from tests.support.queues import NOW, POLICY, apply

ORIGIN = "http://a:80"


def die(
    queue: TaskQueue,
    id: str,
    error: str = "no",
    *,
    status: int = 500,
    path: str = "/task",
    at: float = NOW,
    delay: float = 0.0,
    name: str = "default",
) -> Task:
    """A task of the queue of that ``name`` is pushed, and dies of ``error``."""
    if id not in queue.tasks:
        terms = Terms(0, origin=ORIGIN, queue=name)
        submission = Submission(id, seal(Spec(ORIGIN + path)), delay, terms=terms)
        apply(queue, decisions.push(queue, submission, at - 1.0, POLICY))
    task = queue.tasks[id]
    queue.apply(Leased(id, at, task.attempts + 1))
    outcome = Outcome(False, status, error.encode())
    apply(queue, endings.conclude(queue, task, outcome, at, 0.5, POLICY))
    return queue.dead[id]


class Clock:
    """Is moved by hand."""

    def __init__(self) -> None:
        self.time = NOW + 1000.0

    def now(self) -> float:
        return self.time


class Keeper:
    """Decides and applies, and writes nothing down. ``full``: raises if there is no
    room for another event."""

    def __init__(self, queue: TaskQueue) -> None:
        self.queue = queue
        self.clock = Clock()
        self.full: Callable[[], None] = lambda: None

    def decide(self, decision: Any) -> list[Event]:
        events: list[Event] = decision(self.queue, self.clock.now(), POLICY)
        self.full()
        apply(self.queue, events)
        return events


class Counter:
    """What a channel is to a gateway. ``between``: what happens after each
    call, when others have their turn."""

    def __init__(self, queue: TaskQueue) -> None:
        keeper: Any = Keeper(queue)
        self.keeper = keeper
        self._verbs = DeadVerbs(keeper).table()
        self.calls: list[str] = []
        self.between: Callable[[], None] = lambda: None

    def call(self, verb: str, **asked: Any) -> Any:
        self.calls.append(verb.removeprefix("dead_"))
        arguments = msgspec.msgpack.decode(msgspec.msgpack.encode(asked))
        told = self._verbs[verb](**arguments)
        self.between()
        return msgspec.msgpack.decode(msgspec.msgpack.encode(told))

    def gateway(self) -> Gateway:
        """The real one, which asks here."""
        return Gateway(cast(Any, self), Rules("UTC"), max_payload=1000)
