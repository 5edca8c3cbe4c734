"""The origins: looked at, and let go on by hand. Runs in the api."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.schema import encode, origin_json, parse_lift


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def listed() -> HTTPResponse:
        views, total, held = gateway.origins()
        shown = [origin_json(view) for view in views]
        page = {"origins": shown, "total": total, "held": held}
        return HTTPResponse(encode(page), 200, JSON)

    def lift() -> HTTPResponse:
        lifted = gateway.lift(parse_lift(request.body.read()))
        return HTTPResponse(encode({"lifted": lifted}), 200, JSON)

    yield "GET", "/origins", listed
    yield "POST", "/origins/lift", lift
