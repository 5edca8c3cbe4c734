"""A push that cannot be accepted: a sentence in JSON says what is wrong, and where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.connection import ask
from tests.support.service import Service

pytestmark = pytest.mark.process

TARGET = "http://127.0.0.1:9/task"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"start_paused": True, "workers": 1}
    with Service(folder, settings=settings) as service:
        yield service
        assert "Traceback" not in service.log


def refused(service: Service, body: bytes) -> dict[str, Any]:
    """The error that a push of ``body`` is answered with. Nothing was stored."""
    before = ask(service.port, "GET", "/").json["accepted"]
    answer = ask(service.port, "POST", "/", body)
    error = answer.error
    assert answer.status == 400
    assert error["code"] == "invalid"
    assert ask(service.port, "GET", "/").json["accepted"] == before
    return error


def push_with(**given: object) -> bytes:
    return json.dumps({"url": TARGET} | given).encode()


def push_of(field: str, json_text: str) -> bytes:
    """A push whose ``field`` is what only a text of JSON can say."""
    return f'{{"url":"{TARGET}","{field}":{json_text}}}'.encode()


# --- fields ---------------------------------------------------------------------------

BAD_FIELDS: dict[str, list[object]] = {
    "url": [
        None,
        5,
        [],
        "",
        "no url",
        "/path",
        "//host/path",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://a b/",
        "http://host:99999/",
        "http://host:port/",
        "http://host/\r\nX-Injected: yes",
        "http://host/\0",
        "http://[::1/",
    ],
    "payload": [
        5,
        True,
        1.5,
        {},
        {"a": 1},
        "!",
        "YQ",
        "YQ=",
        "-_-_",
        "YQ==YQ==",
        "YWJj ZGVm",
        "é",
        [256],
        [-1],
        [1.5],
        ["a"],
        [None],
    ],
    "expected": ["200", 200.0, 200.5, True, [], {}, 99, 100, 199, 600, -1, 2**70],
    "delay": ["5", "", 1.5, 2.0, True, [], {}, 10**9, -(10**9), 2**63, 2**70],
    "schedule": [
        5,
        True,
        [],
        {},
        "nonsense",
        "* * *",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "* 24 * * *",
        "0 0 31 2 *",
        "@every",
        "@every 0s",
        "@every -1h",
        "@every soon",
        "@never",
        "*" * 100_000,
    ],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in BAD_FIELDS.items() for value in values],
    ids=lambda one: repr(one)[:30],
)
def test_a_bad_value_is_refused_with_the_name_of_its_field(
    service: Service, field: str, value: object
) -> None:
    error = refused(service, push_with(**{field: value}))
    assert error["field"] == field
    assert field in error["message"]


@pytest.mark.parametrize("field", ["urll", "Payloads", "x", "", "id", "é", "a" * 5000])
def test_an_unknown_field_is_refused_by_name(service: Service, field: str) -> None:
    error = refused(service, push_with(**{field: 1}))
    assert error["field"] == field[:100]
    assert len(error["message"]) < 300


def test_a_push_without_a_url_is_refused(service: Service) -> None:
    assert refused(service, b"{}")["field"] == "url"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("expected", "-" + "9" * 30),
        ("payload", '"\\u00ff"'),
        ("payload", "[1, 2, 300]"),
        ("payload", "[" + "1," * 10 + "[]]"),
    ],
)
def test_what_no_field_can_hold_names_its_field(
    service: Service, field: str, text: str
) -> None:
    assert refused(service, push_of(field, text))["field"] == field


# --- bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b'{"url":',
        b'{"url":"http://host/"',
        b"{'url':'http://host/'}",
        b"url=http://host/",
        b"\xff\xfe\x00\x01junk",
        bytes(range(256)) * 50,
        b"\0" * 1000,
        '{"url":"http://host/"}'.encode("utf-16"),
        b'{"url":"http://host/\xff"}',
        push_of("delay", "NaN"),
        push_of("delay", "1e999"),
        push_of("expected", "-1e999"),
        push_of("delay", "1" * 5000),
        push_of("delay", "Infinity"),
        push_of("delay", "0x10"),
        push_of("delay", "01"),
        push_of("payload", '"\\ud800"'),
        push_of("schedule", '"\\udc00\\ud800"'),
        push_of("payload", '"\n"'),
        b"[" * 100_000,
        b'{"url":' * 20_000,
        push_of("payload", "[" * 100_000),
        push_of("x", "[" * 100_000 + "]" * 100_000),
        push_of("x", '{"a":' * 30_000 + "1" + "}" * 30_000),
    ],
    ids=lambda body: repr(body)[2:40],
)
def test_a_body_that_is_no_push_is_refused(service: Service, body: bytes) -> None:
    refused(service, body)


def test_thousands_of_unknown_fields_are_refused(service: Service) -> None:
    refused(service, push_with(**{f"field{n}": n for n in range(10_000)}))


# --- what is unusual, and taken -------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "payload"),
    [
        ({"payload": "aGVsbG8gd29y\nbGQ=\n"}, "aGVsbG8gd29ybGQ="),
        ({"payload": "aGVs\r\nbG8="}, "aGVsbG8="),
        ({"payload": [0, 1, 255]}, "AAH/"),
        ({"payload": []}, ""),
        ({"payload": ""}, ""),
        ({"payload": None, "schedule": None, "delay": None, "expected": None}, None),
        ({"expected": 0}, None),
        ({"delay": -5}, None),
        ({"PayLoad": "YQ==", "EXPECTED": 204}, "YQ=="),
    ],
    ids=repr,
)
def test_what_the_ancestor_takes_is_taken(
    service: Service, given: dict[str, object], payload: str | None
) -> None:
    answer = ask(service.port, "POST", "/", push_with(**given))
    assert (answer.status, answer.body) == (201, b"")
    task = listed(service, answer.task)
    assert task["payload"] == payload
    assert task["expected"] == (given.get("EXPECTED") or 200)


@pytest.mark.parametrize(
    "body",
    [
        b'{"URL":"http://127.0.0.1:9/task"}',
        b' \n\t{ "url" : "http:\\/\\/127.0.0.1:9/ta\\u0073k" }\r\n ',
        b'{"url":"http://first/","url":"http://127.0.0.1:9/task"}',
    ],
    ids=["upper case", "white space and escapes", "the last of two"],
)
def test_the_same_json_in_other_words_is_the_same_push(
    service: Service, body: bytes
) -> None:
    answer = ask(service.port, "POST", "/", body)
    assert answer.status == 201
    assert listed(service, answer.task)["url"] == TARGET


def listed(service: Service, id: str) -> dict[str, Any]:
    tasks = ask(service.port, "GET", "/waiting").json["tasks"]
    found: dict[str, Any] = next(task for task in tasks if task["id"] == id)
    return found
