"""The attempt: what one delivery of a task was, and what it brought.

A task remembers its first attempt and its last ones: how it began, and how it goes now.
"""

from __future__ import annotations

from typing import NamedTuple

#: The attempts of one task that are remembered: the first one, and the last of them.
MOST_REMEMBERED = 20
#: Bytes that are remembered of what an attempt brought, unless its task wants it all.
LONGEST_EXCERPT = 256

#: Kinds of failure, the error class. The target answered, with another status than the
#: expected one, ...
STATUS = "status"
#: ... asked for no further attempt, or for one a little later, ...
DEAD = "dead"
SNOOZE = "snooze"
#: ... or asked for tasks that cannot be accepted.
FOLLOW_UPS = "follow_ups"
#: There was no complete answer in time.
TIMEOUT = "timeout"
#: The name of its host was not found; nobody took the connection; no secure one.
DNS = "dns"
CONNECT = "connect"
TLS = "tls"
#: The connection ended before the answer was complete; before the request was read.
RESET = "reset"
UNREAD = "unread"
#: What came is no proper HTTP.
RESPONSE = "response"
#: Refused by us: the target is not allowed, or the URL cannot be used.
REFUSED = "refused"
#: Nobody knows what it brought: its worker died, or was stopped with the service.
LOST = "lost"
STOPPED = "stopped"
#: A fault of ours.
INTERNAL = "internal"

#: Those that a worker may tell of.
TOLD = frozenset(
    {
        STATUS,
        DEAD,
        SNOOZE,
        FOLLOW_UPS,
        TIMEOUT,
        DNS,
        CONNECT,
        TLS,
        RESET,
        UNREAD,
        RESPONSE,
        REFUSED,
        INTERNAL,
    }
)

#: Where nobody knows what it brought, the outcome has the name of the kind of failure.
UNKNOWN = frozenset({LOST, STOPPED})
OUTCOMES = ("succeeded", "failed", "deferred", LOST, STOPPED)
KINDS = TOLD | UNKNOWN


class Attempt(NamedTuple):
    """One that has ended. Times are seconds on the queue's timeline, as in Task.

    New fields go to the end and have a default: dumps hold them in this order.
    """

    #: From 1. One that did not count has the number of the next one.
    number: int
    #: The eta for which it waited.
    due_at: float
    #: 0.0: not known.
    began_at: float
    ended_at: float
    #: The number of the worker that made it; 0: not known.
    worker: int
    #: Of the answer; NO_ANSWER if there was none.
    status: int
    #: "succeeded", "failed", "deferred" (it did not count), "lost" or "stopped".
    outcome: str
    #: Of failure, see above; "": none, or not known.
    kind: str
    #: The beginning of the answer of a failure, or of the words that stand for one; of
    #: a success nothing, or the whole answer if the task keeps its result.
    excerpt: bytes
    #: The id that its request had; "": not known.
    request: str

    def moved(self, seconds: float) -> Attempt:
        """The same on a timeline that is so far ahead."""
        return self._replace(
            due_at=self.due_at + seconds,
            began_at=self.began_at + seconds if self.began_at else 0.0,
            ended_at=self.ended_at + seconds,
        )


def remember(past: tuple[Attempt, ...], attempt: Attempt) -> tuple[Attempt, ...]:
    """``past`` with another attempt; without the second one if there are too many."""
    if len(past) < MOST_REMEMBERED:
        return (*past, attempt)
    return (past[0], *past[2:], attempt)
