"""Dead letters as a list of work: grouped by cause, tried again, done without. Runs in
the api."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.clearing import Cleared, Clearing
from poussetaches.api.direct import error_fields, refusal
from poussetaches.api.gateway import Gateway
from poussetaches.api.page import LONGEST_PAGE
from poussetaches.api.query import query_number, query_texts
from poussetaches.api.request_id import current_request_id
from poussetaches.errors import InvalidInput
from poussetaches.log import fields
from poussetaches.schema import (
    DEAD_FILTERS,
    Selection,
    encode,
    group_json,
    parse_filter,
    parse_selection,
    read_selection,
)

log = logging.getLogger(__name__)

#: Groups on a page, unless asked for more or fewer.
USUAL_PAGE = 100


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""
    clearing = Clearing(gateway)

    def groups() -> HTTPResponse:
        texts = query_texts(("limit", "cursor", *DEAD_FILTERS), others=False)
        filter = parse_filter(texts)
        limit = query_number("limit", usual=USUAL_PAGE, most=LONGEST_PAGE)
        found = clearing.groups(filter, limit=limit, cursor=texts.get("cursor"))
        page = {
            "groups": [group_json(view) for view in found.views],
            "total": found.total,
            "causes": found.causes,
            "cursor": found.cursor,
        }
        return HTTPResponse(encode(page), 200, JSON)

    def retry() -> HTTPResponse:
        cleared = clearing.clear("retry", parse_selection(request.body.read()))
        _note("retried", cleared)
        counts = {"retried": cleared.done, "skipped": cleared.skipped}
        return _answer(counts, cleared)

    def delete() -> HTTPResponse:
        cleared = clearing.clear("delete", _selection())
        _note("deleted", cleared)
        return _answer({"deleted": cleared.done}, cleared)

    yield "GET", "/dead/groups", groups
    yield "POST", "/dead/retry", retry
    yield "DELETE", "/dead", delete


def _selection() -> Selection:
    """What the body says, or the query, of a request whose body not everybody sends."""
    body = request.body.read()
    said = query_texts(("all", "limit", "cursor", *DEAD_FILTERS), others=False)
    if not said:
        return parse_selection(body)
    if body:
        raise InvalidInput("What is selected stands in the query or in the body.")
    given: dict[str, Any] = dict(said)
    if "all" in said:
        given["all"] = {"true": True, "1": True}.get(said["all"], said["all"])
    if "limit" in said:
        given["limit"] = query_number("limit", usual=1, most=999_999)
    return read_selection(given)


def _note(done: str, cleared: Cleared) -> None:
    if cleared.done:
        told = fields(count=cleared.done, request=current_request_id())
        log.info("dead letters %s", done, extra=told)


def _answer(counts: dict[str, Any], cleared: Cleared) -> HTTPResponse:
    """What was done; and what kept it from going on, if something did."""
    told = {**counts, "cursor": cleared.cursor}
    if cleared.error is None:
        return HTTPResponse(encode(told), 200, JSON)
    status, headers, _ = refusal(cleared.error)
    told["error"] = error_fields(cleared.error)
    return HTTPResponse(encode(told), status, dict(headers))
