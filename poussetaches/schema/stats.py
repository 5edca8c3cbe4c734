"""The numbers of the service in the public JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from poussetaches.model.histogram import Raw, view


class QueueNumbers(NamedTuple):
    """What was counted in a queue, as the supervisor tells of it."""

    queue: str
    waiting: int
    in_flight: int
    paused: bool
    #: For how long the oldest of its due tasks has waited, seconds; None: none is due.
    oldest_due: float | None
    #: Tasks.
    accepted: int
    revived: int
    dead: int
    expired: int
    cancelled: int
    #: Attempts by what they brought.
    outcomes: Mapping[str, int]
    #: Attempts by the first digit of their status; the last: no answer.
    statuses: Sequence[int]
    #: By window.
    rates: Mapping[str, Mapping[str, float]]
    durations: Raw
    end_to_end: Raw
    lateness: Raw


def stats_json(
    told: Mapping[str, Any], queues: Iterable[Sequence[Any]]
) -> dict[str, Any]:
    """Everything. ``told``: by the supervisor, of the service; ``queues``: the fields
    of QueueNumbers, of each."""
    others = told["other_queues"]
    numbers = [QueueNumbers._make(one) for one in queues]
    store, supervisor = told["store"], told["supervisor"]
    return {
        **told,
        "queues": {one.queue: _queue_json(one) for one in numbers},
        "other_queues": None if others is None else _others_json(others),
        "store": {**store, "syncs": view(store["syncs"])},
        "supervisor": {**supervisor, "ticks": view(supervisor["ticks"])},
    }


def history_json(told: Mapping[str, Any]) -> dict[str, Any]:
    """The points of the charts. ``told``: by the supervisor."""
    return {
        **told,
        "series": {name: _points(name, one) for name, one in told["series"].items()},
    }


def _points(name: str, values: Iterable[float]) -> list[float | None]:
    isnan = math.isnan
    if name in ("waiting", "in_flight"):
        return [None if isnan(value) else int(value) for value in values]
    return [None if isnan(value) else round(value, 6) for value in values]


def _others_json(fields: Sequence[Any]) -> dict[str, Any]:
    """Of several queues, of which each may be paused, or late."""
    found = _queue_json(QueueNumbers._make(fields))
    del found["paused"], found["oldest_due"]
    return found


def _queue_json(told: QueueNumbers) -> dict[str, Any]:
    return {
        "waiting": told.waiting,
        "in_flight": told.in_flight,
        "paused": told.paused,
        "oldest_due": told.oldest_due,
        "accepted": told.accepted,
        "revived": told.revived,
        "ended": {
            "succeeded": told.outcomes["succeeded"],
            "dead": told.dead,
            "expired": told.expired,
            "cancelled": told.cancelled,
        },
        "attempts": told.outcomes,
        "statuses": _statuses(told.statuses),
        "rates": told.rates,
        "attempt_seconds": view(told.durations),
        "lateness_seconds": view(told.lateness),
        "end_to_end_seconds": view(told.end_to_end),
    }


def _statuses(counts: Sequence[int]) -> dict[str, int]:
    """By class, as people call them."""
    *digits, none = counts
    classes = {f"{digit}xx": digits[digit] for digit in range(2, 6)}
    return {**classes, "other": sum(digits[:2]) + sum(digits[6:]), "none": none}
