"""The task: what to deliver, and what has become of it so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

#: The status of an attempt that brought no HTTP answer (the first ancestor's number).
NO_ANSWER = -1


class Spec(NamedTuple):
    """What to deliver, as the application asked for it; it never changes.

    The supervisor keeps it *sealed* (packed, see ``channel.messages.seal``): only the
    api, which made it, and the worker, which delivers it, look inside. New fields go to
    the end and have a default, so that a spec sealed by an older version still opens.
    """

    #: The target.
    url: str
    #: The bytes the application gave; None if it gave none.
    payload: bytes | None = None
    #: The status that means success.
    expected: int = 200


class Terms(NamedTuple):
    """What a push asked of the supervisor; it never changes.

    New fields go to the end and have a default, as those of Spec.
    """

    #: How many attempts may follow the first one, or FOR_EVER; None: the backoff's.
    max_retries: int | None = None
    #: By which a repeated push is recognised (see ``TaskQueue.keys``); "": by nothing.
    key: str = ""
    #: Scheme, host and port of the target (``Target.origin_text``): what it waits in
    #: line for (see ``Turns``). "": not known, as an older version has not said it.
    origin: str = ""

    @classmethod
    def of(cls, values: Iterable[Any]) -> Terms:
        """From the fields, as an array has them. The same ones for the same fields: a
        million tasks need no million of them. Raises TypeError."""
        fields = tuple(values)
        if len(fields) > 1 and fields[1]:
            return cls(*fields)  # nobody else has this key
        return _shared(*fields)


# By type, too: what is true must not become what is 1 because it came first.
@lru_cache(maxsize=16_384, typed=True)
def _shared(*fields: Any) -> Terms:
    return Terms(*fields)


#: Of a push that asks for nothing special.
PLAIN = Terms.of(())


class Submission(NamedTuple):
    """A push that was found valid."""

    #: The id of the task, or of the schedule.
    id: str
    #: The sealed Spec.
    spec: bytes
    #: Seconds from now before which nothing is delivered; negative: ahead of the queue.
    delay: float = 0.0
    #: The text of the schedule, "" for a task that runs once.
    schedule: str = ""
    terms: Terms = PLAIN


class State(Enum):
    """Where a task is in its life (the transitions stand in ``lifecycle.py``)."""

    #: It waits for its time, or for a free worker.
    WAITING = "waiting"
    #: A worker holds it: an attempt is under way.
    LEASED = "leased"
    #: The target answered with the expected status.
    SUCCEEDED = "succeeded"
    #: It is out of attempts; kept as a dead letter.
    DEAD = "dead"
    #: Somebody asked for it not to run any more; it is kept nowhere.
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Task:
    """One task. All times are seconds on the queue's timeline (see ``TaskQueue``)."""

    #: 32 hex digits; a run of a schedule has the 40 of its schedule.
    id: str
    #: The sealed Spec.
    spec: bytes
    #: The text of the schedule this is a run of, "" if it is not one.
    schedule: str
    #: The moment its schedule named for this run; 0.0 without one. On the clock that
    #: names the slots of such a schedule (see ``decisions.slots_ahead``).
    slot: float
    #: It is not delivered before this time.
    eta: float
    #: Its place among tasks of the same eta.
    order: int
    state: State = State.WAITING
    #: Attempts begun so far.
    attempts: int = 0
    #: When the last attempt ended; 0.0 = never.
    last_run_at: float = 0.0
    #: The status of the last failed attempt; 0 = none failed, NO_ANSWER = no answer.
    error_status: int = 0
    #: What the last failed attempt brought; None = none failed.
    error: bytes | None = None
    terms: Terms = PLAIN


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring rule. It has at most one live task, the run that comes next."""

    #: 40 hex digits of target, payload and text: same push, same schedule.
    id: str
    #: The rule as it was given (``schedule.py`` reads it).
    text: str
    #: The sealed Spec of its runs.
    spec: bytes
    #: Of each of its runs.
    terms: Terms = PLAIN
