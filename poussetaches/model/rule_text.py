"""The text of a rule: what may be written as a schedule, and what it is read as.

White space around the text is ignored, and any white space parts its fields.

- Five fields: minute, hour, day of month, month, day of week; six: second first.
  A field is ``*`` (or ``?``), a value, a range ``1-5``, a step ``*/5``, ``10-50/5`` or
  ``10/5`` (from 10 to the end), or a list of these. Months and days of the week have
  names (``jan``, ``MON``); Sunday is 0 or 7.
- ``@yearly @annually @monthly @weekly @daily @midnight @hourly``.
- ``@every 1h30m``: a duration as Go writes them, cut to whole seconds, at least one.

croniter reads more than cron has (``R`` random, ``30-10`` as two ranges, ``JAN-JAN`` as
the whole year, ``*/99999``), and an application that wrote one of these meant something
else. So a line is checked here, and only then given to croniter, in ``schedule.py``.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

from poussetaches.errors import InvalidInput

#: Characters a rule may have: what bounds the cost of reading one.
MAX_LENGTH = 256
#: Seconds: the longest duration Go can hold, 292 years.
MAX_PERIOD = 2**63 // 10**9

_NAMED_RULES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: Seconds in each of Go's units of time; Unicode has two letters for micro.
_UNITS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "\u00b5s": Fraction(1, 10**6),
    "\u03bcs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_DURATION_PART = rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)({'|'.join(_UNITS)})"
_DURATION = re.compile(rf"\+?(?:{_DURATION_PART})+")
_ITEM = re.compile(
    r"(?P<first>[*?]|[0-9]+|[a-z]+)(-(?P<last>[0-9]+|[a-z]+))?(/(?P<step>[0-9]+))?"
)


class _Field(NamedTuple):
    """What one field may hold."""

    #: What people call it.
    name: str
    #: The lowest and the highest value that may be written.
    low: int
    high: int
    #: How many different values there are; Sunday is written 0 or 7 but is one.
    size: int
    #: The values that have names.
    names: dict[str, int]


# Not from the calendar module: that one speaks the language of the machine.
# fmt: off
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun",
           "jul", "aug", "sep", "oct", "nov", "dec")
# fmt: on
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("second", 0, 59, 60, {}),
    _Field("minute", 0, 59, 60, {}),
    _Field("hour", 0, 23, 24, {}),
    _Field("day of month", 1, 31, 31, {}),
    _Field("month", 1, 12, 12, {name: n for n, name in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 7, 7, {name: n for n, name in enumerate(_WEEKDAYS)}),
)


def read_rule(text: str) -> int | str:
    """The seconds between two runs, or a line that croniter reads as cron would.

    Raises InvalidInput with a sentence saying what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise invalid_schedule(f"longer than {MAX_LENGTH} characters")
    words = text.split()
    if not words:
        raise invalid_schedule("empty")
    if not words[0].startswith("@"):
        return _cron_line(words)
    name, arguments = words[0].lower(), words[1:]
    if name == "@every" and len(arguments) == 1:
        return _seconds(arguments[0])
    if name in _NAMED_RULES and not arguments:
        return _NAMED_RULES[name]
    known = ", ".join(_NAMED_RULES)
    raise invalid_schedule(f"{text!r} is none of {known}, or like '@every 1h30m'")


def invalid_schedule(reason: str) -> InvalidInput:
    """The error for a schedule that cannot be accepted because of ``reason``."""
    return InvalidInput(f"schedule: {reason}", field="schedule")


def _seconds(text: str) -> int:
    if not _DURATION.fullmatch(text):
        raise invalid_schedule(f"{text!r} is not a duration like 1h30m, 90s or 1.5h")
    parts = re.findall(_DURATION_PART, text)
    seconds = math.floor(sum(Fraction(number) * _UNITS[unit] for number, unit in parts))
    if not 1 <= seconds <= MAX_PERIOD:
        raise invalid_schedule(f"{text!r} is not between one second and 292 years")
    return seconds


def _cron_line(words: list[str]) -> str:
    if len(words) not in (5, 6):
        raise invalid_schedule(
            "wanted are five fields (minute, hour, day of month, month, day of week),"
            f" or six, with the second first; {' '.join(words)!r} has {len(words)}"
        )
    words = [word.lower() for word in words]
    for kind, word in zip(_FIELDS[-len(words) :], words, strict=True):
        for item in word.split(","):
            _check_item(kind, item)
    return " ".join(words).replace("?", "*")


def _check_item(kind: _Field, item: str) -> None:
    match = _ITEM.fullmatch(item)
    here = f"{kind.name} {item!r}"
    if not match:
        raise invalid_schedule(f"{here} is not a value, a range or a step")
    if match["step"] and not 1 <= int(match["step"]) <= kind.size:
        raise invalid_schedule(f"{here}: a step is from 1 to {kind.size}")
    if match["first"] in ("*", "?"):
        if match["last"]:
            raise invalid_schedule(f"{here}: a range goes from a value to a value")
        return
    first = _value(kind, match["first"])
    if match["last"]:
        if first >= _value(kind, match["last"]):
            raise invalid_schedule(f"{here}: a range goes from low to high")
    elif match["step"] and first >= kind.low + kind.size:
        raise invalid_schedule(f"{here}: write Sunday as 0 to step on from it")


def _value(kind: _Field, text: str) -> int:
    value = int(text) if text.isdigit() else kind.names.get(text)
    if value is None or not kind.low <= value <= kind.high:
        names = f" (or {' '.join(kind.names)})" if kind.names else ""
        raise invalid_schedule(
            f"{kind.name} {text!r} is not from {kind.low} to {kind.high}{names}"
        )
    return value
