"""The push: what an application asks for, read and found valid."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from poussetaches.errors import InvalidInput
from poussetaches.model.rules import Rules
from poussetaches.model.schedule import schedule_id
from poussetaches.model.target import parse_target
from poussetaches.model.task import PLAIN, Spec, Terms
from poussetaches.schema.json import decoded
from poussetaches.schema.payload import read_payload

#: A delay of a hundred years either way is a mistake; minutes.
LONGEST_DELAY = 100 * 366 * 24 * 60

#: More retries than that are as good as for ever (-1), and no sensible number.
MOST_RETRIES = 1_000_000

#: A status that can be waited for: any that ends an exchange.
FIRST_STATUS, LAST_STATUS = 200, 599

#: Of a task: 16 random bytes.
ID_BYTES = 16

#: Characters. A key is kept in memory for as long as it is known.
LONGEST_KEY = 255


class PushBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /``. ``null`` stands for the default, as for the ancestor."""

    url: str
    #: Base64, or the values of its bytes; null: none.
    payload: str | list[Annotated[int, msgspec.Meta(ge=0, le=255)]] | None = None
    #: 0 is the ancestor's way to say 200.
    expected: int | None = 200
    schedule: str | None = ""
    #: Minutes.
    delay: int | None = 0
    #: Seconds; only where ``delay`` says nothing.
    countdown: float | None = None
    #: How many attempts may follow the first one, -1: any number; null: the backoff's.
    max_retries: Annotated[int, msgspec.Meta(ge=-1, le=MOST_RETRIES)] | None = None
    #: The same key again is the same task.
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEY)] | None = (
        None
    )


class PushRequest(NamedTuple):
    """A push that was found valid."""

    #: Of the task, or of the schedule.
    id: str
    spec: Spec
    #: Seconds.
    delay: float
    schedule: str
    terms: Terms = PLAIN


def parse_push(
    body: bytes, rules: Rules, max_payload: int | None = None
) -> PushRequest:
    """What ``POST /`` asks for. Raises InvalidInput naming the field and the reason.

    ``max_payload``: bytes that a payload may have; None: any number.
    """
    return read_push(body, "The body", os.urandom(ID_BYTES).hex(), rules, max_payload)


def read_push(
    body: bytes | msgspec.Raw,
    subject: str,
    id: str,
    rules: Rules,
    max_payload: int | None,
) -> PushRequest:
    """The same. ``subject``: what ``body`` is, for people; ``id``: of the task, if it
    does not become a schedule."""
    given = _read(body, subject)
    origin = _origin(given.url)
    payload = read_payload(given.payload, max_payload)
    spec = Spec(given.url, payload, _expected(given.expected))
    delay = _delay(given.delay or 0, given.countdown)
    schedule = given.schedule or ""
    if schedule:
        rules.check(schedule)
        id = schedule_id(given.url, payload, schedule)
    terms = Terms(given.max_retries, _key(given.key, schedule), origin)
    return PushRequest(id, spec, delay, schedule, terms)


@lru_cache(maxsize=4096)
def _origin(url: str) -> str:
    return parse_target(url).origin_text


# --- reading ------------------------------------------------------------------------

_decoder = msgspec.json.Decoder(PushBody)


def _read(body: bytes | msgspec.Raw, subject: str) -> PushBody:
    """``subject``: what ``body`` is, for people."""
    try:
        return decoded(_decode_push, body, subject)
    except msgspec.ValidationError as error:
        raise _invalid_push(str(error), subject) from None


def _decode_push(body: bytes | msgspec.Raw) -> PushBody:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        return msgspec.convert(_with_folded_keys(msgspec.json.decode(body)), PushBody)


def _with_folded_keys(given: Any) -> Any:
    """Our names in lower case: the ancestor reads ``URL`` as ``url``."""
    if not isinstance(given, dict):
        return given
    known = PushBody.__struct_fields__
    return {k.lower() if k.lower() in known else k: v for k, v in given.items()}


_AT_FIELD = re.compile(r" - at `\$\.(\w+)[^`]*`$")
_NAMED_FIELD = re.compile(r"field `([^`]*)`")


def _invalid_push(text: str, subject: str) -> InvalidInput:
    """msgspec's finding in our words."""
    if found := _AT_FIELD.search(text):
        reason = text[: found.start()]
        return InvalidInput(f"{found[1]}: {_lower_first(reason)}", field=found[1])
    if found := _NAMED_FIELD.search(text):
        name = found[1][:100]
        problem = "is missing" if "missing" in text else "is not a field of a push"
        return InvalidInput(f"{name}: {problem}", field=name)
    if text.startswith("Expected `object`"):
        return InvalidInput(f"{subject} must be a JSON object.")
    return InvalidInput(f"{subject} cannot be read: {_lower_first(text)}.")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _expected(given: int | None) -> int:
    expected = given or 200
    if not FIRST_STATUS <= expected <= LAST_STATUS:
        raise InvalidInput(
            f"expected: {expected} is no status from {FIRST_STATUS} to {LAST_STATUS}",
            field="expected",
        )
    return expected


def _key(given: str | None, schedule: str) -> str:
    if given and schedule:
        raise InvalidInput(
            "key: a schedule needs none, pushing the same one again changes nothing",
            field="key",
        )
    return given or ""


def _delay(minutes: int, seconds: float | None) -> float:
    """Seconds, whichever field they were given in."""
    if seconds is None:
        if abs(minutes) > LONGEST_DELAY:
            raise InvalidInput(
                f"delay: {minutes} minutes is more than a hundred years", field="delay"
            )
        return minutes * 60.0
    if minutes:
        raise InvalidInput(
            "countdown: cannot be together with delay, give one of them",
            field="countdown",
        )
    if abs(seconds) > LONGEST_DELAY * 60:
        raise InvalidInput(
            f"countdown: {seconds:g} seconds is more than a hundred years",
            field="countdown",
        )
    return seconds
