"""Our own surface: what none of the ancestors had."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.schema import encode


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def stats() -> HTTPResponse:
        return HTTPResponse(encode(gateway.stats()), 200, JSON)

    yield "GET", "/stats", stats
