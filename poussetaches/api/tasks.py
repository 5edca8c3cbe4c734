"""One task, by its id: to look at it, and to steer it."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.pushes import body_of
from poussetaches.schema import encode, new_id, parse_edit, task_json, why_json


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def show(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.task(id))), 200, JSON)

    def cancel(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.cancel(id))), 200, JSON)

    def edit(id: str) -> HTTPResponse:
        task, version = gateway.editable(id)
        edit = parse_edit(
            body_of(request.environ),
            task,
            gateway.rules,
            gateway.max_payload,
            gateway.queues,
        )
        edited = gateway.edit(id, version, edit)
        return HTTPResponse(encode(task_json(edited)), 200, JSON)

    def why(id: str) -> HTTPResponse:
        return HTTPResponse(encode(why_json(gateway.why(id))), 200, JSON)

    def run(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.run(id))), 200, JSON)

    def retry(id: str) -> HTTPResponse:
        again = gateway.retry(id, new_id())
        return HTTPResponse(encode(task_json(again)), 200, JSON)

    yield "GET", "/task/<id>", show
    yield "GET", "/task/<id>/why", why
    yield "PUT", "/task/<id>", edit
    yield "POST", "/task/<id>/run", run
    yield "POST", "/task/<id>/retry", retry
    yield "DELETE", "/task/<id>", cancel
