"""One task, by its id: to look at it, and to cancel it."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.schema import encode, task_json


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def show(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.task(id))), 200, JSON)

    def cancel(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.cancel(id))), 200, JSON)

    yield "GET", "/task/<id>", show
    yield "DELETE", "/task/<id>", cancel
