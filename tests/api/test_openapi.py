"""The description of the surfaces, held against what it describes.

That a running service answers as it says is shown in ``tests/processes``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from wsgiref.util import setup_testing_defaults

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from poussetaches.api.app import make_app
from poussetaches.api.direct import Direct
from poussetaches.api.health import Health
from poussetaches.api.openapi import pushes, queues, third_ancestor
from poussetaches.api.openapi.document import codes, written
from poussetaches.api.openapi.typed import schema_of
from poussetaches.api.web import surface
from poussetaches.errors import InvalidInput
from poussetaches.model.queue_fields import FIELDS, check_field, check_name
from poussetaches.model.rules import Rules
from poussetaches.schema import parse_message, parse_push

DOCS = Path(__file__).parents[2] / "docs"
HTTP = (DOCS / "http.md").read_text()

DOCUMENT = json.loads(written(""))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]

#: How a route of bottle writes a part of a path.
PART = re.compile(r"<(\w+)(:[^>]*)?>")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


# --- against the application ----------------------------------------------------------


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


def test_it_has_every_route_and_no_other() -> None:
    entrance = make_app(cast(Any, None), Health(10.0, 0.0))
    assert isinstance(entrance, Direct)
    bottle = cast(Any, entrance._app)
    # But for the pages: they are for people and change as people need it, and each has
    # a twin in here for programs.
    routes = {
        (r.method, PART.sub(r"{\1}", r.rule))
        for r in bottle.routes
        if not f"{r.rule}/".startswith(f"{surface.PATH}/")
    }
    assert set(entrance._views) <= routes
    assert {(method, path) for method, path, _ in operations()} == routes


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)


def test_what_stands_once_is_used() -> None:
    """And what is used is there, or ``validate`` would say so."""
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "responses"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


# --- as it is served ------------------------------------------------------------------


def get(**headers: str) -> tuple[str, dict[str, str], bytes]:
    environ: dict[str, Any] = {"PATH_INFO": "/openapi.json", **headers}
    setup_testing_defaults(environ)
    said: list[Any] = []
    app = make_app(cast(Any, None), Health(10.0, 0.0))
    body = b"".join(app(environ, lambda *start: cast(Any, said.extend(start))))
    return said[0], dict(said[1]), body


def test_it_is_not_sent_again_to_who_has_it() -> None:
    status, headers, body = get()
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert json.loads(body) == DOCUMENT
    tag = headers["Etag"]
    status, headers, body = get(HTTP_IF_NONE_MATCH=f'"other", W/{tag}')
    assert (status, headers["Etag"], body) == ("304 Not Modified", tag, b"")
    assert get(HTTP_IF_NONE_MATCH='"other"')[0] == "200 OK"


def test_paths_are_below_the_prefix() -> None:
    assert DOCUMENT["servers"] == [{"url": "/"}]
    _, _, body = get(SCRIPT_NAME="/tasks")
    assert json.loads(body) == DOCUMENT | {"servers": [{"url": "/tasks"}]}


# --- against the documents ------------------------------------------------------------


def test_a_field_is_described_as_in_the_documents() -> None:
    row = re.compile(r"^\| `(\w+)` \| [^|]* \| [^|]* \| ([^|]*) \|", re.MULTILINE)
    told = dict(row.findall((DOCS / "tasks.md").read_text()))
    assert set(told) == set(pushes.DESCRIPTIONS)
    for name, sentence in pushes.DESCRIPTIONS.items():
        assert told[name].startswith(sentence), name


def test_every_code_of_an_error_is_in_the_documents() -> None:
    rows = re.findall(r"^\| (`[^|]*) \| \d{3}(?:, \d{3})* \|", HTTP, re.MULTILINE)
    told = [code for row in rows for code in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == codes()


# --- against the validators: a limit stands twice, once here and once in the code -----


def edges(shape: dict[str, Any]) -> Iterator[Any]:
    """Values at the limits of ``shape`` and beyond them."""
    for branch in shape.get("anyOf", ()):
        yield from edges({"type": shape.get("type"), **branch})
    step = 1 if shape.get("type") == "integer" else 0.001
    for limit, sign in (("minimum", -1), ("maximum", 1)):
        if limit in shape:
            yield shape[limit]
            yield shape[limit] + sign * step
    for limit in ("minLength", "maxLength"):
        if limit in shape:
            yield from (text_of(shape, shape[limit] + n) for n in (-1, 0, 1))
    for word in shape.get("enum", ()):
        yield from (word, f"{word}x", "")
    if "const" in shape:
        yield from (shape["const"], shape["const"] - 1)
    if "maxProperties" in shape:
        for many in (shape["maxProperties"], shape["maxProperties"] + 1):
            yield {f"X-{n}": "" for n in range(many)}
    if "items" in shape:
        fewest, most = shape.get("minItems", 0), shape.get("maxItems", 1)
        for value in edges(shape["items"]):
            for length in {0, 1, fewest, most, most + 1}:
                yield [value] * length


def text_of(shape: dict[str, Any], length: int) -> str:
    begins = "http://h/" if shape.get("format", "").startswith("uri") else ""
    return begins + "x" * (length - len(begins))


def cases(properties: dict[str, Any]) -> list[Any]:
    found = {}
    for name, shape in properties.items():
        whole = {"components": DOCUMENT["components"], **shape}
        check = Draft202012Validator(whole).is_valid
        for value in edges(shape):
            case = (name, value, check(value))
            found[repr(case)] = case
    return [pytest.param(*case, id=text[1:60]) for text, case in found.items()]


PUSH = SCHEMAS["PushBody"]["properties"]
GROWTH = SCHEMAS["GrowthBody"]["properties"]


def refusal_of_push(given: dict[str, Any]) -> str | None:
    """The field at fault."""
    try:
        parse_push(json.dumps(given).encode(), Rules("UTC"))
    except InvalidInput as error:
        return error.field
    return None


@pytest.mark.parametrize(("name", "value", "allowed"), cases(PUSH))
def test_limits_of_a_push(name: str, value: object, allowed: bool) -> None:
    given = {"url": "http://h/", name: value}
    if name in {"name", "timezone", "missed", "overlap"}:
        given["schedule"] = "@daily"
    assert refusal_of_push(given) == (None if allowed else name)


@pytest.mark.parametrize(("name", "value", "allowed"), cases(GROWTH))
def test_limits_of_a_backoff(name: str, value: object, allowed: bool) -> None:
    least = value if name == "max" and allowed else 0
    given = {"url": "http://h/", "backoff": {"min": least, name: value}}
    assert refusal_of_push(given) == (None if allowed else "backoff")


@pytest.mark.parametrize(
    ("name", "value", "allowed"), cases(SCHEMAS["MessageBody"]["properties"])
)
def test_limits_of_a_message(name: str, value: object, allowed: bool) -> None:
    body = json.dumps({"url": "http://h/", name: value}).encode()
    try:
        parse_message(body, "application/json", None)
    except InvalidInput as error:
        assert (allowed, error.field) == (False, name)
    else:
        assert allowed


@pytest.mark.parametrize(("name", "value", "allowed"), cases(dict(queues.SETTINGS)))
def test_limits_of_a_queue(name: str, value: object, allowed: bool) -> None:
    try:
        check_field(name, value)
    except InvalidInput as error:
        assert (allowed, error.field) == (False, name)
    else:
        assert allowed


def test_settings_of_a_queue_are_all_there() -> None:
    assert tuple(queues.SETTINGS) == FIELDS


@pytest.mark.parametrize("name", ["", "x", "x" * 100, "x" * 101, "A.b:c-d_1", "é", "/"])
def test_the_name_of_a_queue(name: str) -> None:
    pattern = PUSH["queue"]["anyOf"][0]["pattern"]
    try:
        check_name(name)
    except InvalidInput:
        assert not re.search(pattern, name)
    else:
        assert re.search(pattern, name)


def test_a_limit_of_what_is_not_there_is_a_mistake() -> None:
    class Thing(msgspec.Struct):
        size: int

    with pytest.raises(KeyError, match="Thing has no weight"):
        schema_of(Thing, {"weight": {}}, {"size": ""})
    with pytest.raises(KeyError, match="size is no string"):
        schema_of(Thing, {"size": {"string": {"maxLength": 1}}}, {"size": ""})
    with pytest.raises(KeyError, match="size"):
        schema_of(Thing, {}, {})


def test_unknown_fields_of_a_message_are_ignored() -> None:
    assert SCHEMAS["MessageBody"]["additionalProperties"] is True
    assert SCHEMAS["PushBody"]["additionalProperties"] is False
    assert set(third_ancestor.DESCRIPTIONS) == set(SCHEMAS["MessageBody"]["properties"])
