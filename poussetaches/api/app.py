"""The application behind the port: an ordinary WSGI application, made with bottle.

Runs in the api. It holds no state: every question goes to the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bottle import Bottle, HTTPError, HTTPResponse, request

from poussetaches.api import (
    ancestor,
    dead,
    health,
    lists,
    native,
    origins,
    pushes,
    queues,
    schedules,
    second_ancestor,
    tasks,
    third_ancestor,
)
from poussetaches.api.direct import (
    Direct,
    DirectView,
    Plain,
    answer,
    error_json,
    refusal,
)
from poussetaches.api.gateway import Gateway
from poussetaches.api.health import Health
from poussetaches.api.openapi import view as openapi
from poussetaches.api.web import overview, surface
from poussetaches.api.web.render import answering, error_page
from poussetaches.errors import MethodNotAllowed, NotFound, PousseTachesError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

View = Callable[..., object]


def make_app(gateway: Gateway, vitals: Health) -> WSGIApplication:
    """Every surface under one port."""
    app = Bottle()
    # What fails is logged by who called us, with the id of the request.
    app.catchall = False
    direct: dict[tuple[str, str], DirectView] = {}
    for method, path, view in pushes.routes(gateway):
        app.route(path, method=method, callback=_calling(view))
        direct[method, path] = view
    for routes in (
        ancestor.routes(gateway),
        native.routes(gateway),
        queues.routes(gateway),
        origins.routes(gateway),
        tasks.routes(gateway),
        lists.routes(gateway, answering(overview.showing(gateway))),
        dead.routes(gateway),
        second_ancestor.routes(gateway),
        third_ancestor.routes(gateway),
        schedules.routes(gateway),
        health.routes(vitals),
        openapi.routes(),
        surface.routes(gateway),
    ):
        for method, path, bottle_view in routes:
            app.route(path, method=method, callback=_answering(bottle_view))
    app.default_error_handler = _error_page
    app.add_hook("before_request", _refuse_path_that_means_another)
    return Direct(direct, app)


def _refuse_path_that_means_another() -> None:
    """bottle leaves out what is not UTF-8, and would take ``/%FF`` for ``/``; and a
    line feed at the end, so that ``/schedule/a%0A`` would be ``/schedule/a``."""
    environ = request.environ
    path: str = environ["PATH_INFO"]
    is_text = path.encode() == environ["bottle.raw_path"].encode("latin-1")
    if not is_text or path.endswith("\n"):
        raise HTTPError(404)


def _answering(view: View) -> View:
    def answering(**arguments: str) -> object:
        try:
            return view(**arguments)
        except PousseTachesError as error:
            return _response(refusal(error))

    return answering


def _calling(view: DirectView) -> View:
    return lambda: _response(answer(view, request.environ))


def _response(plain: Plain) -> HTTPResponse:
    return HTTPResponse(plain.body, plain.status, plain.headers)


def _error_page(error: HTTPError) -> Iterable[bytes]:
    """What bottle itself says no to, in our words: as a page to those who came by one.
    bottle keeps the error's headers."""
    told: PousseTachesError
    if error.status_code == 404:
        told = NotFound("There is nothing at this path.")
    elif error.status_code == 405:
        told = MethodNotAllowed("This path does not take this method.")
    else:
        told = PousseTachesError(str(error.body))
    if request.environ["PATH_INFO"].startswith(f"{surface.PATH}/"):
        shown = error_page(told)
        for name, value in shown.headerlist:
            error.set_header(name, value)
        return [shown.body]
    error.content_type = "application/json"
    return [error_json(told)]
