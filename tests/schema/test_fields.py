"""Every field of a push: what it becomes, how it is shown, and what is refused."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poussetaches.channel.messages import seal
from poussetaches.errors import InvalidInput, TooLarge
from poussetaches.model.backoff import Growth
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.schedule import schedule_id
from poussetaches.model.task import How, Report, Spec, Special, Terms
from poussetaches.schema import (
    PushRequest,
    encode,
    parse_push,
    report_json,
    task_json,
)
from tests.support.pushes import URL, bodies, values, view_of

RULES = Rules("UTC")
ORIGIN = "http://127.0.0.1:5000"
#: A moment from which any other in these tests is near.
SOON = int(time.time()) + 3600
QUEUES = {
    "mail": QueueSettings(base_url="http://mail.example:8080/app/"),
    "bare": QueueSettings(),
}


def parse(**body: Any) -> PushRequest:
    data = json.dumps({"url": URL, **body}).encode()
    return parse_push(data, RULES, 1000, QUEUES)


def refused(body: bytes | dict[str, Any]) -> InvalidInput:
    data = (
        body if isinstance(body, bytes) else json.dumps({"url": URL, **body}).encode()
    )
    with pytest.raises(InvalidInput) as caught:
        parse_push(data, RULES, 1000, QUEUES)
    return caught.value


def special(**body: Any) -> Special:
    found = parse(**body).terms.special
    assert found is not None
    return found


def how(**body: Any) -> How:
    found = parse(**body).spec.how
    assert found is not None
    return found


# --- what each becomes --------------------------------------------------------------


def test_a_push_that_asks_for_nothing_special_has_nothing_special() -> None:
    """A million of them share what they have in common."""
    one = parse(payload="bG9s")
    assert one.spec.how is None
    assert one.terms is parse(payload="AAAA").terms
    assert one.terms == Terms(origin=ORIGIN)
    defaults = {"format": "envelope", "method": "POST", "missed": "one", "group": None}
    assert parse(**defaults, headers={}, metadata=None, json=None).spec.how is None
    assert parse(**defaults, overlap="skip").terms.special is None
    assert parse(queue="mail").terms is parse(queue="mail", json=1).terms


def test_everything_is_carried_along() -> None:
    request = parse(
        queue="mail",
        expected=[200, "4xx"],
        eta=SOON,
        expires=SOON + 0.5,
        max_retries=3,
        backoff={"min": 1, "max": 60.5, "doublings": 4},
        timeout=0.5,
        roll_back="http://h/back",
        on_success="/done",
        metadata={"by": "café \x7f 😀"},
        method="PUT",
        headers={"X-One": "1", "x-two": "zwei ü"},
        format="raw",
        json={"a": [1, 2.50]},
        key="k",
        group="g",
    )
    assert request.delay == 0.0
    assert request.spec.expected == (200, "4xx")
    assert request.spec.payload == b'{"a":[1,2.5]}'
    assert request.spec.how == How(
        "PUT",
        (("X-One", "1"), ("x-two", "zwei ü")),
        raw=True,
        is_json=True,
        metadata='{"by":"caf\\u00e9 \\u007f \\ud83d\\ude00"}',
    )
    assert request.terms == Terms(
        3,
        "k",
        ORIGIN,
        "mail",
        Special(
            eta=SOON,
            expires=SOON + 0.5,
            timeout=0.5,
            growth=Growth(1.0, 60.5, 4),
            group="g",
            roll_back="http://h/back",
            on_success="http://mail.example:8080/done",
        ),
    )


def test_json_is_kept_as_it_was_written_without_its_blanks() -> None:
    """What no float can hold would be another number after a detour through one."""
    body = b'{"url": "http://h/", "json": { "n" : 123456789012345678901234567890.10 } }'
    spec = parse_push(body, RULES).spec
    assert spec.payload == b'{"n":123456789012345678901234567890.10}'


def test_waits_may_be_a_list() -> None:
    assert special(backoff=[1, 0, 2.5]).waits == (1.0, 0.0, 2.5)
    assert special(backoff={"min": 0}).growth == Growth(0.0)


def test_a_schedule_has_a_name_and_a_zone_and_what_becomes_of_runs() -> None:
    named = parse(
        schedule="@daily",
        name="cleanup",
        timezone="Europe/Paris",
        missed="all",
        overlap="queue",
        group="g",
    )
    assert named.terms.special == Special(
        group="g",
        name="cleanup",
        timezone="Europe/Paris",
        missed="all",
        overlap="queue",
    )
    assert named.id == schedule_id("", None, "", name="cleanup")
    zoned = parse(schedule="@daily", timezone="Europe/Paris")
    assert zoned.id == schedule_id(URL, None, "@daily", timezone="Europe/Paris")
    assert zoned.id != parse(schedule="@daily").id
    assert parse(schedule="@daily", name="cleanup", json=7).id == named.id


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("/task?x=1", "http://mail.example:8080/task?x=1"),
        ("task", "http://mail.example:8080/app/task"),
        ("../task", "http://mail.example:8080/task"),
        ("//h.example/task", "http://h.example/task"),
        ("HTTPS://h.example/task", "HTTPS://h.example/task"),
    ],
)
def test_a_relative_url_is_one_of_its_queue(given: str, full: str) -> None:
    assert parse(url=given, queue="mail").spec.url == full
    assert special(roll_back=given, queue="mail").roll_back == full


def test_a_schedule_of_a_relative_url_is_that_of_the_full_one() -> None:
    short = parse(url="/task", queue="mail", schedule="@daily")
    full = parse(url="http://mail.example:8080/task", schedule="@daily")
    assert short.id == full.id


def test_a_queue_that_is_not_known_here_may_still_be_one() -> None:
    assert parse(queue="new").terms.queue == "new"


# --- what is shown ------------------------------------------------------------------

#: What the ancestor shows in another way, or in the fields of the task's life.
ELSEWHERE = {"url", "payload", "expected", "schedule"}
#: Of a push that says as much itself.
DEFAULTS = {
    "queue": "default",
    "method": "POST",
    "format": "envelope",
    "headers": {},
    "missed": "one",
    "overlap": "skip",
}


@settings(max_examples=300)
@given(bodies())
def test_what_was_asked_for_is_shown_in_the_same_words(body: dict[str, Any]) -> None:
    """And can be pushed again as it is shown."""
    request = parse_push(json.dumps(body).encode(), RULES)
    shown = json.loads(encode(task_json(view_of(request))))
    assert shown["expected"] == body.get("expected", 200)
    for field, asked in body.items():
        if field not in ELSEWHERE and DEFAULTS.get(field) != asked:
            assert shown[field] == asked
    ours = {*list(shown)[list(shown).index("state") + 1 :]}
    assert ours <= set(body)
    again = {field: shown[field] for field in {"url", "queue", *ours}}
    again["expected"] = shown["expected"]
    again["schedule"] = shown["schedule"]
    if "json" not in shown:
        again["payload"] = shown["payload"]
    twin = parse_push(json.dumps(again).encode(), RULES)
    assert twin[1:] == request[1:]


@pytest.mark.parametrize(
    "name",
    ["Authorization", "cookie", "Proxy-Authorization", "X-Api-Key", "X-Auth-Token"],
)
def test_secrets_are_not_shown(name: str) -> None:
    request = parse(headers={name: "secret", "X-Plain": "shown"})
    shown = task_json(view_of(request))["headers"]
    assert shown == {name: "***", "X-Plain": "shown"}


def test_a_callback_is_shown_with_the_document_that_it_carries() -> None:
    report = Report("dead", "a", seal(Spec(URL)), "mail", 1, 500, b"no", 1.0)
    spec = Spec(URL, how=How(report=report))
    view = view_of(parse())._replace(spec=spec)
    assert b64decode(task_json(view)["payload"]) == report_json(report)


# --- what is refused ----------------------------------------------------------------

DEEP = b"[" * 100_000

BAD: list[tuple[str, Any]] = [
    ("queue", ""),
    ("queue", "a b"),
    ("queue", "x\r\ny"),
    ("queue", "x" * 101),
    ("queue", 7),
    ("url", ""),
    ("url", "/task"),
    ("url", "127.0.0.1/task"),
    ("expected", []),
    ("expected", [200] * 51),
    ("expected", ["200"]),
    ("expected", "2XX"),
    ("expected", "9xx"),
    ("expected", "1xx"),
    ("expected", [199]),
    ("expected", [True]),
    ("expected", [None]),
    ("expected", {"a": 1}),
    ("eta", "soon"),
    ("eta", 1e300),
    ("eta", SOON * 1000),
    ("eta", -(2**70)),
    ("eta", True),
    ("expires", SOON * 1000),
    ("expires", [1]),
    ("backoff", []),
    ("backoff", [1] * 101),
    ("backoff", [-1]),
    ("backoff", [30 * 86_400 + 1]),
    ("backoff", ["1"]),
    ("backoff", {}),
    ("backoff", {"min": -1}),
    ("backoff", {"min": 2, "max": 1}),
    ("backoff", {"min": 1, "doublings": -1}),
    ("backoff", {"min": 1, "doublings": 1001}),
    ("backoff", {"min": 1, "doublings": 1.5}),
    ("backoff", {"min": 1, "doublings": 10**400}),
    ("backoff", {"min": 1e300}),
    ("backoff", {"min": 1, "colour": 1}),
    ("backoff", 5),
    ("timeout", 0),
    ("timeout", 0.009),
    ("timeout", 30 * 86_400 + 1),
    ("timeout", "10s"),
    ("timeout", 2**70),
    ("roll_back", "/back"),
    ("roll_back", "ftp://h/"),
    ("roll_back", "http://h/\r\nX: y"),
    ("roll_back", ""),
    ("roll_back", 7),
    ("on_success", "/done"),
    ("on_success", "http://[::1/"),
    ("on_success", ["http://h/"]),
    ("metadata", "x" * 4095),
    ("metadata", "ü" * 700),
    ("method", "get"),
    ("method", "CONNECT"),
    ("method", "TRACE"),
    ("method", "G\r\nET"),
    ("method", 7),
    ("headers", {"X": "a\r\nY: b"}),
    ("headers", {"X": "\0"}),
    ("headers", {"X": "snow \u2603"}),
    ("headers", {"X": 7}),
    ("headers", {"X": None}),
    ("headers", {"": "x"}),
    ("headers", {"A B": "x"}),
    ("headers", {"ü": "x"}),
    ("headers", {"Content-Length": "3"}),
    ("headers", {"transfer-encoding": "chunked"}),
    ("headers", {"host": "h"}),
    ("headers", {"POUSSETACHES-Attempt": "1"}),
    ("headers", {"webhook-signature": "v1,x"}),
    ("headers", {f"X-{n}": "" for n in range(51)}),
    ("headers", {"X": "y" * 8192}),
    ("headers", [["X", "y"]]),
    ("format", "Raw"),
    ("format", ""),
    ("format", 7),
    ("group", ""),
    ("group", "g" * 256),
    ("group", 7),
    ("name", "n"),
    ("timezone", "UTC"),
    ("missed", "all"),
    ("missed", "some"),
    ("overlap", "queue"),
    ("overlap", "maybe"),
    ("json", "x" * 1000),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=range(len(BAD)))
def test_what_makes_no_sense_is_refused_by_name(field: str, value: Any) -> None:
    error = refused({field: value})
    assert error.field == field
    assert field in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"json": 1, "payload": "bG9s"}, "json"),
        ({"json": 1, "method": "GET"}, "json"),
        ({"payload": "", "method": "HEAD"}, "payload"),
        ({"payload": "bG9s", "method": "OPTIONS"}, "payload"),
        ({"eta": SOON, "delay": 1}, "eta"),
        ({"eta": SOON, "countdown": 0}, "eta"),
        ({"eta": SOON, "expires": SOON - 1}, "expires"),
        ({"schedule": "@daily", "eta": SOON}, "eta"),
        ({"schedule": "@daily", "expires": SOON}, "expires"),
        ({"schedule": "@daily", "key": "k"}, "key"),
        ({"schedule": "@daily", "name": ""}, "name"),
        ({"schedule": "@daily", "name": "n" * 256}, "name"),
        ({"schedule": "@daily", "name": "n\n"}, "name"),
        ({"schedule": "@daily", "name": "\x9bn"}, "name"),
        ({"schedule": "@daily", "timezone": "Mars/Olympus"}, "timezone"),
        ({"schedule": "@daily", "timezone": "../../etc/passwd"}, "timezone"),
        ({"schedule": "@daily", "timezone": "\0"}, "timezone"),
        ({"schedule": "@daily", "timezone": "x" * 5000}, "timezone"),
        ({"url": "/x\r\n", "queue": "mail"}, "url"),
        ({"url": "/x y", "queue": "mail"}, "url"),
        ({"url": "//[x/", "queue": "mail"}, "url"),
        ({"url": "/x", "queue": "bare"}, "url"),
        ({"on_success": "//[x/", "queue": "mail"}, "on_success"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(
    body: dict[str, Any], field: str
) -> None:
    error = refused(body)
    assert error.field == field
    assert field in error.message


def test_the_queue_without_a_base_url_is_named() -> None:
    assert refused({"url": "/x", "queue": "mall"}).message == (
        "url: is relative, and there is no queue 'mall'"
    )
    assert refused({"url": "/x"}).message == (
        "url: is relative, and the queue default has no base_url"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"eta": "soon"}, "eta: expected a number, got text"),
        ({"max_retries": -2}, "max_retries: expected a whole number >= -1"),
        ({"headers": []}, "headers: expected an object, got an array"),
        ({"backoff": True}, "backoff: expected an object or an array, got true or"),
        ({"url": None}, "url: expected text, got null"),
        ({"timeout": 1e9}, "timeout: must be from 0.01 to 2,592,000 seconds"),
        ({"headers": {"a b": "1"}}, "headers: A header cannot have the name 'a b'"),
    ],
)
def test_what_is_wrong_is_said_in_words_of_json(
    body: dict[str, Any], message: str
) -> None:
    """Who pushes from a shell or from Go knows no `float | null`."""
    assert refused(body).message.startswith(message)


def test_a_long_json_is_too_large_as_a_payload_is() -> None:
    assert isinstance(refused({"json": "x" * 1000}), TooLarge)


def test_get_may_say_that_there_is_no_payload() -> None:
    assert how(method="GET", payload=None, json=None) == How("GET")


@pytest.mark.parametrize(
    "value",
    [
        b"NaN",
        b"Infinity",
        b"1e999",
        b'"\\ud800"',
        b'"\xff"',
        b'"\x01"',
        DEEP,
        DEEP + b"]" * 100_000,
        b"",
        b"}",
        b"tru",
    ],
)
@pytest.mark.parametrize(
    "field", ["json", "metadata", "eta", "headers", "backoff", "expected", "unknown"]
)
def test_what_is_no_sound_json_is_refused(field: str, value: bytes) -> None:
    """Also where a value is passed on unread."""
    body = b'{"url": "http://h/", "%b": %b}' % (field.encode(), value)
    assert refused(body).message


@given(st.sampled_from([*Special._fields, "headers", "json", "key", "queue"]), values)
def test_any_value_in_any_field_is_taken_or_refused(field: str, value: Any) -> None:
    body = json.dumps({"url": URL, field: value, "queue": "mail"}).encode()
    try:
        parse_push(body, RULES, 1000, QUEUES)
    except InvalidInput as error:
        assert error.message


def test_names_in_any_case_lose_nothing() -> None:
    body = b'{"URL": "http://h/", "Json": 12345678901234567890123, "METHOD": "PUT"}'
    spec = parse_push(body, RULES).spec
    assert (spec.payload, spec.how) == (
        b"12345678901234567890123",
        How("PUT", is_json=True),
    )
