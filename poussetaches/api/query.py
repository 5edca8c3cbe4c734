"""What the query of a request says."""

from __future__ import annotations

from bottle import request

from poussetaches.errors import InvalidInput


def query_number(name: str, *, usual: int, most: int) -> int:
    """The number of that name, from 1 to ``most``; ``usual`` if there is none.

    Raises InvalidInput.
    """
    given = request.query.get(name)
    if given is None:
        return usual
    digits = given.isascii() and given.isdigit() and len(given) <= 6
    if not digits or not 1 <= int(given) <= most:
        raise InvalidInput(f"{name}: must be a number from 1 to {most}", field=name)
    return int(given)
