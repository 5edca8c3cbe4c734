"""Fields of a push as text: words of a command line, or what was filled in. Pure."""

from __future__ import annotations

import math
import re

from poussetaches.errors import InvalidInput


def read_expected(text: str) -> int | str | list[int | str]:
    """``200``, ``2xx``, or several with commas between; what no status is stays text,
    and is refused where all of a push is."""
    words = [word.strip() for word in text.split(",")]
    found: list[int | str] = [
        int(word) if re.fullmatch("[0-9]{1,9}", word) else word for word in words
    ]
    return found[0] if len(found) == 1 else found


def read_waits(text: str) -> list[float]:
    """``1,10,60``. Raises InvalidInput."""
    try:
        waits = [float(word) for word in text.split(",")]
    except ValueError:
        waits = [math.nan]
    if not all(map(math.isfinite, waits)):
        raise InvalidInput(
            "backoff: must be numbers with commas between, or JSON", field="backoff"
        )
    return waits


def is_json(text: str) -> bool:
    """Whether ``text`` is meant as an object or a list, not as words."""
    return text.lstrip().startswith(("{", "["))


def read_header(text: str) -> tuple[str, str]:
    """``Name: value``. Raises InvalidInput."""
    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidInput("header: must be 'Name: value'", field="header")
    return name.strip(), value.strip()
