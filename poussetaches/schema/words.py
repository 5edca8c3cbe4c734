"""What is wrong with a field, in the same words whichever field it is."""

from __future__ import annotations

from collections.abc import Collection

from poussetaches.errors import InvalidInput


def invalid(field: str, reason: str) -> InvalidInput:
    """The error that says what is wrong with ``field``."""
    return InvalidInput(f"{field}: {reason}", field=field)


def check_length(field: str, text: str, most: int) -> None:
    """Raise InvalidInput for a text of no characters, or more than ``most``."""
    if not 1 <= len(text) <= most:
        raise invalid(field, f"must have 1 to {most} characters, not {len(text)}")


def check_number(
    field: str, number: float, least: float, most: float, unit: str
) -> None:
    """Raise InvalidInput for what is not from ``least`` to ``most``, or no number."""
    if not least <= number <= most:
        # A whole number may have more digits than any float can.
        told = f"{number:.10g}" if isinstance(number, float) else f"{number!s:.50}"
        raise invalid(
            field, f"must be from {least:,.10g} to {most:,.10g} {unit}, not {told}"
        )


def check_word(field: str, word: str, words: Collection[str]) -> None:
    """Raise InvalidInput for a word that is none of ``words``."""
    if word not in words:
        raise invalid(field, f"must be one of {', '.join(words)}, not {word[:50]!r}")
