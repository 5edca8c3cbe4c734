"""A task pushed by hand, and how the same is pushed by curl and by a program. Runs in
the api."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.web import commands, render, wording
from poussetaches.api.web.browser import Form, query_form, read_form
from poussetaches.api.web.push_form import GROUPS, filled, push_body
from poussetaches.errors import InvalidInput, NotFound, PousseTachesError
from poussetaches.schema import PushRequest, encode, parse_push, push_json

PATH = "/ui/push"

#: What a delay of a task may be told as: who pushed it said no more digits.
DIGITS = 3


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this page has."""

    def read(form: Form) -> tuple[bytes, PushRequest]:
        body = push_body(form)
        asked = parse_push(body, gateway.rules, gateway.max_payload, gateway.queues)
        return body, asked

    def show() -> HTTPResponse:
        given = query_form(request.environ)
        if "like" not in given:
            return _page(gateway, given)
        link: tuple[str, str] | None = None
        fields: dict[str, Any] = {}
        with suppress(NotFound):  # done and forgotten
            fields, link = _pushed(gateway, given.get("like"))
        body = encode(fields)[:-1] if fields else b""
        link = link if "did" in given else None
        return _page(gateway, filled(fields), body=body, link=link)

    def push() -> HTTPResponse:
        form = read_form(request.environ)
        try:
            body, asked = read(form)
            if "only-show" in form:
                return _page(gateway, form, body=body)
            (id,) = gateway.push([asked])
        except PousseTachesError as error:
            return _page(gateway, form, error)
        did = "pushed" if id == asked.id else "pushed-before"
        return render.see(PATH, "scheduled" if asked.schedule else did, like=id)

    def shown() -> HTTPResponse:
        """The commands for what is filled in so far."""
        body, problem = b"", ""
        try:
            body, _ = read(read_form(request.environ))
        except InvalidInput as error:
            problem = wording.sentence(error.message)
        return render.fragment("commands", problem=problem, **_commands(body))

    yield "GET", PATH, show
    yield "POST", PATH, push
    yield "POST", f"{PATH}/commands", shown


def _page(
    gateway: Gateway,
    form: Form,
    error: PousseTachesError | None = None,
    *,
    body: bytes = b"",
    link: tuple[str, str] | None = None,
) -> HTTPResponse:
    told: dict[str, Any] = render.failing(error) | _commands(body)
    wrong = {} if error is None or not error.field else {error.field: error.message}
    return render.page(
        "push",
        title="Push a task",
        here=PATH,
        twin=render.url("/openapi.json"),
        form=form,
        groups=GROUPS,
        queues=sorted(gateway.queues),
        wrong=wrong,
        link=link,
        problem="",
        **told,
    )


def _commands(body: bytes) -> dict[str, str]:
    """What sends ``body``; of none, nothing."""
    told = {"curl": "", "python": ""}
    if body:
        parts = request.urlparts
        address = f"{parts.scheme}://{parts.netloc}{render.url('/')}"
        has_key = "HTTP_AUTHORIZATION" in request.environ
        told["curl"] = commands.curl(address, body, has_key=has_key)
        told["python"] = commands.python(address, body, has_key=has_key)
    return told


def _pushed(gateway: Gateway, id: str) -> tuple[dict[str, Any], tuple[str, str]]:
    """What a push must say for the task, or for the schedule, of that id; and where
    that is looked at, and in which words. Raises NotFound."""
    if re.fullmatch("[0-9a-f]{40}", id):
        one = gateway.schedule(id)
        link = f"/ui/schedule/{id}", "To the schedule"
        return push_json(one.spec, one.terms, one.rule), link
    task = gateway.task(id)
    fields = push_json(task.spec, task.terms)
    at = 0.0 if task.history is None else task.history.pushed_at
    if at and not task.attempts and "eta" not in fields and task.eta - at >= 1:
        wait = round(task.eta - at, DIGITS)
        fields["countdown"] = int(wait) if wait.is_integer() else wait
    return fields, (f"/ui/task/{render.part(id)}", "To the task")
