"""What the page says after something was done, by the word for it in the address.

Free text from an address is never shown: anybody could have made it.
"""

from __future__ import annotations

from collections.abc import Mapping

#: One, and several; without ``{n}`` the number does not matter.
DONE: Mapping[str, tuple[str, str]] = {
    "paused": ("Paused: no attempt begins until you resume.",) * 2,
    "resumed": ("Resumed: what is due is delivered again.",) * 2,
    "lifted": ("The origin is tried again now.", "{n} origins are tried again now."),
}


def done(word: str, count: str) -> str:
    """The sentence, "" for a word that is none."""
    if word not in DONE:
        return ""
    is_number = count.isascii() and count.isdigit() and len(count) <= 12
    number = int(count) if is_number else 1
    one, several = DONE[word]
    return one if number == 1 else several.format(n=f"{number:,}")
