"""The push: what an application asks for, read and found valid."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from poussetaches.errors import InvalidInput
from poussetaches.model.headers import read_headers
from poussetaches.model.queue_fields import check_name
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.schedule import schedule_id
from poussetaches.model.target import is_relative, join
from poussetaches.model.task import (
    DEFAULT_QUEUE,
    PLAIN,
    Expected,
    How,
    Spec,
    Special,
    Terms,
)
from poussetaches.schema.body import PlainBody, PushBody, is_given, read_body
from poussetaches.schema.expected import read_expected
from poussetaches.schema.how import (
    FORMATS,
    USUAL,
    check_how,
    compact_json,
    read_metadata,
)
from poussetaches.schema.payload import check_size, read_payload
from poussetaches.schema.special import (
    HUNDRED_YEARS,
    LONGEST_NAME,
    NOTHING,
    GrowthBody,
    check_kind,
    check_moments,
    check_special,
    in_field,
    origin_of,
    read_growth,
)
from poussetaches.schema.words import check_length, check_word, invalid

#: A delay of a hundred years either way is a mistake; minutes.
LONGEST_DELAY = int(HUNDRED_YEARS) // 60

#: Of a task: 16 random bytes.
ID_BYTES = 16

#: How a URL begins that is surely a full one.
_FULL = ("http://", "https://")

#: By name.
Queues = Mapping[str, QueueSettings]
NO_QUEUES: Queues = {}


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
    body: bytes,
    rules: Rules,
    max_payload: int | None = None,
    queues: Queues = NO_QUEUES,
) -> PushRequest:
    """What ``POST /`` asks for. Raises InvalidInput naming the field and the reason.

    ``max_payload``: bytes that a payload may have, None: any number; ``queues``: those
    there are, for the ``base_url`` of each. Whether a queue that is not among them will
    do is for the supervisor to say.
    """
    return read_push(body, "The body", new_id(), rules, max_payload, queues)


def read_push(
    body: bytes | msgspec.Raw,
    subject: str,
    id: str,
    rules: Rules,
    max_payload: int | None,
    queues: Queues,
) -> PushRequest:
    """The same. ``subject``: what ``body`` is, for people; ``id``: of the task, if it
    does not become a schedule."""
    return request_of(read_body(body, subject), id, rules, max_payload, queues)


def request_of(
    given: PlainBody, id: str, rules: Rules, max_payload: int | None, queues: Queues
) -> PushRequest:
    """The push that says ``given``. Raises InvalidInput."""
    # Every step that most pushes can do without, they do without.
    queue = given.queue or DEFAULT_QUEUE
    url = given.url
    if not url.startswith(_FULL):
        url = full_url(url, "url", queue, queues)
    terms = _terms(url, queue)
    payload: bytes | None = None
    how: How | None = None
    special: Special | None = None
    if given.payload is not None:
        payload = read_payload(given.payload, max_payload)
    expected: Expected = 200
    if given.expected != 200:
        expected = read_expected(given.expected)
    delay = 0.0
    if given.delay or given.countdown is not None:
        delay = read_delay(given.delay or 0, given.countdown)
    if isinstance(given, PushBody):
        if is_given(given.json):
            payload = _json_payload(given, max_payload)
        how = _how(given, payload)
        special = _special(given, queue, queues)
    schedule = given.schedule or ""
    if schedule:
        id = _schedule_id(given, url, payload, rules)
    if special is not None:
        check_kind(special, schedule)
    if given.max_retries is not None or given.key or special is not None:
        terms = Terms(given.max_retries, given.key or "", terms.origin, queue, special)
    return PushRequest(id, Spec(url, payload, expected, how), delay, schedule, terms)


def full_url(url: str, field: str, queue: str, queues: Queues) -> str:
    """The URL that ``field`` says, which may be relative to the ``base_url`` of a
    ``queue``. Raises InvalidInput."""
    if not is_relative(url):
        return url
    settings = queues.get(queue)
    if settings is None and queue != DEFAULT_QUEUE:
        # Most often the name is misspelt: a base_url is not what is wrong then.
        raise invalid(field, f"is relative, and there is no queue {queue!r:.120}")
    if settings is None or not settings.base_url:
        raise invalid(field, f"is relative, and the queue {queue} has no base_url")
    try:
        return join(settings.base_url, url)
    except InvalidInput as error:
        raise in_field(field, error) from None


@lru_cache(maxsize=4096)
def _terms(url: str, queue: str) -> Terms:
    """Of a push that asks for nothing else. Raises InvalidInput."""
    check_name(queue)
    return Terms.of((None, "", origin_of(url), queue))


def _json_payload(given: PushBody, most: int | None) -> bytes:
    if given.payload is not None:
        raise invalid("json", "cannot be together with payload, give one of them")
    payload = compact_json(given.json, "json")
    check_size(payload, most, "json")
    return payload


def _how(given: PushBody, payload: bytes | None) -> How | None:
    if given.format is not None:
        check_word("format", given.format, FORMATS)
    how = How(
        USUAL.method if given.method is None else given.method,
        read_headers(given.headers),
        given.format == "raw",
        is_given(given.json),
        read_metadata(given.metadata) if is_given(given.metadata) else "",
        keep_result=bool(given.keep_result),
    )
    if how == USUAL:
        return None
    check_how(how, payload)
    return how


def _special(given: PushBody, queue: str, queues: Queues) -> Special | None:
    if given.eta is not None and (given.delay or given.countdown is not None):
        other = "delay" if given.delay else "countdown"
        raise invalid("eta", f"cannot be together with {other}, give one of them")
    backoff = given.backoff
    if backoff == []:
        raise invalid("backoff", "has no wait in it")
    for field in ("group", "name"):
        if getattr(given, field) is not None:
            check_length(field, getattr(given, field), LONGEST_NAME)
    special = Special(
        given.eta,
        given.expires,
        given.timeout,
        tuple(backoff) if isinstance(backoff, list) else (),
        read_growth(backoff) if isinstance(backoff, GrowthBody) else None,
        given.group or "",
        _callback(given.roll_back, "roll_back", queue, queues),
        _callback(given.on_success, "on_success", queue, queues),
        given.name or "",
        given.timezone or "",
        NOTHING.missed if given.missed is None else given.missed,
        NOTHING.overlap if given.overlap is None else given.overlap,
    )
    if special == NOTHING:
        return None
    check_special(special)
    check_moments(special, time.time())
    return special


def _callback(url: str | None, field: str, queue: str, queues: Queues) -> str:
    return "" if url is None else full_url(url, field, queue, queues)


def _schedule_id(
    given: PlainBody, url: str, payload: bytes | None, rules: Rules
) -> str:
    if given.key:
        raise invalid(
            "key", "a schedule needs none, pushing the same one again changes nothing"
        )
    name = zone = ""
    if isinstance(given, PushBody):
        name, zone = given.name or "", given.timezone or ""
    text = given.schedule or ""
    rules.check(text, zone)
    return schedule_id(url, payload, text, name=name, timezone=zone)


def read_delay(minutes: int, seconds: float | None) -> float:
    """Seconds, whichever field they were given in. Raises InvalidInput."""
    if seconds is None:
        if abs(minutes) > LONGEST_DELAY:
            raise invalid("delay", f"{minutes} minutes is more than a hundred years")
        return minutes * 60.0
    if minutes:
        raise invalid("countdown", "cannot be together with delay, give one of them")
    if not abs(seconds) <= HUNDRED_YEARS:
        raise invalid("countdown", f"{seconds:g} seconds is more than a hundred years")
    return seconds


def new_id() -> str:
    """The id of a task that nobody has yet."""
    return os.urandom(ID_BYTES).hex()
