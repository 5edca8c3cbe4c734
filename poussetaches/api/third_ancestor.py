"""The surface of the third ancestor (mentat/taskqueue), which there is only drawn."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.pushes import body_of, media_type_of, traced
from poussetaches.schema import PushRequest, encode, parse_message, task_json

PATH = "/tasks/push"


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def asked() -> PushRequest:
        environ = request.environ
        asked = parse_message(
            body_of(environ),
            media_type_of(environ),
            gateway.max_payload,
            gateway.queues,
        )
        return traced(environ, asked)

    def push() -> HTTPResponse:
        (id,) = gateway.push([asked()])
        return HTTPResponse(encode({"id": id}), 201, JSON)

    def show(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.task(id))), 200, JSON)

    def replace(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.replace(id, asked()))), 200, JSON)

    def cancel(id: str) -> HTTPResponse:
        return HTTPResponse(encode(task_json(gateway.cancel(id))), 200, JSON)

    yield "POST", PATH, push
    yield "POST", f"{PATH}/", push
    yield "GET", f"{PATH}/<id>", show
    yield "PUT", f"{PATH}/<id>", replace
    yield "DELETE", f"{PATH}/<id>", cancel
