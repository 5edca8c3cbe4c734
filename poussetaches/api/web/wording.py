"""Counts, rates, sizes and sentences, as the page tells them. Pure."""

from __future__ import annotations

UNITS = ("kB", "MB", "GB")


def number(count: float) -> str:
    """A count, readable."""
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """How many of what: ``1 task``, ``1,200 tasks``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def rate(each_second: float) -> str:
    """With as many places as tell something."""
    if each_second == 0:
        return "0"
    places = 0 if each_second >= 100 else 1 if each_second >= 1 else 2
    return f"{each_second:,.{places}f}"


def size(count: float | None) -> str:
    """Bytes, in the unit that makes them short."""
    if count is None:
        return ""
    if count < 1000:
        return f"{count:.0f} bytes"
    power = 1
    while count >= 1000 ** (power + 1) and power < len(UNITS):
        power += 1
    count /= 1000**power
    return f"{count:.{0 if count >= 10 else 1}f} {UNITS[power - 1]}"


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
