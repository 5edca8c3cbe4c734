"""The surface of the first ancestor (tsileo/poussetaches), field by field.

Beyond it: errors have a body, lists have ``total``, ``limit`` and ``cursor``, there is
one more of them (``/expired``), and ``GET /`` says more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bottle import HTTPResponse, request

from poussetaches.api.gateway import Gateway
from poussetaches.api.query import query_number
from poussetaches.schema import encode, task_json

JSON = {"Content-Type": "application/json"}

#: Tasks on a page, unless asked for fewer; what the supervisor gives at most.
LONGEST_PAGE = 1000

Route = tuple[str, str, Callable[..., object]]


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def status() -> HTTPResponse:
        return HTTPResponse(encode(gateway.status()), 200, JSON)

    def pause() -> HTTPResponse:
        gateway.pause()
        return HTTPResponse(b"", 200)

    def resume() -> HTTPResponse:
        gateway.resume()
        return HTTPResponse(b"", 200)

    def drop_schedules() -> HTTPResponse:
        gateway.unschedule()
        return HTTPResponse(b"", 200)

    def listed(which: str) -> Callable[[], HTTPResponse]:
        def view() -> HTTPResponse:
            cursor = request.query.get("cursor")
            limit = query_number("limit", usual=LONGEST_PAGE, most=LONGEST_PAGE)
            tasks, total, following = gateway.page(which, limit=limit, cursor=cursor)
            page = {
                "tasks": [task_json(task) for task in tasks],
                "total": total,
                "cursor": following,
            }
            return HTTPResponse(encode(page), 200, JSON)

        return view

    yield "GET", "/", status
    for which in ("waiting", "success", "dead", "cron", "expired"):
        yield "GET", f"/{which}", listed(which)
    yield "DELETE", "/cron", drop_schedules
    yield "POST", "/pause", pause
    yield "POST", "/resume", resume
