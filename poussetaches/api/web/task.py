"""One task with its whole story, and what can be done to it. Runs in the api."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.web import render, story
from poussetaches.api.web.browser import Form, read_form
from poussetaches.api.web.render import part
from poussetaches.errors import InvalidInput, NotFound, PousseTachesError
from poussetaches.schema import encode, new_id, parse_edit, task_json, why_json

#: Fields of an edit that are numbers.
NUMBERS = ("countdown", "max_retries", "timeout")


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything here."""

    def show(id: str) -> HTTPResponse:
        return _page(gateway, id)

    def live(id: str) -> HTTPResponse:
        try:
            told = _told(gateway, id)
        except NotFound:
            # It was cancelled, or is remembered no more: no fault of the service.
            told = {"task": None}
        return render.fragment("task_live", **told)

    def run(id: str) -> HTTPResponse:
        try:
            gateway.run(id)
        except PousseTachesError as error:
            return _page(gateway, id, error)
        return render.see(_path(id), "run")

    def retry(id: str) -> HTTPResponse:
        try:
            again = gateway.retry(id, new_id())
        except PousseTachesError as error:
            return _page(gateway, id, error)
        return render.see(_path(again.id), "retried")

    def edit(id: str) -> HTTPResponse:
        form = read_form(request.environ)
        try:
            task, version = gateway.editable(id)
            asked = parse_edit(
                encode(_edit(form)),
                task,
                gateway.rules,
                gateway.max_payload,
                gateway.queues,
            )
            gateway.edit(id, version, asked)
        except PousseTachesError as error:
            return _page(gateway, id, error, form)
        return render.see(_path(id), "edited")

    yield "GET", "/ui/task/<id>", show
    yield "GET", "/ui/task/<id>/live", live
    yield "POST", "/ui/task/<id>/run", run
    yield "POST", "/ui/task/<id>/retry", retry
    yield "POST", "/ui/task/<id>/edit", edit


def _page(
    gateway: Gateway,
    id: str,
    error: PousseTachesError | None = None,
    form: Form | None = None,
) -> HTTPResponse:
    return render.page(
        "task",
        title=f"Task {id[:8]}",
        here="/ui/tasks",
        twin=render.url(f"/task/{part(id)}"),
        filled=form or Form([]),
        **_told(gateway, id),
        **render.failing(error),
    )


def _told(gateway: Gateway, id: str) -> dict[str, Any]:
    """What both templates are told. Raises NotFound."""
    task = task_json(gateway.task(id))
    return {
        "now": time.time(),
        "task": task,
        "is_live": task["state"] in ("waiting", "leased"),
        "facts": [*story.facts(task)],
        "blocks": [*story.blocks(task)],
        "why": why_json(gateway.why(id)),
    }


def _edit(form: Form) -> dict[str, Any]:
    """The fields that were filled in. Raises InvalidInput."""
    given: dict[str, Any] = {}
    if queue := form.get("queue").strip():
        given["queue"] = queue
    for name in NUMBERS:
        if text := form.get(name).strip():
            given[name] = _number(name, text)
    if not given:
        raise InvalidInput("Nothing is filled in.")
    return given


def _number(name: str, text: str) -> int | float:
    try:
        number = float(text)
        whole = int(number)  # raises for what is infinite, or no number
    except (ValueError, OverflowError):
        raise InvalidInput(f"{name}: must be a number", field=name) from None
    return whole if whole == number else number


def _path(id: str) -> str:
    return f"/ui/task/{part(id)}"
