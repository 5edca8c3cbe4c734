"""Retry-After: for how long a target asks to be left alone. Pure: no I/O, no clock."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable

#: Longer than this nobody has to wait at a target's word, seconds.
LONGEST = 24 * 3600.0

#: RFC 9110 has whole seconds; some rate limiters send 2.0 all the same.
_SECONDS = re.compile(r"([0-9]+)(?:\.[0-9]+)?")
#: The three forms of a date in RFC 9110: its own, that of RFC 850, and asctime's.
_DATES = (
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
)


def retry_after(headers: Iterable[tuple[bytes, bytes]], now: float) -> float:
    """Seconds, at most LONGEST; 0.0 if nothing is asked, or nothing that makes sense.

    Of several such headers, the one that asks for most counts. ``now``: posix seconds.
    """
    asked = [
        _seconds(value.decode("latin-1").strip(), now)
        for name, value in headers
        if name.lower() == b"retry-after"
    ]
    return min(max(asked, default=0.0), LONGEST)


def _seconds(text: str, now: float) -> float:
    if number := _SECONDS.fullmatch(text):
        # What has more digits than this is too long anyway, and costs time to read.
        return LONGEST if len(number[1].lstrip("0")) > 9 else float(text)
    for form in _DATES:
        try:
            date = time.strptime(text, form)
        except ValueError:
            continue
        return max(0.0, calendar.timegm(date) - now)
    return 0.0
