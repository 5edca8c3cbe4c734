"""A batch: many pushes in one body."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from poussetaches.errors import InvalidInput, TooLarge
from poussetaches.model.rules import Rules
from poussetaches.schema.json import decoded
from poussetaches.schema.push import (
    ID_BYTES,
    NO_QUEUES,
    PushRequest,
    Queues,
    read_push,
)

#: All of them happen at one moment, for which everything else waits.
MOST_PUSHES = 10_000
#: Among them: to find the first slot of one takes fifty times as long as a task does.
MOST_SCHEDULES = 100

# First taken apart: so it is known how many there are before anything is made of them,
# and what is wrong with one is the same as without others.
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_lines = msgspec.json.Decoder(msgspec.Raw).decode_lines


def parse_batch(
    body: bytes,
    rules: Rules,
    max_payload: int | None = None,
    queues: Queues = NO_QUEUES,
    *,
    lines: bool = False,
) -> Iterator[PushRequest]:
    """What ``POST /batch`` asks for, in order: a JSON array of pushes, or (``lines``)
    one JSON object a line.

    Raises InvalidInput naming the element, counted from 0, the field and the reason:
    for what cannot be read before the first of them, for the rest when it is its turn.
    """
    try:
        many = decoded(_decode_lines if lines else _decode_array, body, "The body")
    except msgspec.ValidationError:
        raise InvalidInput("The body must be a JSON array of pushes.") from None
    if not 1 <= len(many) <= MOST_PUSHES:
        few = InvalidInput("A batch has at least one push.")
        raise TooLarge(f"A batch has at most {MOST_PUSHES} pushes.") if many else few
    ids = os.urandom(ID_BYTES * len(many)).hex()
    width = 2 * ID_BYTES
    schedules = 0
    for number, raw in enumerate(many):
        id = ids[number * width : (number + 1) * width]
        try:
            asked = read_push(raw, "It", id, rules, max_payload, queues)
        except InvalidInput as error:
            raise _of_element(number, error) from None
        schedules += asked.schedule != ""
        if schedules > MOST_SCHEDULES:
            raise TooLarge(f"A batch has at most {MOST_SCHEDULES} schedules.")
        yield asked


def _of_element(number: int, error: InvalidInput) -> InvalidInput:
    """What is wrong with one push of many."""
    field = None if error.field is None else f"[{number}].{error.field}"
    return type(error)(f"Element {number}: {error.message}", field=field)
