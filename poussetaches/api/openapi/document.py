"""The whole document."""

from __future__ import annotations

from functools import cache

import poussetaches
from poussetaches.api.direct import STATUSES
from poussetaches.api.openapi import (
    dead,
    lists,
    origins,
    pushes,
    queues,
    schedules,
    second_ancestor,
    service,
    steering,
    tasks,
    third_ancestor,
)
from poussetaches.api.openapi.parts import (
    Json,
    answer,
    header,
    one_of,
    or_null,
    record,
    schema,
    text,
    whole,
)
from poussetaches.schema import encode

SURFACES = (
    service,
    pushes,
    tasks,
    steering,
    lists,
    dead,
    queues,
    schedules,
    origins,
    second_ancestor,
    third_ancestor,
)

_ABOUT = """\
Takes tasks over HTTP, keeps them safe, and pushes them by HTTP until they are done.

Whatever is refused has changed nothing. Besides the answers that stand with each
operation there are those that any server of HTTP gives: 405 for another method, 417 for
an expectation, 501 and 505 for what is not spoken here.\
"""

#: What each status says no to, for people.
_NOES = {
    400: "Something in the request can never be accepted; `field` names it.",
    401: "A key is asked for.",
    403: "The key, or the page that asks, may not do this.",
    404: "There is no such thing.",
    408: "The request did not arrive in time.",
    409: "What is there does not allow it.",
    413: "Something is larger than a limit allows.",
    431: "There are too many headers, or too long ones.",
    503: "Not now.",
}


def document(prefix: str) -> Json:
    """The description of a service whose paths begin with ``prefix`` (empty: none)."""
    paths: dict[str, Json] = {}
    for surface in SURFACES:
        for method, path, operation in surface.operations():
            operation["tags"] = [surface.__name__.rpartition(".")[2]]
            paths.setdefault(path, {})[method.lower()] = operation
    schemas: dict[str, Json] = {"Error": _error()}
    for surface in SURFACES:
        schemas |= surface.components()
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "poussetaches",
            "version": poussetaches.__version__,
            "description": _ABOUT,
            "license": {"name": "ISC", "identifier": "ISC"},
        },
        "servers": [{"url": prefix or "/"}],
        # As the service is configured: with keys, or without any.
        "security": [{"bearer": []}, {"basic": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                f"Error{status}": _refusal(status, what)
                for status, what in _NOES.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


@cache
def written(prefix: str) -> bytes:
    """The same as JSON; made once."""
    return encode(document(prefix))


def codes() -> list[str]:
    """What an answer may say no with, for machines."""
    found: set[str] = set()
    kinds = [kind for kind, status in STATUSES if status != 500]
    for kind in kinds:
        found.add(kind.code)
        kinds += kind.__subclasses__()
    return sorted(found)


def _error() -> Json:
    told = record(
        {
            "code": one_of(codes(), "For machines."),
            "message": text("For people.", minLength=1),
            "field": or_null(text("What is at fault, if one thing is.")),
        }
    )
    return record({"error": told})


def _refusal(status: int, what: str) -> Json:
    headers: dict[str, Json] = {}
    if status == 503:
        seconds = whole("Seconds after which to try again.", minimum=1)
        headers["Retry-After"] = header("When to try again.", seconds)
    return answer(what, schema("Error"), headers=headers)
