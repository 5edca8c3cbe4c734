"""The message of the third ancestor, as JSON and as a form."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import How, Spec, Special, Terms
from poussetaches.schema import PushRequest, parse_message, read_message
from tests.support.pushes import URL, values

FORM = "application/x-www-form-urlencoded"
QUEUES = {"mail": QueueSettings(base_url="http://mail.example/")}
ORIGIN = "http://127.0.0.1:5000"
SOON = int(time.time()) + 3600
TYPE = (("Content-Type", "application/json"),)


def read(body: bytes, media_type: str = "application/json") -> PushRequest:
    return parse_message(body, media_type, 1000, QUEUES)


def refused(body: bytes, media_type: str = "application/json") -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(body, media_type)
    return caught.value


def test_the_smallest_message_is_tried_for_ever_with_six_hours_each() -> None:
    asked = read(json.dumps({"url": URL}).encode())
    assert asked.spec == Spec(URL, None, 200, How(headers=TYPE, raw=True))
    assert asked.terms == Terms(-1, "", ORIGIN, "default", Special(timeout=21600.0))
    assert (asked.delay, asked.schedule, len(asked.id)) == (0.0, "", 32)


EVERYTHING: dict[str, Any] = {
    "url": "/task?a=1&b=2",
    "roll_back": "/back",
    "countdown": 5,
    "max_retries": 3,
    "payload": '{"a": "ü & =+%"}',
    "expires": SOON,
    "queue": "mail",
    "metadata": "caf\xe9",
    "colour": "ignored",
}


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (json.dumps(EVERYTHING).encode(), "application/json"),
        # What curl says of any body.
        (json.dumps(EVERYTHING).encode(), FORM),
        (urlencode(EVERYTHING).encode(), FORM),
        (json.dumps({k: str(v) for k, v in EVERYTHING.items()}).encode(), ""),
    ],
)
def test_everything_is_carried_along_in_either_form(
    body: bytes, media_type: str
) -> None:
    asked = read(body, media_type)
    assert asked.spec == Spec(
        "http://mail.example/task?a=1&b=2",
        '{"a": "ü & =+%"}'.encode(),
        200,
        How(headers=TYPE, raw=True, metadata='"caf\\u00e9"'),
    )
    assert asked.delay == 5.0
    assert asked.terms == Terms(
        3,
        "",
        "http://mail.example:80",
        "mail",
        Special(
            expires=float(SOON),
            timeout=21600.0,
            roll_back="http://mail.example/back",
        ),
    )


def test_what_its_clients_send_for_nothing_says_nothing() -> None:
    zeroes = {"eta": 0, "countdown": 0, "expires": 0, "queue": "", "roll_back": ""}
    bare = read(json.dumps({"url": URL}).encode())
    assert read(json.dumps({"url": URL, **zeroes}).encode())[1:] == bare[1:]
    empty = urlencode({"url": URL, **dict.fromkeys(zeroes, "")}).encode()
    assert read(empty, FORM)[1:] == bare[1:]


def test_no_retry_is_said_with_a_zero() -> None:
    assert read_message({"url": URL, "max_retries": 0}, None).terms.max_retries == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "url"),
        ({"url": "/x"}, "url"),
        ({"url": "ftp://h/"}, "url"),
        ({"url": URL, "queue": "a b"}, "queue"),
        ({"url": URL, "roll_back": "back"}, "roll_back"),
        ({"url": URL, "payload": {"a": 1}}, "payload"),
        ({"url": URL, "payload": "x" * 1001}, "payload"),
        ({"url": URL, "eta": SOON, "countdown": 1}, "eta"),
        ({"url": URL, "eta": "nan"}, "eta"),
        ({"url": URL, "eta": "soon"}, "eta"),
        ({"url": URL, "eta": SOON * 1000}, "eta"),
        ({"url": URL, "countdown": "nan"}, "countdown"),
        ({"url": URL, "countdown": "inf"}, "countdown"),
        ({"url": URL, "expires": "inf"}, "expires"),
        ({"url": URL, "max_retries": -2}, "max_retries"),
        ({"url": URL, "max_retries": 1.5}, "max_retries"),
        ({"url": URL, "max_retries": 10**400}, "max_retries"),
        ({"url": URL, "max_retries": "9" * 400}, "max_retries"),
        ({"url": URL, "metadata": "x" * 5000}, "metadata"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    given: dict[str, Any], field: str
) -> None:
    error = refused(json.dumps(given).encode())
    assert error.field == field
    assert field in error.message


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", ""),
        (b"[]", ""),
        (b"7", ""),
        (b'{"url": NaN}', ""),
        (b'{"url": "http://h/", "metadata": ' + b"[" * 100_000, ""),
        (b'{"url": "http://h/", "metadata": ' + b"9" * 5000 + b"}", ""),
        (b"", FORM),
        (b"url=%FF", FORM),
        (b"\xff=1", FORM),
        (b"&".join(b"a%d=1" % n for n in range(101)), FORM),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, media_type: str) -> None:
    assert refused(body, media_type).message


@given(st.sampled_from(sorted({*EVERYTHING, "eta"} - {"url"})), values)
def test_any_value_in_any_field_is_taken_or_refused(field: str, value: Any) -> None:
    try:
        read(json.dumps({"url": URL, field: value}).encode())
    except InvalidInput as error:
        assert error.field == field
