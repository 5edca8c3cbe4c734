"""Dead letters by their causes, and what can be done about them. Runs in the api."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import Route
from poussetaches.api.clearing import Clearing, Groups
from poussetaches.api.gateway import Gateway
from poussetaches.api.page import LINES
from poussetaches.api.web import render
from poussetaches.api.web.browser import read_form
from poussetaches.api.web.picked import query_of, read, said_in_form, said_in_query
from poussetaches.errors import InvalidInput, NotFound, PousseTachesError
from poussetaches.model.filter import Filter
from poussetaches.schema import encode, new_id, parse_filter, task_json

PATH = "/ui/dead/groups"
#: Groups on a page.
PAGE = 50
#: An export has no more dead letters than this, and ends after so many bytes.
MOST_LINES = 10_000
MOST_BYTES = 32 * 1024 * 1024
NONE = Groups([], 0, 0, None)


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything here."""
    clearing = Clearing(gateway)

    def show() -> HTTPResponse:
        return _page(clearing, said_in_query())

    def canary() -> HTTPResponse:
        said = said_in_form(read_form(request.environ))
        try:
            id = _one_of(clearing, parse_filter(said))
            again = gateway.retry(id, new_id())
        except PousseTachesError as error:
            return _page(clearing, said, error)
        return render.see(f"/ui/task/{again.id}", "canary")

    def export() -> HTTPResponse:
        filter = read({**said_in_query(), "state": "dead"}).filter
        headers = {
            "Content-Type": LINES,
            "Content-Disposition": 'attachment; filename="dead-letters.jsonl"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return HTTPResponse(_lines(gateway, filter), 200, headers)

    yield "GET", PATH, show
    yield "POST", "/ui/dead/canary", canary
    yield "GET", "/ui/dead/export", export


def _page(
    clearing: Clearing, said: Mapping[str, str], error: PousseTachesError | None = None
) -> HTTPResponse:
    found = NONE
    try:
        filter = parse_filter(said)
        found = clearing.groups(filter, limit=PAGE, cursor=said.get("cursor"))
    except PousseTachesError as failed:
        error = error or failed
    asked = query_of(said)
    asked.pop("state", None)
    return render.page(
        "dead",
        title="Dead letters",
        here=PATH,
        twin=render.url("/dead/groups", **asked),
        now=time.time(),
        asked=asked,
        found=found,
        most=MOST_LINES,
        is_first="cursor" not in said,
        **render.failing(error),
    )


def _one_of(clearing: Clearing, filter: Filter) -> str:
    """The dead letter of a cause that died last."""
    if filter.cause is None:
        raise InvalidInput("cause: must be given", field="cause")
    views = clearing.groups(filter, limit=1, cursor=None).views
    if not views:
        raise NotFound("There are no dead letters of this cause any more.")
    return views[0].sample


def _lines(gateway: Gateway, filter: Filter) -> bytes:
    """Dead letters, one a line."""
    lines: list[bytes] = []
    size = 0
    cursor: str | None = None
    while True:
        views, _, cursor = gateway.page(
            ("dead",), filter, limit=min(1000, MOST_LINES - len(lines)), cursor=cursor
        )
        lines += (encode(task_json(view)) for view in views)
        size += sum(map(len, lines[-len(views) :])) if views else 0
        if cursor is None or len(lines) >= MOST_LINES or size > MOST_BYTES:
            return b"".join(lines)
