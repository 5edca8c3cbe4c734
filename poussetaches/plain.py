"""Text of strangers, as people may be shown it."""

from __future__ import annotations


def plain(value: object) -> str:
    """As one line, and ``harmless``."""
    return harmless(" ".join(str(value).split()))


def harmless(text: str) -> str:
    """What does nothing to a terminal, whatever a stranger answered."""
    return "".join(one if one.isprintable() else spelled(one) for one in text)


def spelled(character: str) -> str:
    """By its number, as in Python: what cannot be seen, or turns round what can."""
    return character.encode("unicode_escape").decode("ascii")
