"""Our own surface: what none of the ancestors had."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse
from gevent.lock import BoundedSemaphore

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.query import header, query_texts
from poussetaches.errors import InvalidInput
from poussetaches.model.ring import SPANS
from poussetaches.schema import encode

#: Of the history, unless asked otherwise.
USUAL_SPAN = "5m"


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    # One is a lot of text, and whoever asks for many at once gets no more of it.
    scrapes = BoundedSemaphore(1)

    def stats() -> HTTPResponse:
        return HTTPResponse(encode(gateway.stats()), 200, JSON)

    def metrics() -> HTTPResponse:
        # Here, so that nobody pays for a library that nobody needs.
        from poussetaches.api.metrics import render

        with scrapes:
            content_type, body = render(gateway.stats(), header("ACCEPT"))
        return HTTPResponse(body, 200, {"Content-Type": content_type})

    def history() -> HTTPResponse:
        texts = query_texts(("span",), others=False)
        span = texts.get("span", USUAL_SPAN)
        if span not in SPANS:
            raise InvalidInput(f"span: must be one of {', '.join(SPANS)}", field="span")
        return HTTPResponse(encode(gateway.history(span)), 200, JSON)

    yield "GET", "/stats", stats
    yield "GET", "/stats/history", history
    yield "GET", "/metrics", metrics
