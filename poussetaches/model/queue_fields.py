"""What may be said of a queue, field by field, and what that means.

The names are those of the configuration file, of the public JSON and of the command
line alike; a value is one that JSON can have. Two *layers* make a queue, what its
section in the file says and what was said while running; each has the values of
``QueueSettings.to_wire``, by its names.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from poussetaches.errors import InvalidInput
from poussetaches.model.backoff import FOR_EVER, Growth
from poussetaches.model.headers import read_headers, shown_headers
from poussetaches.model.limiter import UNITS, Rate
from poussetaches.model.target import hide_password, parse_target

#: Stands for None where there may be no limit.
UNLIMITED = "unlimited"
#: Stands for no limit where a number must stand.
NO_LIMIT = -1

#: Seconds: the longest wait, timeout, or time between two attempts.
LONGEST = 30 * 86_400.0
#: The shortest timeout, seconds.
SHORTEST_TIMEOUT = 0.01
MOST_CONCURRENCY = 100_000
#: Of a burst, and of retries: more are as good as any number.
MOST = 1_000_000
MOST_DOUBLINGS = 1000

#: What a rule for waits is that says nothing: taskqueue's defaults.
PLAIN_GROWTH = Growth(0.0)

#: Of the name of a queue.
NAME_PATTERN = r"[A-Za-z0-9_.:\-]{1,100}"

#: Attempts in a unit of time.
RATE_PATTERN = r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?/ ?([smhd])"

_NAME = re.compile(NAME_PATTERN)
_RATE = re.compile(RATE_PATTERN)


def check_name(name: str) -> str:
    """``name``, if a queue may be called so. Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        shown = json.dumps(name[:120], ensure_ascii=False)
        raise InvalidInput(
            f"queue: {shown} is no name of a queue, which has 1 to 100 letters, digits,"
            " and _ . : -",
            field="queue",
        )
    return name


def read_rate(text: str) -> Rate:
    """``21.5/m``: so many attempts per second, minute, hour or day. Raises ValueError
    with the end of a sentence."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError("is not a rate, such as 10/s, 21.5/m, 5/h or 1/d")
    attempts, unit = float(found[1]), found[2]
    if attempts <= 0:
        raise ValueError("lets nothing begin, ever; pause the queue instead")
    if UNITS[unit] / attempts > LONGEST:
        raise ValueError("is less than one attempt in 30 days")
    return Rate(attempts, unit)


# --- the fields -----------------------------------------------------------------------


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        # True is 1 for Python, and 2.0 is 2 for people who write JSON by hand.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("is not a whole number")
        if not least <= value <= most:
            raise ValueError(f"is not from {least} to {most}")
        return value

    return check


def _seconds(least: float, most: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError("is not a number of seconds")
        if not least <= value <= most:
            raise ValueError(f"is not from {least:g} to {most:g} seconds")
        return float(value)

    return check


def _or_unlimited(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value == UNLIMITED else check(value)


def _rate(value: Any) -> Rate:
    if not isinstance(value, str):
        raise ValueError("is not a rate, such as 10/s, 21.5/m, 5/h or 1/d")
    return read_rate(value.strip())


def _max_backoff(value: Any) -> float:
    if value == NO_LIMIT and not isinstance(value, bool):
        return NO_LIMIT
    return _seconds(0, LONGEST)(value)


def _base_url(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")
    if value:
        try:
            parse_target(value)
        except InvalidInput as error:
            raise ValueError(
                error.message.removeprefix("The url ").rstrip(".")
            ) from None
    return value


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    ):
        raise ValueError("is not an object of names and texts")
    try:
        return read_headers(value)
    except InvalidInput as error:
        why = error.message.removeprefix("headers: ").rstrip(".")
        raise ValueError(f"cannot be sent: {why}") from None


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


#: The check of each field: from a value of JSON to the one of QueueSettings, or, of the
#: three that make its backoff, to a number. Raises ValueError with the end of a
#: sentence.
CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "concurrency": _or_unlimited(_whole(1, MOST_CONCURRENCY)),
    "rate": _or_unlimited(_rate),
    "burst": _whole(1, MOST),
    "retry_limit": _whole(FOR_EVER, MOST),
    "min_backoff_seconds": _seconds(0, LONGEST),
    "max_backoff_seconds": _max_backoff,
    "max_doublings": _whole(NO_LIMIT, MOST_DOUBLINGS),
    "timeout": _seconds(SHORTEST_TIMEOUT, LONGEST),
    "base_url": _base_url,
    "paused": _switch,
    "headers": _headers,
}

#: All of them, in the order in which people see them.
FIELDS = tuple(CHECKS)
#: Those that together are ``QueueSettings.backoff``, and what each is called there.
GROWTH_FIELDS = {
    "min_backoff_seconds": "least",
    "max_backoff_seconds": "most",
    "max_doublings": "doublings",
}


def check_field(name: str, value: Any) -> Any:
    """``value`` as it is used, if field ``name`` may have it. Raises InvalidInput."""
    check = CHECKS.get(name)
    if check is None:
        near = nearest(name, FIELDS)
        raise InvalidInput(
            f"{name:.100}: is not a setting of a queue{near}", field=name
        )
    try:
        return check(value)
    except ValueError as error:
        told = f" {_told(name, value)}"
        raise InvalidInput(f"{name}:{told} {error}", field=name) from None


def nearest(name: str, names: tuple[str, ...]) -> str:
    """What of ``names`` may have been meant, as the end of a sentence."""
    near = difflib.get_close_matches(name, names, 1)
    return f", did you mean {near[0]}?" if near else ""


def _told(name: str, value: Any) -> str:
    if name in {"headers", "base_url"}:
        return "it"  # may hold a secret
    try:
        return f"{json.dumps(value, ensure_ascii=False):.100}"
    except (TypeError, ValueError):
        return "it"


# --- layers ---------------------------------------------------------------------------


def change(
    layer: Mapping[str, Any],
    below: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> dict[str, Any]:
    """``layer`` after ``changes`` (a value by the name of a field; None: what ``below``
    says from now on), where ``below`` is the layer under it. Raises InvalidInput."""
    changed = dict(layer)
    for name, value in changes.items():
        if name in GROWTH_FIELDS:
            continue
        if value is None:
            check_known(name)
            changed.pop(name, None)
        else:
            changed[name] = _plain(check_field(name, value))
    asked = {name: changes[name] for name in GROWTH_FIELDS if name in changes}
    if asked:
        base = _growth(below)
        growth = _growth(changed, base)
        for name, value in asked.items():
            part = GROWTH_FIELDS[name]
            one = getattr(base, part) if value is None else check_field(name, value)
            if one == NO_LIMIT:
                one = None
            growth = growth._replace(**{part: one})
        if growth == base and set(asked.values()) == {None}:
            changed.pop("backoff", None)
        else:
            changed["backoff"] = list(growth)
    return changed


def check_known(name: str) -> None:
    """Raises InvalidInput if there is no such field."""
    if name not in CHECKS:
        check_field(name, None)


def _growth(layer: Mapping[str, Any], base: Growth = PLAIN_GROWTH) -> Growth:
    given = layer.get("backoff")
    return base if given is None else Growth(*given)


def _plain(value: Any) -> Any:
    """As it is on the wire, where a tuple is a list."""
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def shown(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer by the names of the fields, for people: secrets are masked."""
    given: dict[str, Any] = {}
    for name in FIELDS:
        if name in GROWTH_FIELDS:
            if layer.get("backoff") is not None:
                one = getattr(_growth(layer), GROWTH_FIELDS[name])
                given[name] = NO_LIMIT if one is None else one
        elif name in layer:
            given[name] = _SHOW.get(name, lambda value: value)(layer[name])
    return given


_SHOW: Mapping[str, Callable[[Any], Any]] = {
    "concurrency": lambda value: UNLIMITED if value is None else value,
    "rate": lambda value: UNLIMITED if value is None else str(Rate(*value)),
    "base_url": hide_password,
    "headers": shown_headers,
}
