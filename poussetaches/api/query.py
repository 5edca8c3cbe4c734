"""What the query of a request says, and its headers."""

from __future__ import annotations

from collections.abc import Collection

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


def query_texts(names: Collection[str], *, others: bool) -> dict[str, str]:
    """What is said under ``names``; ``others``: may be there, and mean nothing.

    Raises InvalidInput for what is no text, said twice, or not known: to leave out a
    misspelt filter would show, or delete, everything.
    """
    texts: dict[str, str] = {}
    for name, value in request.query.allitems():
        if name not in names:
            if not others:
                raise InvalidInput(f"{name:.50}: is not known here", field=name[:50])
            continue
        if name in texts:
            raise InvalidInput(f"{name}: is there twice", field=name)
        try:
            texts[name] = value.encode("latin-1").decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"{name}: is not UTF-8", field=name) from None
    return texts


def header(name: str) -> str:
    """The header of that name, as in the environ; "" if there is none. Not as bottle
    has it, which fails at what is not UTF-8."""
    value: str = request.environ.get(f"HTTP_{name}", "")
    return value
