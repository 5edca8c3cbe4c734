"""The tasks, by their states and what they have in common: listed, and counted. Runs in
the api."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.page import page
from poussetaches.api.query import header, query_texts
from poussetaches.api.web.browser import prefers_page
from poussetaches.model.filter import Filter
from poussetaches.schema import FILTERS, encode, parse_filter, parse_states

#: What is shown unless asked otherwise.
USUAL_STATES = "waiting,leased"
USUAL_PAGE = 100
#: In the query of a page that a browser comes to; what else there is asks for a list.
MESSAGE = frozenset({"did", "count"})


def routes(gateway: Gateway, overview: Callable[[], HTTPResponse]) -> Iterator[Route]:
    """Method, path and view of everything this surface has. ``overview``: what browsers
    see at the path of the second ancestor's page."""

    def listed() -> HTTPResponse:
        accept = header("ACCEPT")
        if prefers_page(accept) and MESSAGE.issuperset(request.query):
            return overview()
        states, filter = _asked("limit", "cursor")
        answer = page(gateway, states, filter, usual=USUAL_PAGE)
        answer.set_header("Vary", "Accept")
        return answer

    def count() -> HTTPResponse:
        total = gateway.count(*_asked())
        return HTTPResponse(encode({"total": total}), 200, JSON)

    yield "GET", "/tasks", listed
    yield "GET", "/tasks/count", count


def _asked(*others: str) -> tuple[tuple[str, ...], Filter]:
    """The states and the filter that the query names."""
    texts = query_texts(("state", *FILTERS, *others), others=False)
    return parse_states(texts.get("state", USUAL_STATES)), parse_filter(texts)
