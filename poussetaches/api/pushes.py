"""The pushes, of one task and of many: what applications do all day. Runs in the api.

The views take the bare environ and know nothing of bottle (see ``direct.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

import gevent

from poussetaches.api.direct import JSON, DirectView, Plain
from poussetaches.api.gateway import Gateway
from poussetaches.schema import (
    PushRequest,
    encode,
    parse_batch,
    parse_push,
    read_trace,
    with_trace,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Media types of one JSON value a line; what else comes is taken for one JSON array.
LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})

#: After how many pushes of a batch the other requests have a turn.
TURN = 500


def routes(gateway: Gateway) -> Iterator[tuple[str, str, DirectView]]:
    """Method, path and view of everything this surface has."""

    def push(environ: WSGIEnvironment) -> Plain:
        asked = parse_push(
            body_of(environ), gateway.rules, gateway.max_payload, gateway.queues
        )
        (id,) = gateway.push([traced(environ, asked)])
        # The name as Go spells it on the wire.
        headers = [("Content-Type", "text/plain"), ("Poussetaches-Task-Id", id)]
        return Plain(201 if id == asked.id else 200, headers, b"")

    def push_batch(environ: WSGIEnvironment) -> Plain:
        asked: list[PushRequest] = []
        for one in parse_batch(
            body_of(environ),
            gateway.rules,
            gateway.max_payload,
            gateway.queues,
            lines=media_type_of(environ) in LINES,
        ):
            asked.append(traced(environ, one))
            if len(asked) % TURN == 0:
                gevent.sleep(0)
        ids = gateway.push(asked)
        is_new = any(id == one.id for id, one in zip(ids, asked, strict=True))
        return Plain(201 if is_new else 200, JSON, encode({"ids": ids}))

    yield "POST", "/", push
    yield "POST", "/batch", push_batch


def media_type_of(environ: WSGIEnvironment) -> str:
    """What the body of this request is said to be, in lower case."""
    said: str = environ.get("CONTENT_TYPE", "")
    return said.partition(";")[0].strip().lower()


def traced(environ: WSGIEnvironment, asked: PushRequest) -> PushRequest:
    """``asked``, as part of the trace that this request belongs to, if it does."""
    parent = environ.get("HTTP_TRACEPARENT")
    if parent is None:
        return asked
    return with_trace(asked, read_trace(parent, environ.get("HTTP_TRACESTATE", "")))


def body_of(environ: WSGIEnvironment) -> bytes:
    """The body of this request, kept by nobody else: what is made of it may have to
    wait, and memory would hold both."""
    # The server has read it and knows its length.
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO()
    return body
