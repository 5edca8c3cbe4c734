"""Secrets that a task was given for its target: what is shown in their place, and what
it means when that comes back. ``model/headers.py`` says which headers are secret.

``store export``, which only who owns the data directory can run, masks nothing: what it
writes is to be imported again.
"""

from __future__ import annotations

from poussetaches.model.headers import MASK, Headers, is_secret
from poussetaches.model.target import hide_password
from poussetaches.schema.words import invalid


def shown_url(url: str) -> str:
    """``url`` as anybody may see it, who may see tasks."""
    return hide_password(url) if "@" in url else url


def meant_url(given: str, before: str, field: str = "url") -> str:
    """The URL that is meant by one ``given`` in ``field`` by somebody who was shown
    ``before``: the same URL, if it is as that was shown. Raises InvalidInput for a
    mask around anything else."""
    if given == shown_url(before):
        return before
    if f"//{MASK}@" in given:
        raise invalid(
            field,
            f"{MASK} stands for a user and a password, say them or leave {field} out",
        )
    return given


def meant_headers(given: Headers, before: Headers) -> Headers:
    """The same for ``headers``, each of its own: a value that is as it was shown stays
    what it is. Raises InvalidInput for a mask where there was no secret."""
    values = {name.lower(): value for name, value in before}
    return tuple((name, _meant(name, value, values)) for name, value in given)


def _meant(name: str, value: str, before: dict[str, str]) -> str:
    if value != MASK or not is_secret(name):
        return value
    if name.lower() not in before:
        raise invalid("headers", f"{name:.100}: {MASK} stands for a secret, say it")
    return before[name.lower()]
