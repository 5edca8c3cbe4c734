"""The message of the third ancestor (mentat/taskqueue): a push in its words.

It comes over HTTP as JSON or as a form, in which every value is text. Unknown fields
are ignored, and a zero, which its clients send for what is not said, says nothing. It
is delivered as there: a POST of the payload as it is, which only a 200 answers well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from poussetaches.model.backoff import FOR_EVER
from poussetaches.model.queue_fields import check_name
from poussetaches.model.task import DEFAULT_QUEUE, How, Spec, Special, Terms
from poussetaches.schema.body import MOST_RETRIES, invalid_push
from poussetaches.schema.form import read_fields
from poussetaches.schema.how import check_how, header_json
from poussetaches.schema.payload import check_size
from poussetaches.schema.push import (
    NO_QUEUES,
    PushRequest,
    Queues,
    full_url,
    new_id,
    read_delay,
)
from poussetaches.schema.special import (
    check_moments,
    check_special,
    origin_of,
)
from poussetaches.schema.words import check_number, invalid

#: What an attempt may take there, seconds.
TIMEOUT = 6 * 3600.0

_HEADERS = (("Content-Type", "application/json"),)


class MessageBody(msgspec.Struct):
    """Its fields. Moments are posix seconds."""

    url: str
    roll_back: str | None = None
    eta: float | None = None
    #: Seconds.
    countdown: float | None = None
    max_retries: int | None = None
    #: Delivered as it is.
    payload: str | None = None
    expires: float | None = None
    queue: str | None = None
    #: Any value.
    metadata: Any = None


def parse_message(
    body: bytes, media_type: str, max_payload: int | None, queues: Queues = NO_QUEUES
) -> PushRequest:
    """What a request to ``/tasks/push/`` asks for; its ``media_type`` is in lower case.
    Raises InvalidInput naming the field and the reason."""
    return read_message(read_fields(body, media_type), max_payload, queues)


def read_message(
    given: Mapping[str, Any], max_payload: int | None, queues: Queues = NO_QUEUES
) -> PushRequest:
    """What a message asks for. Raises InvalidInput naming the field and the reason."""
    try:
        # Not strict, so a number may be a text.
        message = msgspec.convert(given, MessageBody, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_push(str(error), "The message") from None
    queue = check_name(message.queue or DEFAULT_QUEUE)
    url = full_url(message.url, "url", queue, queues)
    origin = origin_of(url)
    payload = None
    if message.payload is not None:
        payload = message.payload.encode()
        check_size(payload, max_payload, "payload")
    metadata = "" if message.metadata is None else _metadata(message.metadata)
    how = How(headers=_HEADERS, raw=True, metadata=metadata)
    check_how(how, payload)
    retries = FOR_EVER if message.max_retries is None else message.max_retries
    check_number("max_retries", retries, FOR_EVER, MOST_RETRIES, "retries")
    terms = Terms(retries, "", origin, queue, _special(message, queue, queues))
    delay = read_delay(0, message.countdown)
    return PushRequest(new_id(), Spec(url, payload, 200, how), delay, "", terms)


def _special(message: MessageBody, queue: str, queues: Queues) -> Special:
    if message.eta and message.countdown:
        raise invalid("eta", "cannot be together with countdown, give one of them")
    roll_back = ""
    if message.roll_back:
        roll_back = full_url(message.roll_back, "roll_back", queue, queues)
    special = Special(
        eta=message.eta or None,
        expires=message.expires or None,
        timeout=TIMEOUT,
        roll_back=roll_back,
    )
    check_moments(special, time.time())
    check_special(special)
    return special


def _metadata(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise invalid("metadata", "nested too deeply") from None
    return header_json(text)
