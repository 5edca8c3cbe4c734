"""The surface of the second ancestor (jordic/taskpusher), as its document has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.pushes import body_of, media_type_of, traced
from poussetaches.api.query import header, query_texts
from poussetaches.model.attempt import LONGEST_EXCERPT
from poussetaches.schema import encode, job_json, parse_job

#: Jobs on a page.
PAGE = 100

#: Its lists, one with a name that is spelt as there, too; and what is in them.
LISTS = {
    "waiting": ("waiting",),
    "running": ("leased",),
    "runing": ("leased",),
    "completed": ("succeeded",),
    "errors": ("dead", "expired"),
}


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def add() -> HTTPResponse:
        environ = request.environ
        asked = parse_job(body_of(environ), media_type_of(environ), gateway.queues)
        (id,) = gateway.push([traced(environ, asked)])
        headers = {"Poussetaches-Task-Id": id, "Content-Type": "text/plain"}
        if "application/json" in header("ACCEPT").lower():
            return HTTPResponse(encode({"uid": id}), 200, {**headers, **JSON})
        return HTTPResponse(id.encode(), 200, headers)

    def show(id: str) -> HTTPResponse:
        task = gateway.task(id)
        result = None if task.history is None else task.history.result
        return HTTPResponse(encode(job_json(task, result)), 200, JSON)

    def listed(lists: tuple[str, ...]) -> Callable[[], HTTPResponse]:
        def view() -> HTTPResponse:
            last = query_texts(("last_uid",), others=True).get("last_uid") or None
            found = gateway.jobs(lists, limit=PAGE, last_id=last)
            jobs = [job_json(task, result, LONGEST_EXCERPT) for task, result in found]
            return HTTPResponse(encode(jobs), 200, JSON)

        return view

    yield "POST", "/add", add
    yield "GET", "/job/<id>", show
    for name, lists in LISTS.items():
        yield "GET", f"/jobs/{name}", listed(lists)
