"""The public JSON: what a push may say, and how a task is listed."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches import schema
from poussetaches.errors import InvalidInput, TooLarge
from poussetaches.model.rules import Rules
from poussetaches.model.schedule import schedule_id
from poussetaches.model.task import Spec
from poussetaches.schema import PushRequest, TaskView

RULES = Rules("UTC")
URL = "http://127.0.0.1:5000/task"


def parse(**body: Any) -> PushRequest:
    return schema.parse_push(json.dumps(body).encode(), RULES)


def refused(body: bytes | dict[str, Any]) -> InvalidInput:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInput) as caught:
        schema.parse_push(data, RULES)
    return caught.value


def test_the_smallest_push_has_the_defaults() -> None:
    request = parse(url=URL)
    assert request.spec == Spec(URL, None, 200)
    assert (request.delay, request.schedule) == (0.0, "")
    assert len(request.id) == 32
    assert int(request.id, 16) >= 0


def test_null_and_zero_stand_for_the_defaults() -> None:
    request = parse(url=URL, payload=None, expected=0, schedule=None, delay=None)
    assert request.spec == Spec(URL, None, 200)
    assert (request.delay, request.schedule) == (0.0, "")


def test_delay_is_in_minutes_and_may_be_negative() -> None:
    assert parse(url=URL, delay=2).delay == 120.0
    assert parse(url=URL, delay=-1).delay == -60.0


def test_names_of_fields_may_be_in_any_case() -> None:
    request = schema.parse_push(
        b'{"URL": "http://a/", "Payload": "bG9s", "EXPECTED": 201}', RULES
    )
    assert request.spec == Spec("http://a/", b"lol", 201)


@given(st.binary(max_size=300))
def test_a_payload_keeps_every_byte(payload: bytes) -> None:
    text = base64.b64encode(payload).decode()
    assert parse(url=URL, payload=text).spec.payload == payload


@given(st.binary(max_size=300))
def test_a_payload_may_be_wrapped_or_an_array(payload: bytes) -> None:
    wrapped = base64.encodebytes(payload).decode().replace("\n", "\r\n")
    assert parse(url=URL, payload=wrapped).spec.payload == payload
    assert parse(url=URL, payload=list(payload)).spec.payload == payload


def test_a_schedule_is_named_by_its_content() -> None:
    expected = hashlib.sha1(b"http://127.0.0.1:5000/task" + b"lol" + b"@every 1h")
    request = parse(url=URL, payload="bG9s", schedule="@every 1h", expected=201)
    assert request.id == expected.hexdigest()
    assert request.schedule == "@every 1h"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"{", None),
        (b"null", None),
        (b"[]", None),
        (b'"text"', None),
        (b"\xff\xfe", None),
        (b'{"url": "http://a/"} {"url": "http://b/"}', None),
        (b'{"url": NaN}', None),
        (b"[" * 100_000, None),
        (b'{"url": ' + b"[" * 100_000, None),
        ({}, "url"),
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": "/relative"}, "url"),
        ({"url": "ftp://a/"}, "url"),
        ({"url": "http://a/\r\nX: y"}, "url"),
        ({"url": URL, "payload": "bG9"}, "payload"),
        ({"url": URL, "payload": "bG9_"}, "payload"),
        ({"url": URL, "payload": "b G9s"}, "payload"),
        ({"url": URL, "payload": "é"}, "payload"),
        ({"url": URL, "payload": [256]}, "payload"),
        ({"url": URL, "payload": [-1]}, "payload"),
        ({"url": URL, "payload": {}}, "payload"),
        ({"url": URL, "expected": "200"}, "expected"),
        (b'{"url": "http://a/", "expected": 200.5}', "expected"),
        ({"url": URL, "expected": 199}, "expected"),
        ({"url": URL, "expected": 600}, "expected"),
        ({"url": URL, "expected": 2**70}, "expected"),
        ({"url": URL, "expected": True}, "expected"),
        ({"url": URL, "delay": "1"}, "delay"),
        ({"url": URL, "delay": 10**12}, "delay"),
        (b'{"url": "http://a/", "delay": 1e999}', "delay"),
        ({"url": URL, "schedule": "* * * *"}, "schedule"),
        ({"url": URL, "schedule": "nonsense"}, "schedule"),
        ({"url": URL, "schedule": "0 0 31 2 *"}, "schedule"),
        ({"url": URL, "schedule": 5}, "schedule"),
        ({"url": URL, "nonsense": 1}, "nonsense"),
        (b'{"url": "\\ud800"}', None),
    ],
)
def test_bad_input_is_refused_with_the_field_at_fault(
    body: bytes | dict[str, Any], field: str | None
) -> None:
    error = refused(body)
    assert error.field == field
    assert error.message
    if field is not None:
        assert field in error.message


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_body_brings_anything_but_a_refusal(body: bytes) -> None:
    refused(body)


KEYS = [
    "id",
    "url",
    "payload",
    "expected",
    "schedule",
    "next_scheduled_run",
    "next_run",
    "tries",
    "last_run",
    "last_error_body",
    "last_error_status_code",
    "queue",
    "state",
]


def view(**given: Any) -> TaskView:
    values: dict[str, Any] = {
        "id": "a" * 32,
        "spec": Spec(URL, b"lol", 200),
        "schedule": "",
        "slot": 0.0,
        "eta": 1_700_000_000.25,
        "attempts": 0,
        "last_run_at": 0.0,
        "error": None,
        "error_status": 0,
        "state": "waiting",
    }
    return TaskView(**{**values, **given})


# --- batches ------------------------------------------------------------------------


def batch(body: bytes, *, lines: bool = False) -> list[PushRequest]:
    return list(schema.parse_batch(body, RULES, 1000, lines=lines))


def array(*pushes: Any) -> bytes:
    return json.dumps(pushes).encode()


def in_lines(*pushes: Any) -> bytes:
    return b"\n".join(json.dumps(push).encode() for push in pushes)


@pytest.mark.parametrize("lines", [False, True])
def test_a_batch_is_many_pushes_in_order(lines: bool) -> None:
    write = in_lines if lines else array
    given = [
        {"url": URL, "payload": base64.b64encode(b"%d" % n).decode(), "delay": n}
        for n in range(100)
    ]
    given[7] = {"URL": URL, "schedule": "@daily"}
    requests = batch(write(*given), lines=lines)
    payloads = [request.spec.payload for request in requests]
    assert payloads == [None if n == 7 else b"%d" % n for n in range(100)]
    assert [request.delay for request in requests] == [
        0.0 if n == 7 else n * 60.0 for n in range(100)
    ]
    assert len({request.id for request in requests}) == 100
    assert {len(request.id) for request in requests} == {32, 40}
    assert requests[7].id == schedule_id(URL, None, "@daily")


def test_a_batch_in_lines_may_have_blank_ones() -> None:
    body = b'{"url":"http://a/"}\n\n  {"url":"http://b/"}\r\n'
    assert [one.spec.url for one in batch(body, lines=True)] == [
        "http://a/",
        "http://b/",
    ]


GOOD = {"url": URL}


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"url": "ftp://a/"}, "url"),
        ({"url": 1}, "url"),
        ({"url": URL, "colour": "red"}, "colour"),
        ({"url": URL, "payload": "?"}, "payload"),
        ({"url": URL, "payload": [1, 256]}, "payload"),
        ({"url": URL, "payload": "A" * 2000}, "payload"),
        ({"url": URL, "schedule": "never"}, "schedule"),
        ({"url": URL, "delay": 1, "countdown": 1}, "countdown"),
        ({}, "url"),
    ],
)
def test_the_bad_element_is_named(lines: bool, bad: Any, field: str) -> None:
    write = in_lines if lines else array
    with pytest.raises(InvalidInput) as caught:
        batch(write(GOOD, GOOD, bad, GOOD), lines=lines)
    assert caught.value.field == f"[2].{field}"
    assert caught.value.message.startswith("Element 2: ")
    # In the words, and by the class, of a single push.
    with pytest.raises(InvalidInput) as alone:
        schema.parse_push(json.dumps(bad).encode(), RULES, 1000)
    assert caught.value.message == f"Element 2: {alone.value.message}"
    assert type(caught.value) is type(alone.value)


@pytest.mark.parametrize(
    ("body", "lines", "words"),
    [
        (b"[]", False, "at least one"),
        (b"", True, "at least one"),
        (b"\n\n", True, "at least one"),
        (b"{}", False, "must be a JSON array"),
        (b"7", False, "must be a JSON array"),
        (b"", False, "not valid JSON"),
        (b'[{"url":"http://a/"}', False, "not valid JSON"),
        (b'{"url":"http://a/"}\n{"url"', True, "not valid JSON"),
        (b"[7]", False, "Element 0: It must be a JSON object"),
        (b'{"url":"http://a/"}\n7', True, "Element 1: It must be a JSON object"),
        (b"[" * 100_000, False, "nested too deeply|not valid JSON|Element 0"),
        (array(*[GOOD] * 10_001), False, "at most 10000"),
    ],
)
def test_what_is_no_batch_is_refused(body: bytes, lines: bool, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        batch(body, lines=lines)


@pytest.mark.parametrize("write", [array, in_lines])
def test_too_many_are_refused_before_any_of_them_is_read(write: Any) -> None:
    """A body may hold millions, and to find fault with one of them takes its time."""
    with pytest.raises(TooLarge, match="at most 10000"):
        batch(write(*[{"url": 7}] * 10_001), lines=write is in_lines)


def test_a_batch_has_few_schedules() -> None:
    """To begin ten thousand holds up everybody else for seconds."""
    schedules = [{"url": f"{URL}{n}", "schedule": "@daily"} for n in range(101)]
    assert len(batch(array(*schedules[1:], *[GOOD] * 100))) == 200
    with pytest.raises(TooLarge, match="at most 100 schedules"):
        batch(array(*schedules, GOOD))


@given(st.binary(max_size=200), st.booleans())
def test_no_batch_brings_anything_but_a_refusal(body: bytes, lines: bool) -> None:
    with pytest.raises(InvalidInput):
        batch(body, lines=lines)


# --- listing ------------------------------------------------------------------------


def test_a_new_task_is_listed_as_the_ancestor_does() -> None:
    listed = schema.task_json(view())
    assert list(listed) == KEYS
    assert list(listed.values()) == [
        "a" * 32,
        URL,
        "bG9s",
        200,
        "",
        0,
        1_700_000_000_250_000_000,
        0,
        0,
        None,
        0,
        "default",
        "waiting",
    ]


def test_no_payload_is_null_and_an_empty_one_is_empty() -> None:
    assert schema.task_json(view(spec=Spec(URL, None)))["payload"] is None
    assert schema.task_json(view(spec=Spec(URL, b"")))["payload"] == ""


def test_an_empty_error_body_is_not_null() -> None:
    listed = schema.task_json(view(error=b"", error_status=500))
    assert listed["last_error_body"] == ""
    assert listed["last_error_status_code"] == 500


@given(st.text(max_size=50), st.integers(0, 200))
def test_an_error_body_that_was_cut_is_still_text(text: str, cut: int) -> None:
    """The ancestor's client decodes it strictly, and one failure breaks its page."""
    data = text.encode()[:cut]
    shown = base64.b64decode(schema.task_json(view(error=data))["last_error_body"])
    assert text.startswith(shown.decode("utf-8", "strict"))


@given(st.binary(max_size=100))
def test_a_binary_error_body_is_shown_as_text(data: bytes) -> None:
    shown = base64.b64decode(schema.task_json(view(error=data))["last_error_body"])
    shown.decode("utf-8", "strict")


@given(st.integers(0, 2**33), st.integers(0, 999_999))
def test_times_keep_their_microseconds(seconds: int, micros: int) -> None:
    moment = seconds + micros / 1e6
    shown = schema.task_json(view(eta=moment))["next_run"]
    assert isinstance(shown, int)
    assert abs(shown - (seconds * 10**9 + micros * 1000)) < 2000
