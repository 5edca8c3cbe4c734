"""A page of a list of tasks, in the form that was asked for. Runs in the api."""

from __future__ import annotations

from collections.abc import Sequence

from bottle import HTTPResponse, request

from poussetaches.api.direct import JSON
from poussetaches.api.gateway import Gateway
from poussetaches.api.query import header, query_number
from poussetaches.model.filter import Filter
from poussetaches.schema import encode, task_json

#: The most tasks on a page.
LONGEST_PAGE = 1000

#: One task a line.
LINES = "application/x-ndjson"


def page(
    gateway: Gateway, lists: Sequence[str], filter: Filter, *, usual: int
) -> HTTPResponse:
    """The page of ``lists`` that the query asks for, of ``usual`` tasks unless it says
    otherwise."""
    limit = query_number("limit", usual=usual, most=LONGEST_PAGE)
    cursor = request.query.get("cursor")
    tasks, total, following = gateway.page(lists, filter, limit=limit, cursor=cursor)
    shown = [task_json(task) for task in tasks]
    if _wants_lines(header("ACCEPT")):
        headers = {"Content-Type": LINES}
        if following is not None:
            headers["Poussetaches-Cursor"] = following
        return HTTPResponse(b"".join(map(encode, shown)), 200, headers)
    told = {"tasks": shown, "total": total, "cursor": following}
    return HTTPResponse(encode(told), 200, dict(JSON))


def _wants_lines(accept: str) -> bool:
    """Whether one task a line is asked for by name; a browser takes anything."""
    kinds = (one.partition(";")[0].strip().lower() for one in accept.split(","))
    return LINES in kinds
