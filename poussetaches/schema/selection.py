"""Which tasks are meant: what a query, or the body of a request, says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model.cursor import read_cursor
from poussetaches.model.filter import ALL, Filter
from poussetaches.model.listing import LISTS, RUNS
from poussetaches.model.task import NO_ANSWER
from poussetaches.schema.json import read_object
from poussetaches.schema.special import origin_of

#: What a filter may say, and what one of dead letters may.
FILTERS = ("queue", "url", "origin", "status", "text")
DEAD_FILTERS = ("cause", *FILTERS)
STATES = tuple(name for name in LISTS if name != RUNS)
#: The most ids that a selection may name.
MOST_IDS = 10_000
#: Characters of a text in a filter.
LONGEST_TEXT = 8000
#: Characters of an id, of a task or of the run of a schedule.
LONGEST_ID = 40
#: The most statuses that a filter may name.
MOST_STATUSES = 50
#: The most that a selection may be limited to.
MOST_CLEARED = 10**9
#: Posix seconds that may be named: far more than any moment has.
LATEST = 1e11
#: Characters of the id of a cause.
CAUSE_ID = 16


class Selection(NamedTuple):
    """Dead letters that something is to be done with."""

    #: None: all that fit ``filter``.
    ids: list[str] | None
    filter: Filter = ALL
    #: How many of them at most; None: all.
    limit: int | None = None
    #: Where to go on, of an answer: those that had died by ``before`` (posix seconds),
    #: beyond a cursor of the list. None: from the start, those that have by now.
    before: float | None = None
    cursor: str | None = None


def parse_filter(given: Mapping[str, Any]) -> Filter:
    """What ``given`` says under the names of DEAD_FILTERS; whatever else stands there
    is somebody else's. Raises InvalidInput naming the field and the reason."""
    names = ("queue", "url", "origin", "cause", "text")
    text = {name: _text(given, name) for name in names}
    cause = text["cause"]
    if cause is not None and not _is_cause(cause):
        raise InvalidInput(
            f"cause: must be {CAUSE_ID} hex digits, as GET /dead/groups gives them",
            field="cause",
        )
    origin = text["origin"]
    return Filter(
        text["queue"],
        None if origin is None else origin_of(origin, "origin"),
        (text["url"] or "").encode(),
        () if given.get("status") is None else _statuses(given["status"]),
        cause,
        (text["text"] or "").encode().lower(),
    )


def parse_states(text: str) -> tuple[str, ...]:
    """The states that ``text`` names, with commas between them. Raises InvalidInput."""
    # Once each: the supervisor is asked for no more lists than there are.
    states = tuple(dict.fromkeys(text.split(",")))
    for state in states:
        if state not in STATES:
            raise InvalidInput(
                f"state: {state!r:.50} is none of {', '.join(STATES)}", field="state"
            )
    return states


def parse_selection(body: bytes) -> Selection:
    """The dead letters that ``body`` names: ``ids``, filters, or ``all``; and one kind
    of these only, so that nobody is taken at half their word.

    Raises InvalidInput naming the field and the reason.
    """
    return read_selection(read_object(body or b"{}"))


def read_selection(given: Mapping[str, Any]) -> Selection:
    """The same, of an object."""
    for name in given:
        if name not in ("ids", "all", "limit", "cursor", *DEAD_FILTERS):
            raise InvalidInput(f"{name}: there is no such field", field=name)
    filters = [name for name in DEAD_FILTERS if given.get(name) is not None]
    all_, ids, limit = given.get("all"), given.get("ids"), given.get("limit")
    if all_ not in (None, False, True):
        raise InvalidInput("all: must be true", field="all")
    kinds = [bool(all_), ids is not None, bool(filters)]
    if sum(kinds) > 1:
        raise InvalidInput("One of ids, filters and all must be given, and no other.")
    if sum(kinds) == 0:
        raise InvalidInput(
            'Nothing is selected: give ids, filters, or {"all": true} for everything.'
        )
    if limit is not None and (
        not isinstance(limit, int)
        or isinstance(limit, bool)
        or not 1 <= limit <= MOST_CLEARED
    ):
        raise InvalidInput(
            f"limit: must be a number from 1 to {MOST_CLEARED}", field="limit"
        )
    if ids is not None:
        _check_ids(ids)
        if given.get("cursor") is not None:
            raise InvalidInput("cursor: ids have none", field="cursor")
        return Selection(list(dict.fromkeys(ids)), ALL, limit)
    selection = Selection(None, parse_filter(given), limit)
    cursor = _text(given, "cursor")
    return selection if cursor is None else _going_on(selection, cursor)


def clearing_cursor(before: float, cursor: str) -> str:
    """What ``read_selection`` reads as the ``cursor`` of a selection."""
    return f"{before!r},{cursor}"


def _going_on(selection: Selection, cursor: str) -> Selection:
    before, _, rest = cursor.partition(",")
    try:
        moment = float(before)
        read_cursor(rest)
    except (ValueError, InvalidInput):
        moment = math.inf
    if not abs(moment) <= LATEST:
        raise InvalidInput("cursor: not one that an answer gave", field="cursor")
    return selection._replace(before=moment, cursor=rest)


def _check_ids(ids: Any) -> None:
    if not isinstance(ids, list) or not ids:
        raise InvalidInput("ids: must be a list of ids of tasks", field="ids")
    if len(ids) > MOST_IDS:
        raise InvalidInput(f"ids: has more than {MOST_IDS} of them", field="ids")
    if not all(isinstance(id, str) and 0 < len(id) <= LONGEST_ID for id in ids):
        raise InvalidInput("ids: must be a list of ids of tasks", field="ids")


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(f"{name}: must be text", field=name)
    # Empty, it would let everything through: that is what a forgotten value looks like.
    if not value:
        raise InvalidInput(f"{name}: must not be empty", field=name)
    if len(value) > LONGEST_TEXT:
        raise InvalidInput(f"{name}: is too long", field=name)
    return value


def _statuses(value: Any) -> tuple[tuple[int, int], ...]:
    """Ranges of statuses: of 503, "503", "5xx", "none", or several with commas."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    words = value.split(",") if isinstance(value, str) else []
    ranges = [_range(word.strip()) for word in words[: MOST_STATUSES + 1]]
    if not ranges or None in ranges or len(ranges) > MOST_STATUSES:
        raise InvalidInput(
            "status: must be statuses such as 503, classes such as 5xx, or none (there"
            " was no answer), with commas between them",
            field="status",
        )
    return tuple(one for one in ranges if one is not None)


def _range(word: str) -> tuple[int, int] | None:
    if word == "none":
        return NO_ANSWER, NO_ANSWER
    if len(word) != 3 or word[0] not in "12345":
        return None
    if word[1:] == "xx":
        first = int(word[0]) * 100
        return first, first + 99
    if word.isascii() and word.isdigit():
        return int(word), int(word)
    return None


def _is_cause(text: str) -> bool:
    return len(text) == CAUSE_ID and not text.strip("0123456789abcdef")
