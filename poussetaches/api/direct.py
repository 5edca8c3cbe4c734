"""The direct way to a view: without bottle. Runs in the api.

To find a view, to prepare request and response for it, and to cast what it returns,
bottle takes as much processor time as all else that the api does for a push. So the
few views that are asked thousands of times a second take the bare environ and return
a plain answer. bottle has them, too, and calls them the same way: with or without
``Direct`` in front, the application is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http.client import responses
from typing import TYPE_CHECKING, NamedTuple

from poussetaches.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    PousseTachesError,
    TooLarge,
    TooSlow,
    Unauthorized,
    Unavailable,
)
from poussetaches.schema import encode

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

JSON: Headers = [("Content-Type", "application/json")]

#: The status of each error, by the most special class that it is.
STATUSES: tuple[tuple[type[PousseTachesError], int], ...] = (
    (TooLarge, 413),
    (TooSlow, 408),
    (InvalidInput, 400),
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (MethodNotAllowed, 405),
    (Unavailable, 503),
    (PousseTachesError, 500),
)


class Plain(NamedTuple):
    """An answer."""

    status: int
    headers: Headers
    body: bytes


DirectView = Callable[["WSGIEnvironment"], Plain]


class Direct:
    """A WSGI application: some ``views``, by method and path, and ``app`` for the
    rest."""

    def __init__(
        self, views: Mapping[tuple[str, str], DirectView], app: WSGIApplication
    ) -> None:
        self._views = views
        self._app = app

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        view = self._views.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if view is None:
            return self._app(environ, start_response)
        status, headers, body = answer(view, environ)
        start_response(_status_line(status), headers)
        return (body,)


def answer(view: DirectView, environ: WSGIEnvironment) -> Plain:
    """What ``view`` answers, be it an error of ours."""
    try:
        return view(environ)
    except PousseTachesError as error:
        return refusal(error)


def refusal(error: PousseTachesError) -> Plain:
    """The answer that says ``error``."""
    status = status_of(error)
    headers = JSON
    if isinstance(error, Unavailable):
        headers = [*JSON, ("Retry-After", str(error.retry_after))]
    return Plain(status, headers, error_json(error))


def status_of(error: PousseTachesError) -> int:
    """The status of an answer that says ``error``."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def error_json(error: PousseTachesError) -> bytes:
    """``error`` as the body of an answer."""
    return encode({"error": error_fields(error)})


def error_fields(error: PousseTachesError) -> dict[str, str | None]:
    """What is said of ``error``."""
    return {"code": error.code, "message": error.message, "field": error.field}


@lru_cache
def _status_line(status: int) -> str:
    return f"{status} {responses[status]}"
