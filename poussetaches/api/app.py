"""The application behind the port: an ordinary WSGI application, made with bottle.

Runs in the api. It holds no state: every question goes to the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bottle import Bottle, HTTPError, HTTPResponse, request

from poussetaches.api import ancestor, health, native
from poussetaches.api.gateway import Gateway
from poussetaches.api.health import Health
from poussetaches.errors import (
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    PousseTachesError,
    TooLarge,
    TooSlow,
    Unavailable,
)
from poussetaches.schema import encode

View = Callable[..., object]

#: The status of each error, by the most special class that it is.
STATUSES: tuple[tuple[type[PousseTachesError], int], ...] = (
    (TooLarge, 413),
    (TooSlow, 408),
    (InvalidInput, 400),
    (NotFound, 404),
    (MethodNotAllowed, 405),
    (Unavailable, 503),
    (PousseTachesError, 500),
)


def make_app(gateway: Gateway, vitals: Health) -> Bottle:
    """Every surface under one port."""
    app = Bottle()
    for routes in (
        ancestor.routes(gateway),
        native.routes(gateway),
        health.routes(vitals),
    ):
        for method, path, view in routes:
            app.route(path, method=method, callback=_answering(view))
    app.default_error_handler = _error_page
    app.add_hook("before_request", _refuse_path_that_is_no_text)
    return app


def status_of(error: PousseTachesError) -> int:
    """The HTTP status that says ``error``."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def error_json(error: PousseTachesError) -> bytes:
    """``error`` as the body of an answer."""
    told = {"code": error.code, "message": error.message, "field": error.field}
    return encode({"error": told})


def _refuse_path_that_is_no_text() -> None:
    """bottle leaves out what is not UTF-8, and would take ``/%FF`` for ``/``."""
    environ = request.environ
    if environ["PATH_INFO"].encode() != environ["bottle.raw_path"].encode("latin-1"):
        raise HTTPError(404)


def _answering(view: View) -> View:
    def answer(**arguments: str) -> object:
        try:
            return view(**arguments)
        except PousseTachesError as error:
            return _refusal(error)

    return answer


def _refusal(error: PousseTachesError) -> HTTPResponse:
    headers = {"Content-Type": "application/json"}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    return HTTPResponse(error_json(error), status_of(error), headers)


def _error_page(error: HTTPError) -> Iterable[bytes]:
    """What bottle itself says no to, in our words. bottle keeps the error's headers."""
    told: PousseTachesError
    if error.status_code == 404:
        told = NotFound("There is nothing at this path.")
    elif error.status_code == 405:
        told = MethodNotAllowed("This path does not take this method.")
    else:
        told = PousseTachesError(str(error.body))
    error.content_type = "application/json"
    return [error_json(told)]
