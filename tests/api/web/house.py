"""A queue and a supervisor's verbs for it, behind the real gateway."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from poussetaches.api.gateway import Gateway
from poussetaches.channel.messages import seal
from poussetaches.errors import Unavailable
from poussetaches.model import decisions, queue_decisions
from poussetaches.model.events import Event, Leased
from poussetaches.model.queue import TaskQueue
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import How, Spec, Special, Submission, Task, Terms
from poussetaches.supervisor.dead_verbs import DeadVerbs
from poussetaches.supervisor.handlers import Handlers
from poussetaches.supervisor.list_verbs import ListVerbs
from poussetaches.supervisor.meters import Meters
from poussetaches.supervisor.task_verbs import TaskVerbs
from tests.support.dead_letters import ORIGIN, Clock
from tests.support.queues import NOW, POLICY, apply

#: Each has an id of that length, as the id of a task.
IDS = [f"{n:08x}{n:024x}" for n in range(0x1000, 0x1040)]


class House:
    """``gateway``: the real one; ``full``: raises if there is no room for an event."""

    def __init__(self) -> None:
        self.queue = TaskQueue()
        apply(self.queue, queue_decisions.set_queue(self.queue, "mail", {}, NOW))
        self.clock = Clock()
        self.full: Callable[[], None] = lambda: None
        self.slots = 16
        self.meters = Meters(self.queue, NOW)
        self.calls: list[str] = []
        keeper: Any = self
        shown: Any = SimpleNamespace(_keeper=self)
        shown._view = lambda task: Handlers._view(shown, task)
        whole = lambda task: Handlers._whole_view(shown, task)  # noqa: E731
        self._verbs = {
            **ListVerbs(keeper, shown._view).table(),
            **DeadVerbs(keeper).table(),
            **TaskVerbs(keeper, keeper, whole, lambda asked: None).table(),
        }
        self.gateway = Gateway(cast(Any, self), Rules("UTC"), max_payload=1_000_000)
        self.gateway.queues = {"mail": QueueSettings()}

    def push(self, id: str, *, delay: float = 60.0, **fields: Any) -> Task:
        """A task that waits; ``fields``: those of Spec, How, Special, and Terms."""
        kinds: dict[Any, dict[str, Any]] = {
            kind: {n: fields[n] for n in kind._fields if n in fields}
            for kind in (Spec, How, Special, Terms)
        }
        how = How(**kinds[How]) if kinds[How] else None
        special = Special(**kinds[Special]) if kinds[Special] else None
        kinds[Spec].setdefault("url", f"{ORIGIN}/task")
        spec = Spec(**{**kinds[Spec], "how": how})
        terms = Terms(**{"origin": ORIGIN, **kinds[Terms], "special": special})
        asked = Submission(id, seal(spec), delay, terms=terms)
        apply(self.queue, decisions.push(self.queue, asked, self.clock.now(), POLICY))
        return self.queue.tasks[id]

    # --- what a channel is to a gateway -----------------------------------------------

    def call(self, verb: str, **asked: Any) -> Any:
        self.calls.append(verb)
        arguments = msgspec.msgpack.decode(msgspec.msgpack.encode(asked))
        told = self._verbs[verb](**arguments)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(told))

    # --- what a keeper and a dispatch are to verbs ------------------------------------

    def decide(self, decision: Any) -> list[Event]:
        events: list[Event] = decision(self.queue, self.clock.now(), POLICY)
        self.full()
        apply(self.queue, events)
        return events

    def wall_slot(self, task: Task) -> float:
        return task.slot

    @property
    def free(self) -> int:
        return self.slots - len(self.queue.leased)

    draining = False

    def rests(self, now: float) -> bool:
        return False

    def begin(self, task: Task, now: float) -> None:
        if self.free <= 0:
            raise Unavailable("No worker has a free slot.")
        leased = Leased(task.id, self.clock.now(), task.attempts + 1, 1)
        apply(self.queue, [leased])


#: When its tasks are pushed.
BEGIN = NOW + 1000.0
