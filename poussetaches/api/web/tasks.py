"""The tasks: found, and changed, some of them or all that match. Runs in the api."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import gevent
from bottle import HTTPResponse, request

from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import BREATH, Gateway
from poussetaches.api.web import render
from poussetaches.api.web.browser import Form, back_of, read_form
from poussetaches.api.web.changing import Changed, Changing, deeds
from poussetaches.api.web.picked import (
    EVERYWHERE,
    LIVE,
    Picked,
    query_of,
    read,
    said_in_address,
    said_in_form,
    said_in_query,
)
from poussetaches.api.web.wording import counted
from poussetaches.errors import InvalidInput, NotFound, PousseTachesError, Unavailable
from poussetaches.schema import TaskView
from poussetaches.schema.json import readable
from poussetaches.schema.mask import shown_url

PATH = "/ui/tasks"
#: Tasks on a page.
PAGE = 50
#: For how long is searched for those of one page, seconds: people see it at once.
SEARCH_TIME = 0.1
#: Characters of an error that are shown in a list.
LONGEST_ERROR = 160

#: What may be chosen, by the value of the query.
STATES = {
    LIVE: "waiting or in flight",
    "waiting": "waiting",
    "leased": "in flight",
    "dead": "dead",
    "succeeded": "succeeded",
    "expired": "expired",
    EVERYWHERE: "any",
}

#: What a button says, what has then been done, and what will have been done.
VERBS = {
    "run": ("Run now", "run", "be run now"),
    "cancel": ("Cancel", "cancelled", "be cancelled"),
    "retry": ("Retry", "retried", "be retried"),
    "delete": ("Delete", "deleted", "be deleted"),
}
#: What is asked about first, even if it is about few: it cannot be undone.
FINAL = ("cancel", "delete")


class Row(NamedTuple):
    """A task, as a list shows it."""

    id: str
    target: str
    queue: str
    state: str
    #: What its moment is: "due", "begun", "ended", and when, posix.
    moment: str
    at: float
    attempts: int
    status: int
    error: str


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything here."""
    changing = Changing(gateway)

    def show() -> HTTPResponse:
        said = said_in_query()
        id = said.get("text", "")
        if _is_id(id) and _is_there(gateway, id):
            return render.see(f"/ui/task/{id}")
        try:
            return _page(gateway, said)
        except InvalidInput as error:
            return _page(gateway, said, error)

    def change() -> HTTPResponse:
        form = read_form(request.environ)
        deed, ids, back = form.get("do"), form.all("id"), back_of(form, PATH)
        if deed in FINAL and ids and "sure" not in form:
            fields = [("do", deed), ("sure", "1"), *(("id", id) for id in ids)]
            return _ask(deed, len(ids), render.url("/ui/tasks/change"), fields, back)
        try:
            changed = changing.some(deed, ids)
        except PousseTachesError as error:
            # Where it stood, if that was a list of tasks.
            return _page(gateway, said_in_address(back), error)
        return _answer(gateway, deed, changed, back)

    def ask_all() -> HTTPResponse:
        said = said_in_query()
        deed, picked = said.get("do", ""), read(said)
        if deed not in _deeds_to_all(picked):
            raise InvalidInput("That cannot be done to all of these tasks.")
        fields = [("do", deed), *query_of(said).items()]
        back = back_of(Form([*said.items()]), _list_of(said))
        many = changing.count(picked)
        return _ask(deed, many, render.url("/ui/tasks/all"), fields, back)

    def change_all() -> HTTPResponse:
        form = read_form(request.environ)
        said, deed = said_in_form(form), form.get("do")
        back = back_of(form, _list_of(said))
        return _answer(gateway, deed, changing.all(deed, read(said)), back)

    yield "GET", PATH, show
    yield "POST", "/ui/tasks/change", change
    yield "GET", "/ui/tasks/all", ask_all
    yield "POST", "/ui/tasks/all", change_all


def _page(
    gateway: Gateway, said: Mapping[str, str], error: PousseTachesError | None = None
) -> HTTPResponse:
    """The list; none if what is ``said`` cannot be understood."""
    picked: Picked | None = None
    found: list[TaskView] = []
    total: int | None = 0
    following = None
    try:
        picked = read(said)
        found, total, following = _search(gateway, picked, said.get("cursor"))
    except InvalidInput as invalid:
        error = error or invalid
    asked = query_of(said)
    if picked is not None:
        asked["state"] = ",".join(picked.states)
    if total is None and following is None and "cursor" not in said:
        total = len(found)
    return render.page(
        "tasks",
        title="Tasks",
        here=PATH,
        twin=_twin(asked),
        now=time.time(),
        states=STATES,
        asked=asked,
        rows=[_row(view) for view in found],
        total=total,
        following=following,
        is_first="cursor" not in said,
        deeds=[] if picked is None else deeds(picked.states),
        deeds_to_all=[] if picked is None else _deeds_to_all(picked),
        verbs=VERBS,
        **render.failing(error),
    )


def _search(
    gateway: Gateway, picked: Picked, cursor: str | None
) -> tuple[list[TaskView], int | None, str | None]:
    """A page, for which more is searched than for one of JSON: people do not."""
    found: list[TaskView] = []
    until = time.monotonic() + SEARCH_TIME
    while True:
        some, total, cursor = gateway.page(
            picked.states, picked.filter, limit=PAGE - len(found), cursor=cursor
        )
        found += some
        if cursor is None or len(found) >= PAGE or time.monotonic() > until:
            return found, total, cursor
        gevent.sleep(BREATH)


def _deeds_to_all(picked: Picked) -> list[str]:
    """What can be done to every state that is meant."""
    offered = deeds(picked.states, to_all=True)
    each = [deeds([state], to_all=True) for state in picked.states]
    return [one for one in offered if all(one in some for some in each)]


def _row(view: TaskView) -> Row:
    url = shown_url(view.spec.url)
    how = view.spec.how
    if view.state == "waiting":
        moment, at = "due", view.eta
    else:
        moment = "due" if view.state == "leased" else "ended"
        at = view.eta if view.state == "leased" else view.last_run_at or view.eta
    return Row(
        view.id,
        url if how is None or how.method == "POST" else f"{how.method} {url}",
        view.terms.queue,
        view.state,
        moment,
        at,
        view.attempts,
        max(view.error_status, 0),
        _short(readable((view.error or b"")[: 4 * LONGEST_ERROR])),
    )


def _short(text: str) -> str:
    """The first of its words, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else line[: LONGEST_ERROR - 1] + "…"


def _ask(
    deed: str,
    many: int,
    action: str,
    fields: list[tuple[str, str]],
    back: str,
) -> HTTPResponse:
    """The page that says how many, and asks."""
    button, _, future = VERBS[deed]
    tasks = counted(many, "task")
    filters = {n: v for n, v in fields if n not in ("do", "sure", "id")}
    of = ", ".join(f"{name} {value}" for name, value in filters.items())
    text = f"{tasks} will {future}" + (f" ({of})." if of else ".")
    if deed in FINAL:
        text += " This cannot be undone."
    return render.page(
        "confirm",
        title=f"{button} {tasks}?",
        here=PATH,
        text=text,
        action=action,
        fields=fields,
        verb=f"{button} {tasks}",
        back=back,
    )


def _answer(gateway: Gateway, deed: str, changed: Changed, back: str) -> HTTPResponse:
    """Back to where one came from, with what was done; or why it did not go on."""
    past = VERBS[deed][1]
    if changed.error is None:
        return render.see(back, changed.word(past), changed.done)
    if changed.done:
        told = f"{counted(changed.done, 'task')} {past}, then: {changed.error.message}"
        error: PousseTachesError = Unavailable(
            told, retry_after=changed.error.retry_after
        )
    else:
        error = changed.error
    return _page(gateway, said_in_address(back), error)


def _list_of(said: Mapping[str, str]) -> str:
    """Where they stand."""
    return _below(PATH, query_of(said))


def _twin(asked: Mapping[str, str]) -> str:
    if "cause" in asked:
        return render.url("/dead", **{n: v for n, v in asked.items() if n != "state"})
    return render.url("/tasks", **asked)


def _below(path: str, query: Mapping[str, str]) -> str:
    """An address below the prefix."""
    return f"{path}?{urlencode(query)}" if query else path


def _is_id(text: str) -> bool:
    return len(text) in (32, 40) and not text.strip("0123456789abcdef")


def _is_there(gateway: Gateway, id: str) -> bool:
    try:
        gateway.task(id)
    except NotFound:
        return False
    return True
