"""``expected``: the status that means success, a class of them, or several."""

from __future__ import annotations

from poussetaches.model.task import Expected
from poussetaches.schema.words import invalid

#: A status that can be waited for: any that ends an exchange.
FIRST_STATUS, LAST_STATUS = 200, 599

CLASSES = ("2xx", "3xx", "4xx", "5xx")

#: In a list.
MOST_EXPECTED = 50

#: As it stands in JSON; 0 is the ancestor's way to say 200.
Given = int | str | list[int | str] | None


def read_expected(given: Given) -> Expected:
    """What is expected. Raises InvalidInput."""
    if not given and not isinstance(given, str | list):
        return 200
    expected = tuple(given) if isinstance(given, list) else given
    check_expected(expected)
    return expected


def check_expected(expected: Expected) -> None:
    """Raise InvalidInput for what no answer could be."""
    if not isinstance(expected, tuple):
        _check_one(expected)
        return
    if not 1 <= len(expected) <= MOST_EXPECTED:
        raise invalid(
            "expected", f"must be 1 to {MOST_EXPECTED} of them, not {len(expected)}"
        )
    for one in expected:
        _check_one(one)


def _check_one(one: int | str) -> None:
    if isinstance(one, str):
        if one not in CLASSES:
            raise invalid(
                "expected", f"{one[:50]!r} is no class, such as {', '.join(CLASSES)}"
            )
    elif not FIRST_STATUS <= one <= LAST_STATUS:
        raise invalid(
            "expected", f"{one} is no status from {FIRST_STATUS} to {LAST_STATUS}"
        )
