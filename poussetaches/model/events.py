"""What may happen to the queue. An event in memory is a record in the journal.

Every event is decided once (``decisions.py``), written once (``store/``), and applied
by the one mutator (``TaskQueue.apply``), live and in recovery alike; so an event
carries everything that was decided, randomness and clock readings included.

The order of the fields is the order on disk. New fields go to the end and have a
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from poussetaches.model.task import PLAIN, Terms


class Pushed(NamedTuple):
    """An application pushed a task."""

    id: str
    #: When, on the queue's timeline (as every ``at``).
    at: float
    eta: float
    #: The sealed Spec.
    spec: bytes
    terms: Terms = PLAIN


class Scheduled(NamedTuple):
    """An application pushed a schedule."""

    id: str
    at: float
    text: str
    spec: bytes
    #: Of each of its runs.
    terms: Terms = PLAIN


class Recurred(NamedTuple):
    """The next run of a schedule became a waiting task."""

    id: str
    at: float
    #: See ``Task.slot``.
    slot: float
    eta: float


class Unscheduled(NamedTuple):
    """A schedule was dropped; a run that waits has an event of its own."""

    id: str
    at: float


class Leased(NamedTuple):
    """An attempt began: a worker holds the task."""

    id: str
    at: float
    #: The number of the attempt that begins, from 1.
    attempt: int
    #: The number of the worker that is to make it; 0: not known.
    worker: int = 0


class Succeeded(NamedTuple):
    """The target answered with the expected status."""

    id: str
    at: float
    attempt: int
    status: int
    #: The id that the request had; "": not known.
    request: str = ""
    #: The body of the answer, if the task wants it kept.
    result: bytes | None = None


class Failed(NamedTuple):
    """An attempt failed, or was lost with its worker, and another will follow."""

    id: str
    at: float
    attempt: int
    #: The status, or NO_ANSWER.
    status: int
    #: The answer's body up to a cap, or the words of the transport error.
    error: bytes
    #: Not before this the next attempt begins.
    eta: float
    #: The kind of failure (see ``attempt.py``); "": not known.
    kind: str = ""
    #: As that of Succeeded.
    request: str = ""


class Deferred(NamedTuple):
    """An attempt ended that does not count: the target asked for it, or is in trouble
    as a whole. Another will follow."""

    id: str
    at: float
    attempt: int
    #: As those of Failed.
    status: int
    error: bytes
    eta: float
    kind: str = ""
    request: str = ""


class Died(NamedTuple):
    """The last attempt failed: the task is a dead letter."""

    id: str
    at: float
    attempt: int
    status: int
    error: bytes
    #: As those of Failed.
    kind: str = ""
    request: str = ""


class Expired(NamedTuple):
    """A task was not done by the moment after which nobody wants it any more."""

    id: str
    at: float


class Cancelled(NamedTuple):
    """A task will not run any more because somebody asked for that."""

    id: str
    at: float


class Moved(NamedTuple):
    """A waiting task got another eta."""

    id: str
    at: float
    eta: float


class Replaced(NamedTuple):
    """A waiting task is another one from now on, under the same id."""

    id: str
    at: float
    eta: float
    spec: bytes
    terms: Terms = PLAIN


class Rescheduled(NamedTuple):
    """A schedule got another rule, or other runs; one that waits has its own events."""

    id: str
    at: float
    text: str
    spec: bytes
    terms: Terms = PLAIN


class SchedulePaused(NamedTuple):
    """No run of a schedule comes from now on; one that waits has an event of its
    own."""

    id: str
    at: float


class ScheduleResumed(NamedTuple):
    """Runs of a schedule come again; the next one has an event of its own."""

    id: str
    at: float


class QueueSet(NamedTuple):
    """A queue was made, or its settings were changed."""

    #: Of the queue.
    name: str
    at: float
    #: What its section in the configuration says (``QueueSettings.to_wire``); None: it
    #: has none.
    configured: Mapping[str, Any] | None
    #: What was said while running, which wins.
    changed: Mapping[str, Any]


class QueueDropped(NamedTuple):
    """A queue, in which there was nothing, is gone."""

    name: str
    at: float


class Revived(NamedTuple):
    """A dead letter waits again, as if it had never been tried."""

    id: str
    at: float
    eta: float


class Forgotten(NamedTuple):
    """A dead letter was dropped: there are newer ones, it was too old, or somebody
    asked for that."""

    id: str
    at: float


class Paused(NamedTuple):
    """Nothing is leased from now on."""

    at: float


class Resumed(NamedTuple):
    """Tasks are leased again."""

    at: float


class ClockStepped(NamedTuple):
    """The wall clock was set: it now stands ``skew`` seconds ahead of the timeline."""

    at: float
    skew: float


Event = (
    Pushed
    | Scheduled
    | Recurred
    | Unscheduled
    | Leased
    | Succeeded
    | Failed
    | Deferred
    | Died
    | Expired
    | Cancelled
    | Moved
    | Replaced
    | Rescheduled
    | SchedulePaused
    | ScheduleResumed
    | QueueSet
    | QueueDropped
    | Revived
    | Forgotten
    | Paused
    | Resumed
    | ClockStepped
)
