"""The authoritative queue: every live task, the schedules, what ended, and the counts.

The one mutator is ``apply`` (its parts stand in ``mutators.py``). Decisions
(``decisions.py``) read the queue and return events; whoever owns the queue writes them
down and applies them.

**The timeline.** Every ``at`` and ``eta`` is in seconds on a timeline that starts at
the wall clock and then runs evenly, however the wall clock is set: a delay of an hour
is an hour. ``skew`` is what must be added to get the wall clock of the moment. It is
part of the state, so that a restart continues the same timeline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields

from poussetaches.model.caps import NO_CAPS, Caps
from poussetaches.model.counts import Counts
from poussetaches.model.events import Event
from poussetaches.model.keys import EndedKey, Keys
from poussetaches.model.line import Line
from poussetaches.model.mutators import MUTATORS
from poussetaches.model.named_queue import QueueRow
from poussetaches.model.remembered import Remembered
from poussetaches.model.schedules import Schedules
from poussetaches.model.size import size_of
from poussetaches.model.task import Schedule, State, Task
from poussetaches.model.turns import Turns


class TaskQueue:
    """See the module. ``retain_succeeded``: how many of those to remember, and of those
    that expired; ``key_ttl``: for how long the key of a task is known after its end,
    seconds; ``caps``: of attempts at once at an origin."""

    def __init__(
        self,
        *,
        retain_succeeded: int = 1000,
        key_ttl: float = math.inf,
        caps: Caps = NO_CAPS,
    ) -> None:
        #: Live tasks (waiting or leased), by id.
        self.tasks: dict[str, Task] = {}
        #: Those of them that a worker holds.
        self.leased: dict[str, Task] = {}
        #: Which of the others is next.
        self.turns = Turns(caps)
        self.schedules = Schedules()
        #: The last that succeeded and that expired, and all dead ones.
        self.remembered = Remembered(retain_succeeded)
        self.succeeded = self.remembered.succeeded
        self.expired = self.remembered.expired
        self.dead = self.remembered.dead
        self.keys = Keys(key_ttl)
        #: What the tasks take in memory, bytes: an estimate.
        self.size = 0
        self.counts = Counts()
        self.paused = False
        #: Wall clock minus timeline, seconds.
        self.skew = 0.0
        #: When the last event happened, on the timeline.
        self.latest = 0.0

    # --- what the owner asks ---------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many tasks wait (for their time, or for a free worker)."""
        return len(self.tasks) - len(self.leased)

    @property
    def runs(self) -> Line[Task]:
        """The live tasks of the schedules."""
        return self.schedules.runs

    @property
    def memory(self) -> int:
        """What is known of tasks and keys takes in memory, bytes: an estimate."""
        return self.size + self.keys.size + self.dead.size

    def difference(self) -> int:
        """0, always: what was accepted is waiting, in flight, or has ended."""
        counts = self.counts
        ended = counts.succeeded + counts.dead + counts.expired + counts.cancelled
        return counts.accepted - self.waiting - len(self.leased) - ended

    # --- the one mutator --------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Change the queue as ``event`` says; or raise IllegalEvent, and do not."""
        MUTATORS[type(event)](self, event)
        self.latest = event.at

    # --- dump and load ----------------------------------------------------------------

    def load(
        self,
        *,
        tasks: list[Task],
        schedules: list[Schedule],
        succeeded: list[Task],
        dead: list[Task],
        counts: Counts,
        paused: bool,
        skew: float,
        latest: float = 0.0,
        keys: Iterable[EndedKey] = (),
        expired: Iterable[Task] = (),
        queues: Iterable[QueueRow] = (),
    ) -> None:
        """Take over the state that a dump holds. The queue must be new.

        ``tasks``: in order of acceptance; ``keys``: those of tasks that have ended, in
        order of ending.
        """
        self.tasks = {task.id: task for task in tasks}
        self.leased = {t.id: t for t in tasks if t.state is State.LEASED}
        self.schedules.load(schedules, self.tasks)
        self.succeeded.load(succeeded)
        self.dead.load(dead)
        self.counts = Counts(*(getattr(counts, f.name) for f in fields(Counts)))
        self.paused = paused
        self.skew = skew
        self.latest = latest
        live = ((task.terms.key, task.id) for task in tasks if task.terms.key)
        self.keys.load(live, keys)
        self.expired.load(expired)
        known = (*tasks, *self.remembered)
        self.size = sum(map(size_of, known))
        last_order = max((task.order for task in known), default=0)
        for row in queues:
            self.turns.set_queue(row.name, row.configured, row.changed, latest)
            self.turns.queues[row.name].resume(row.spent_until)
        self.turns.load(tasks, last_order)
