"""What descriptions of operations are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

#: Method, path and operation. The path is that of the route, as OpenAPI writes it.
Operation = tuple[str, str, Json]

JSON = "application/json"
LINES = "application/x-ndjson"

#: What the HTTP server may say to any request, before its path is looked at.
_TO_ANY = (400, 401, 403, 408, 413, 431, 503)


def operation(
    name: str,
    summary: str,
    answers: Mapping[int, Json],
    *,
    says_no: Sequence[int] = (),
    body: Json | None = None,
    parameters: Sequence[Json] = (),
    description: str = "",
    is_open: bool = False,
) -> Json:
    """One operation: its ``name`` (unique) and a sentence; what it ``answers`` when it
    does as asked, and the statuses it ``says_no`` with besides those of any request.
    ``is_open``: asked without a key, too."""
    told: Json = {"operationId": name, "summary": summary}
    if description:
        told["description"] = description
    if parameters:
        told["parameters"] = list(parameters)
    if body is not None:
        told["requestBody"] = body
    if is_open:
        told["security"] = []
    statuses = sorted({*_TO_ANY, *says_no} - {*answers})
    said = {str(status): ref("responses", f"Error{status}") for status in statuses}
    told["responses"] = {str(status): one for status, one in answers.items()} | said
    return told


def answer(
    description: str,
    schema: Json | None = None,
    *,
    media: str = JSON,
    lines: bool = False,
    headers: Mapping[str, Json] | None = None,
    links: Mapping[str, Json] | None = None,
) -> Json:
    """One answer. ``schema``: of its body, None: it has none; ``lines``: it may be
    asked for as JSON values on a line each, too."""
    told: Json = {"description": description}
    if schema is not None:
        told["content"] = {media: {"schema": schema}}
    if lines:
        told["content"][LINES] = {"schema": text("One on each line.")}
    if headers:
        told["headers"] = dict(headers)
    if links:
        told["links"] = dict(links)
    return told


def body(schema: Json, *, required: bool = True, **others: Json) -> Json:
    """A body of JSON; ``others``: its schema as a form, or as lines."""
    content = {JSON: {"schema": schema}}
    for kind, other in others.items():
        content[_MEDIA[kind]] = {"schema": other}
    return {"required": required, "content": content}


_MEDIA = {"form": "application/x-www-form-urlencoded", "lines": LINES}


def ref(kind: str, name: str) -> Json:
    """A component that stands in the document once."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schema(name: str) -> Json:
    """The schema of that name."""
    return ref("schemas", name)


def header(description: str, of: Json, *, always: bool = True) -> Json:
    return {"description": description, "schema": of, "required": always}


def query(name: str, of: Json, description: str) -> Json:
    """A parameter that may stand in the query."""
    return {"name": name, "in": "query", "schema": of, "description": description}


def in_path(name: str, of: Json, description: str) -> Json:
    """A part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": of,
        "description": description,
    }


# --- schemas --------------------------------------------------------------------------


def record(fields: Mapping[str, Json], *, optional: Mapping[str, Json] = {}) -> Json:
    """An object of these fields and no other, so that a test finds what is new."""
    return {
        "type": "object",
        "properties": {**fields, **optional},
        "required": list(fields),
        "additionalProperties": False,
    }


def array(of: Json, **limits: Any) -> Json:
    return {"type": "array", "items": of, **limits}


def text(description: str = "", **limits: Any) -> Json:
    return _told({"type": "string", **limits}, description)


def whole(description: str = "", **limits: Any) -> Json:
    """A whole number."""
    return _told({"type": "integer", **limits}, description)


def number(description: str = "", **limits: Any) -> Json:
    return _told({"type": "number", **limits}, description)


def switch(description: str = "") -> Json:
    return _told({"type": "boolean"}, description)


def one_of(words: Sequence[str], description: str = "") -> Json:
    """One of some words."""
    return _told({"type": "string", "enum": list(words)}, description)


def or_null(of: Json) -> Json:
    """The same, or null."""
    if "type" not in of or "enum" in of:
        return {"anyOf": [of, {"type": "null"}]}
    kinds = of["type"] if isinstance(of["type"], list) else [of["type"]]
    return {**of, "type": [*kinds, "null"]}


def count(description: str = "") -> Json:
    """A number of things."""
    return whole(description, minimum=0)


def moment(description: str = "") -> Json:
    """A time of the wall clock."""
    return number(f"{description} Posix seconds.".strip())


def any_of(*kinds: Json) -> Json:
    return {"anyOf": list(kinds)}


def _told(of: Json, description: str) -> Json:
    return {**of, "description": description} if description else of


Operations = Iterator[Operation]


#: Of a task.
ID = text(
    "32 hexadecimal digits; of a run of a schedule that schedule's id, which has 40."
)
