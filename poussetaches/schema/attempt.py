"""What is shown of the attempts of one task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from poussetaches.model.attempt import LONGEST_EXCERPT, Attempt
from poussetaches.schema.json import readable

#: The outcome of the attempt that is under way.
IN_FLIGHT = "in flight"
SUCCEEDED = "succeeded"


class History(NamedTuple):
    """What has become of a task so far; times in seconds of the wall clock, 0.0: not
    known."""

    pushed_at: float
    past: tuple[Attempt, ...]
    #: How many attempts are not remembered, between the first one and the others.
    dropped: int
    #: When the last attempt began, and which worker was to make it; 0: not known.
    leased_at: float
    worker: int

    @classmethod
    def of(cls, fields: Iterable[Any]) -> History:
        """As it came over the channel."""
        pushed_at, past, *others = fields
        return cls(pushed_at, tuple([Attempt(*one) for one in past]), *others)

    @property
    def result(self) -> bytes | None:
        """The answer of the success that ended it; None if there was none."""
        last = self.past[-1] if self.past else None
        return last.excerpt if last is not None and last.outcome == SUCCEEDED else None


def attempts_json(history: History) -> Iterator[dict[str, Any]]:
    """Those that have ended, in their order."""
    for one in history.past:
        began_at = one.began_at or None
        yield {
            "number": one.number,
            "due": one.due_at,
            "started": began_at,
            "duration": None if began_at is None else round(one.ended_at - began_at, 6),
            "outcome": one.outcome,
            "status": one.status if one.status > 0 else None,
            "error": one.kind or None,
            "response": _response(one),
            "worker": _worker(one.worker),
            "request": one.request or None,
        }


def under_way_json(history: History, number: int, due_at: float) -> dict[str, Any]:
    """The one that a worker makes now."""
    return {
        "number": number,
        "due": due_at,
        "started": history.leased_at or None,
        "duration": None,
        "outcome": IN_FLIGHT,
        "status": None,
        "error": None,
        "response": None,
        "worker": _worker(history.worker),
        "request": None,
    }


def _response(one: Attempt) -> str | None:
    if one.outcome == SUCCEEDED and not one.excerpt:
        return None  # it was not kept
    return readable(one.excerpt[:LONGEST_EXCERPT])


def _worker(number: int) -> str | None:
    """As the log names it."""
    return f"worker-{number}" if number else None
