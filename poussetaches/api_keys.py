"""The keys of the HTTP interface, as a setting: what is one, and how many there are.

What a request's key lets it do is the api's business (``api/access.py``).
"""

from __future__ import annotations

import re

#: Characters of a key: whoever may try a thousand a second for a year has no chance.
SHORTEST = 16
#: All are compared with each request.
MOST = 16


def parse_keys(text: str) -> tuple[str, ...]:
    """Keys, and pairs of ``user:password``, with commas or blanks between them.

    Raises ValueError, with the end of a sentence that shows none of them.
    """
    keys = tuple(one for one in re.split(r"[,\s]+", text) if one)
    if len(keys) > MOST:
        raise ValueError(f"is more than {MOST} keys")
    if len(set(keys)) < len(keys):
        raise ValueError("has the same key twice")
    for key in keys:
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise ValueError("has a key with characters other than printable ASCII")
        user, colon, password = key.partition(":")
        if colon and not (user and password):
            raise ValueError("has a user:password without a user or a password")
        if not colon and len(key) < SHORTEST:
            raise ValueError(
                f"has a key of {len(key)} characters; it takes {SHORTEST} or more"
                " (`openssl rand -hex 16` makes one)"
            )
    return keys


def show_keys(keys: tuple[str, ...]) -> str:
    """A text that ``parse_keys`` takes."""
    return " ".join(keys)
