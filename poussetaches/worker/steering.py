"""Steering: what a target asks for with its answer, besides its status. Pure: no I/O,
no clock (how long it wants to be left alone: ``retry_after.py``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from poussetaches.channel.messages import LONGEST_SNOOZE, SHORTEST_SNOOZE

#: The media type of an answer that has follow-up tasks in it.
TASKS = b"application/vnd.poussetaches.tasks+json"

_SNOOZE = re.compile(r"snooze[ \t]*;[ \t]*after=([0-9]+)(\.[0-9]+)?", re.IGNORECASE)


class Steering(NamedTuple):
    """What an answer asks for; nothing, if it is all defaults."""

    #: It is to end now, as dead.
    dead: bool = False
    #: Seconds after which the next attempt is to come, which is no failure.
    snooze: float | None = None
    #: The value of a Poussetaches-Outcome that means nothing.
    unclear: str = ""
    #: Its body is follow-up tasks.
    tasks: bool = False


NOTHING = Steering()


def steering(headers: Iterable[tuple[bytes, bytes]]) -> Steering:
    """What the headers of an answer ask for: ``Poussetaches-Outcome: dead``, or
    ``snooze; after=SECONDS``; several of them are none, as each may be meant. And
    whether there are tasks in it."""
    outcomes = []
    tasks = False
    # Every answer comes by here. Most of it is not looked at twice, for its length.
    for name, value in headers:
        if len(name) == 12:
            tasks = tasks or (len(value) >= len(TASKS) and _is_tasks(name, value))
        elif len(name) == 20 and name.lower() == b"poussetaches-outcome":
            outcomes.append(value)
    if outcomes:
        text = b", ".join(outcomes).decode("latin-1").strip()
        return _read(text)._replace(tasks=tasks)
    return _TASKS_ONLY if tasks else NOTHING


_TASKS_ONLY = Steering(tasks=True)


def _is_tasks(name: bytes, value: bytes) -> bool:
    media_type = value.partition(b";")[0].strip().lower()
    return name.lower() == b"content-type" and media_type == TASKS


def _read(text: str) -> Steering:
    if text.lower() == "dead":
        return Steering(dead=True)
    if given := _SNOOZE.fullmatch(text):
        # What has more digits than this is too long anyway, and costs time to read.
        if len(given[1].lstrip("0")) > 9:
            return Steering(snooze=LONGEST_SNOOZE)
        seconds = float(given[1] + (given[2] or "")[:10])
        return Steering(snooze=min(max(seconds, SHORTEST_SNOOZE), LONGEST_SNOOZE))
    return Steering(unclear=text or "(empty)")
