"""Ten thousand bodies at the edges of JSON, for everything that takes JSON.

Each is refused with a sentence, or taken, and then it was JSON and is shown again as it
was given. None is an error of ours, none hangs, and none costs others their connection.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
import pytest

from poussetaches.api.openapi.document import document
from tests.support.connection import Answer, Connection
from tests.support.json_edges import Case, Door, cases, large
from tests.support.service import Service

pytestmark = pytest.mark.process

SEED = 34
CASES = 10_000

#: Requests that are sent before the first answer is read.
AHEAD = 40

TARGET = b'"http://127.0.0.1:9/task"'

DOCUMENT = document("")

#: Of a push: shown as a moment, or compared byte by byte.
SHOWN_OTHERWISE = {"delay", "countdown", "json"}

#: Of a push: what is as good as nothing.
USUAL: dict[str, list[object]] = {
    "expected": [0, 200, "", []],
    "schedule": [""],
    "method": ["POST"],
    "format": ["envelope"],
    "keep_result": [False],
    "headers": [{}],
    "timezone": [""],
    "missed": ["one"],
    "overlap": ["skip"],
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {
        "start_paused": True,
        "workers": 1,
        "durability": "off",
        "auto_create_queues": True,
    }
    with Service(folder, settings=settings) as service:
        yield service
        assert "Traceback" not in service.log


@pytest.fixture(scope="module")
def doors(service: Service) -> list[Door]:
    """Whatever takes JSON, by its description."""
    with Connection(service.port) as connection:
        push = connection.ask("POST", "/", b'{"url":%b,"eta":2e9}' % TARGET)
    parts = {"id": push.task, "name": "mail"}
    found: list[Door] = []
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {"content": {}})["content"]
            if "application/json" not in content:
                continue
            shape = resolved(content["application/json"]["schema"])
            many = shape.get("type") == "array"
            one = resolved(shape["items"]) if many else shape
            base = {name: TARGET for name in one["required"] if name == "url"}
            fields = sorted(one["properties"])
            door = Door(method.upper(), path.format(**parts), base, fields)
            found.append(door._replace(shape="array" if many else "object"))
            if "application/x-ndjson" in content:
                found.append(door._replace(shape="lines"))
    assert len(found) > 8
    return found


def resolved(shape: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in shape:
        shape = DOCUMENT["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return shape


# --- what is asked --------------------------------------------------------------------


def asked(connection: Connection, many: Sequence[Case]) -> Iterator[Answer]:
    """The answers, in order; all are sent before one is read."""
    connection.send(b"".join(map(request, many)))
    for case in many:
        try:
            yield connection.answer()
        except (OSError, ValueError) as error:
            raise AssertionError(
                f"{error!r} at one of these or near: {case}"
            ) from error


def request(case: Case) -> bytes:
    head = (
        f"{case.door.method} {case.door.path} HTTP/1.1\r\nHost: t\r\n"
        f"Content-Type: {case.door.media}\r\nContent-Length: {len(case.body)}\r\n\r\n"
    )
    return head.encode() + case.body


def check(case: Case, answer: Answer) -> bool:
    """Whether it was taken; AssertionError if the answer is not as it should be."""
    try:
        if answer.status in (200, 201):
            if case.body.strip():
                strictly(case)
            return True
        assert answer.status in (400, 404, 409, 413), answer
        assert answer.error["code"] in ("invalid", "not_found", "conflict", "too_large")
    except (AssertionError, ValueError) as error:
        raise AssertionError(f"seed {SEED}: {case}: {error} {answer}"[:3000]) from error
    return False


def strictly(case: Case) -> Any:
    """What the body says, by a parser that is not ours. Raises ValueError if it is not
    JSON."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    decoder = json.JSONDecoder(parse_constant=refuse)
    body = case.body
    if case.recipe == "a_field_twice" or is_twice_in_other_case(case):
        # Of two values of a field the first may not have been looked at.
        body = b"\n".join(map(msgspec.json.encode, elements(case)))
    text = body.decode().strip(" \t\r\n")
    said = []
    while text:
        value, end = decoder.raw_decode(text)
        said.append(value)
        text = text[end:].lstrip(" \t\r\n")
    if case.door.shape == "object" and len(said) != 1:
        raise ValueError(f"{len(said)} values")
    json.dumps(said, ensure_ascii=False).encode()  # no half of a surrogate pair
    return said


_Fields = dict[str, msgspec.Raw]


# --- what is expected -----------------------------------------------------------------


def test_what_is_at_the_edges_of_json_is_refused_or_kept_as_it_is(
    service: Service, doors: list[Door]
) -> None:
    left = cases(SEED, CASES, doors)
    tried = taken = 0
    pushed: list[tuple[Case, list[str]]] = []
    with Connection(service.port) as connection:
        while many := list(islice(left, AHEAD)):
            for case, answer in zip(many, asked(connection, many), strict=True):
                tried += 1
                if check(case, answer):
                    taken += 1
                    if case.door.path == "/":
                        ids = [answer.header("Poussetaches-Task-Id")]
                        pushed.append((case, ids))
                    elif case.door.path == "/batch":
                        pushed.append((case, answer.json["ids"]))
        for case, ids in pushed:
            for id, given in zip(ids, elements(case), strict=True):
                shown(connection, id, given, case)
    assert tried == CASES
    # Neither is everything refused, nor is everything taken.
    assert CASES / 20 < taken < CASES / 2
    assert len(pushed) > 100
    state = service.get("/stats").json()
    assert state["accounting_difference"] == 0
    assert state["restarts"] == 0


def bytes_of(payload: str | list[int]) -> bytes:
    return b64decode(payload) if isinstance(payload, str) else bytes(payload)


def elements(case: Case) -> list[dict[str, msgspec.Raw]]:
    """What each push of a body says at last, unread."""
    return [
        {name.lower(): text for name, text in one.items()} for one in as_spelt(case)
    ]


def as_spelt(case: Case) -> list[dict[str, msgspec.Raw]]:
    if case.door.shape == "lines":
        return msgspec.json.Decoder(_Fields).decode_lines(case.body)
    if case.door.shape == "array":
        return msgspec.json.decode(case.body, type=list[_Fields])
    return [msgspec.json.decode(case.body, type=_Fields)]


def is_twice_in_other_case(case: Case) -> bool:
    try:
        return [*map(len, as_spelt(case))] != [*map(len, elements(case))]
    except ValueError:
        return False


def shown(
    connection: Connection, id: str, given: dict[str, msgspec.Raw], case: Case
) -> None:
    """The task says what its push said."""
    values = {name: json.loads(bytes(text)) for name, text in given.items()}
    if values.get("schedule") or values.get("key"):
        return  # another one of the same may have been there before
    answer = connection.ask("GET", f"/task/{id}")
    assert answer.status == 200, (str(case), answer)
    for name, value in values.items():
        if name in SHOWN_OTHERWISE:
            continue
        if name == "payload" and value is not None:
            assert b64decode(answer.json[name]) == bytes_of(value), str(case)
        elif value is None or value in USUAL.get(name, ()):
            assert answer.json.get(name) in (None, 200, "", "default"), str(case)
        else:
            assert answer.json[name] == value, (name, str(case))
    if values.get("json") is not None:
        # Not even numbers that no float can hold become others.
        text = b'"json":' + msgspec.json.format(bytes(given["json"]), indent=-1)
        assert text in answer.body, str(case)


@pytest.mark.parametrize("size", [5_000_000, 9_000_000])
def test_what_is_large_is_refused_or_taken_too(
    service: Service, doors: list[Door], size: int
) -> None:
    for number, door in enumerate(doors):
        # Each in some of the ways.
        for case in islice(large(size, door), number % 3, None, 3):
            with Connection(service.port, timeout=30.0) as connection:
                (answer,) = asked(connection, [case])
            taken = check(case, answer)
            if size > 8 * 1024**2:
                assert (taken, answer.status) == (False, 413), str(case)
    assert service.get("/health").json()["healthy"]
