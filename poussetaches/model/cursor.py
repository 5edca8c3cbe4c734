"""The cursor: where a page ends, as text that the next one is asked for with."""

from __future__ import annotations

import math

from poussetaches.errors import InvalidInput
from poussetaches.model.line import Position


def read_cursor(cursor: str | None) -> Position | None:
    """Where a page begins; None: at the start. Raises InvalidInput for what no page has
    ended with."""
    if cursor is None:
        return None
    try:
        eta, order = cursor.split(",")
        position = float(eta), int(order)
        if not math.isfinite(position[0]):
            raise ValueError(eta)
    except ValueError:
        raise InvalidInput("cursor: not one that a page gave", field="cursor") from None
    return position


def write_cursor(position: Position | None) -> str | None:
    """The same, the other way."""
    return None if position is None else "{!r},{}".format(*position)
