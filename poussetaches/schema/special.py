"""What few pushes ask of the supervisor: moments, waits, callbacks, a group; and what
only a schedule has."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from poussetaches.errors import InvalidInput
from poussetaches.model.backoff import Growth
from poussetaches.model.target import parse_target
from poussetaches.model.task import Special
from poussetaches.schema.mask import shown_url
from poussetaches.schema.words import (
    check_length,
    check_number,
    check_word,
    invalid,
)

#: Seconds.
HUNDRED_YEARS = 100 * 366 * 86_400.0
THIRTY_DAYS = 30 * 86_400.0
LEAST_TIMEOUT = 0.01

MOST_WAITS = 100
#: More doublings than that are as good as no limit.
MOST_DOUBLINGS = 1000

#: Characters, of ``group`` and of ``name``.
LONGEST_NAME = 255
#: What no ``name`` has in it.
CONTROLS = r"\x00-\x1f\x7f-\x9f"
_CONTROL = re.compile(f"[{CONTROLS}]")

MISSED = ("one", "none", "all")
OVERLAP = ("skip", "queue")

#: Of a task that asks for nothing.
NOTHING = Special()


class GrowthBody(msgspec.Struct, forbid_unknown_fields=True):
    """``backoff`` as a rule."""

    #: Seconds, as ``max``.
    min: float
    max: float | None = None
    doublings: int | None = None


def read_growth(given: GrowthBody) -> Growth:
    """The rule that was given."""
    return Growth(given.min, given.max, given.doublings)


def check_special(special: Special) -> None:
    """Raise InvalidInput for what no push may ask for. How far away moments are, and
    the time zone, is not looked at."""
    if special.timeout is not None:
        check_number("timeout", special.timeout, LEAST_TIMEOUT, THIRTY_DAYS, "seconds")
    if len(special.waits) > MOST_WAITS:
        raise invalid("backoff", f"has more than {MOST_WAITS} waits")
    for wait in special.waits:
        check_number("backoff", wait, 0, THIRTY_DAYS, "seconds")
    if special.growth is not None:
        _check_growth(special.growth)
    if special.group:
        check_length("group", special.group, LONGEST_NAME)
    if special.name:
        check_length("name", special.name, LONGEST_NAME)
        if _CONTROL.search(special.name):
            # It is part of a path.
            raise invalid("name", "must have no control characters")
    check_word("missed", special.missed, MISSED)
    check_word("overlap", special.overlap, OVERLAP)
    eta, expires = special.eta, special.expires
    if eta is not None and expires is not None and expires < eta:
        raise invalid("expires", "lies before eta, so nothing could be delivered")
    for field in ("roll_back", "on_success"):
        if url := getattr(special, field):
            origin_of(url, field)


def check_kind(special: Special, schedule: str) -> None:
    """Raise InvalidInput for what a schedule alone may ask for, or may not."""
    if schedule:
        if special.eta is not None:
            raise invalid("eta", "a schedule says itself when it runs")
        if special.expires is not None:
            raise invalid("expires", "would end every run of a schedule at one moment")
        return
    for field in ("name", "timezone", "missed", "overlap"):
        if getattr(special, field) != getattr(NOTHING, field):
            raise invalid(field, "only a schedule has it, and there is none")


def check_moments(special: Special, now: float) -> None:
    """Raise InvalidInput for posix seconds further than a hundred years from now."""
    for field in ("eta", "expires"):
        moment = getattr(special, field)
        if moment is not None and not abs(moment - now) <= HUNDRED_YEARS:
            raise invalid(
                field,
                f"{moment:.15g} is no moment within a hundred years, in posix seconds",
            )


def origin_of(url: str, field: str = "url") -> str:
    """Where the URL in ``field`` leads (``Target.origin_text``). Raises
    InvalidInput."""
    try:
        return parse_target(url).origin_text
    except InvalidInput as error:
        raise in_field(field, error) from None


def in_field(field: str, error: InvalidInput) -> InvalidInput:
    """What is wrong with a URL, which stands in ``field``."""
    if field == "url":
        return error
    return invalid(field, error.message.removeprefix("The url "))


def special_json(special: Special | None) -> dict[str, Any]:
    """What is shown of ``special``: what a push must say for it."""
    if special is None:
        return {}
    shown = special._asdict()
    for field in ("roll_back", "on_success"):
        shown[field] = shown_url(shown[field])
    waits, growth = shown.pop("waits"), shown.pop("growth")
    if growth is not None:
        rule = {"min": growth.least, "max": growth.most, "doublings": growth.doublings}
        shown["backoff"] = {k: v for k, v in rule.items() if v is not None}
    elif waits:
        shown["backoff"] = waits
    usual = NOTHING._asdict()
    return {k: v for k, v in shown.items() if k not in usual or v != usual[k]}


def _check_growth(growth: Growth) -> None:
    check_number("backoff", growth.least, 0, THIRTY_DAYS, "seconds")
    if growth.most is not None:
        check_number("backoff", growth.most, 0, THIRTY_DAYS, "seconds")
        if growth.most < growth.least:
            raise invalid("backoff", "max is less than min")
    if growth.doublings is not None:
        check_number("backoff", growth.doublings, 0, MOST_DOUBLINGS, "doublings")
