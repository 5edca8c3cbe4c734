"""The queues: looked at, made, changed, paused, purged, dropped. Runs in the api."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.errors import InvalidInput, NotFound
from poussetaches.model.queue_fields import check_name
from poussetaches.schema import encode, parse_queue, queue_json


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def listed() -> HTTPResponse:
        queues = [queue_json(view) for view in gateway.queue_views()]
        return _answer({"queues": queues})

    def show(name: str) -> HTTPResponse:
        return _answer(queue_json(gateway.queue_view(possible(name))))

    def put(name: str) -> HTTPResponse:
        view = gateway.set_queue(check_name(name), parse_queue(request.body.read()))
        return _answer(queue_json(view), 201 if view["is_new"] else 200)

    def switch(paused: bool) -> Callable[[str], HTTPResponse]:
        def view(name: str) -> HTTPResponse:
            gateway.queue_view(possible(name))  # a misspelt one is refused, not made
            return _answer(queue_json(gateway.set_queue(name, {"paused": paused})))

        return view

    def purge(name: str) -> HTTPResponse:
        return _answer({"cancelled": gateway.purge_queue(possible(name))})

    def drop(name: str) -> HTTPResponse:
        gateway.drop_queue(possible(name))
        return HTTPResponse(b"", 200)

    yield "GET", "/queues", listed
    yield "GET", "/queue/<name>", show
    yield "PUT", "/queue/<name>", put
    yield "DELETE", "/queue/<name>", drop
    yield "POST", "/queue/<name>/pause", switch(True)
    yield "POST", "/queue/<name>/resume", switch(False)
    yield "POST", "/queue/<name>/purge", purge


def possible(name: str) -> str:
    """``name``, if there may be a queue of it; the supervisor trusts us not to ask for
    others. Raises NotFound."""
    try:
        return check_name(name)
    except InvalidInput:
        message = f"there is no queue {name!r:.110}"
        raise NotFound(message, field="queue") from None


def _answer(value: Any, status: int = 200) -> HTTPResponse:
    return HTTPResponse(encode(value), status, JSON)
