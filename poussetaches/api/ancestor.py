"""The surface of the first ancestor (tsileo/poussetaches), field by field.

Beyond it: errors have a body, lists have ``total``, ``limit``, ``cursor`` and filters,
there is one more of them (``/expired``), and ``GET /`` says more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bottle import HTTPResponse

from poussetaches.api.gateway import Gateway
from poussetaches.api.page import LONGEST_PAGE, page
from poussetaches.api.query import query_texts
from poussetaches.schema import DEAD_FILTERS, FILTERS, encode, parse_filter

JSON = {"Content-Type": "application/json"}

#: What each of its lists shows, by path.
LISTS = {
    "/waiting": ("waiting", "leased"),
    "/success": ("succeeded",),
    "/dead": ("dead",),
    "/cron": ("runs",),
    "/expired": ("expired",),
}

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

    def listed(lists: Sequence[str], filters: Sequence[str]) -> Callable[[], object]:
        def view() -> HTTPResponse:
            filter = parse_filter(query_texts(filters, others=True))
            return page(gateway, lists, filter, usual=LONGEST_PAGE)

        return view

    yield "GET", "/", status
    for path, lists in LISTS.items():
        yield "GET", path, listed(lists, DEAD_FILTERS if path == "/dead" else FILTERS)
    yield "DELETE", "/cron", drop_schedules
    yield "POST", "/pause", pause
    yield "POST", "/resume", resume
