"""``GET /openapi.json``."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.openapi.document import written
from poussetaches.api.query import header


def routes() -> Iterator[Route]:
    """Method, path and view."""

    def describe() -> HTTPResponse:
        # The url_prefix: the application is not asked for paths outside it.
        body = written(request.environ.get("SCRIPT_NAME", ""))
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {**JSON, "ETag": tag, "Cache-Control": "no-cache"}
        if tag in header("IF_NONE_MATCH"):
            return HTTPResponse(b"", 304, headers)
        return HTTPResponse(body, 200, headers)

    yield "GET", "/openapi.json", describe
