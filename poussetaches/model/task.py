"""The task: what to deliver, and what has become of it so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from poussetaches.model.attempt import Attempt
from poussetaches.model.backoff import Growth

#: The status of an attempt that brought no HTTP answer (the first ancestor's number).
NO_ANSWER = -1


#: The queue of a push that names none.
DEFAULT_QUEUE = "default"

#: A status that means success, a class of them ("2xx"), or several of either.
Expected = int | str | tuple[int | str, ...]


class Report(NamedTuple):
    """What a callback tells: what has become of the task that asked for it."""

    #: "succeeded", "dead" or "expired".
    event: str
    #: Of that task.
    id: str
    #: Its sealed Spec.
    spec: bytes
    queue: str
    attempts: int
    #: Of its last attempt: the status, NO_ANSWER, or 0 if there was none.
    status: int
    #: Of its last failed attempt.
    error: bytes | None
    #: When it ended, posix seconds.
    at: float


class How(NamedTuple):
    """How a task is delivered that is not just posted as everybody's."""

    method: str = "POST"
    #: The application's own, beside ours and those of the queue.
    headers: tuple[tuple[str, str], ...] = ()
    #: The body is the payload as it is, not an envelope around it.
    raw: bool = False
    #: The payload is JSON: it was given as ``json``.
    is_json: bool = False
    #: JSON that is carried along; "": none.
    metadata: str = ""
    #: Of a callback, instead of a payload.
    report: Report | None = None
    #: The body of the answer that means success is kept.
    keep_result: bool = False


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
    #: What means success.
    expected: Expected = 200
    #: None: as usual.
    how: How | None = None


class Special(NamedTuple):
    """What few pushes ask of the supervisor. Moments are posix seconds."""

    #: Named by the wall clock; None: a delay was given, or nothing.
    eta: float | None = None
    #: From then on it is not delivered any more.
    expires: float | None = None
    #: Of one attempt, seconds; None: the queue's.
    timeout: float | None = None
    #: Seconds to wait after the first, the second, ... failed attempt; (): not said.
    waits: tuple[float, ...] = ()
    #: The same as a rule.
    growth: Growth | None = None
    #: Tasks of one group are delivered in order and one at a time; "": of none.
    group: str = ""
    #: Full URLs that are told when it dies or expires, and when it succeeds; "": none.
    roll_back: str = ""
    on_success: str = ""
    #: Of a schedule: by which it is changed in place; "": it has none.
    name: str = ""
    #: Of a schedule: the zone of its clock; "": that of the service.
    timezone: str = ""
    #: Of a schedule: what becomes of runs that could not begin in their time: "one" of
    #: them, "none" or "all" are made up for.
    missed: str = "one"
    #: Of a schedule: what becomes of runs whose time comes while another is under way:
    #: "skip" or "queue".
    overlap: str = "skip"


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
    #: The name of the queue it is in.
    queue: str = DEFAULT_QUEUE
    #: None: nothing special.
    special: Special | None = None

    @classmethod
    def of(cls, values: Iterable[Any]) -> Terms:
        """From the fields, as an array has them. The same ones for the same fields: a
        million tasks need no million of them. Raises TypeError."""
        fields = tuple(values)
        if len(fields) > 4 and fields[4] is not None:
            special = _special(fields[4])
            fields = (*fields[:4], special)
            if special.eta is not None or special.expires is not None or special.group:
                return cls(*fields)  # few others have these
        if len(fields) > 1 and fields[1]:
            return cls(*fields)  # nobody else has this key
        return _shared(*fields)


def _special(values: Iterable[Any]) -> Special:
    special = Special(*values)
    growth = None if special.growth is None else Growth(*special.growth)
    return special._replace(waits=tuple(special.waits), growth=growth)


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
    #: It was not done by the moment after which nobody wants it any more.
    EXPIRED = "expired"


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
    #: When the first attempt began; 0.0 = none has.
    begun_at: float = 0.0
    #: When it came; 0.0: an older version has not said it.
    pushed_at: float = 0.0
    #: When the last attempt began, and the number of the worker that was to make it;
    #: 0.0 and 0: none has, or an older version has not said it.
    leased_at: float = 0.0
    worker: int = 0
    #: Attempts that have ended: the first one, and the last of them.
    past: tuple[Attempt, ...] = ()
    #: How many there were between those, and are not remembered.
    dropped: int = 0

    def revive(self, eta: float, *, has_key: bool) -> None:
        """It was dead, and waits again as if it had never been tried."""
        self.state = State.WAITING
        self.attempts = 0
        self.begun_at = 0.0
        self.eta = eta
        if not has_key:
            self.terms = Terms.of(self.terms._replace(key=""))

    def waits_for_the_clock(self, skew: float) -> bool:
        """Whether it waits for the moment of the wall clock that its push named, and
        not for another that came of a failure or was asked for since. ``skew``: see
        ``TaskQueue``."""
        special = self.terms.special
        return (
            special is not None
            and special.eta is not None
            and self.state is State.WAITING
            and self.eta == special.eta - skew
        )


class LastRun(NamedTuple):
    """What has become of the run of a schedule that came last."""

    #: See ``Task.slot``.
    slot: float
    #: When it ended, on the queue's timeline.
    at: float
    #: The value of its State.
    outcome: str
    attempts: int
    #: Of its last attempt; 0: it had none.
    status: int


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
    #: No run comes until it is resumed.
    paused: bool = False
    last: LastRun | None = None
