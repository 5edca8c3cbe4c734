"""Queues: what is in each, their limits, and what is done to one. Runs in the api."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.page import LONGEST_PAGE
from poussetaches.api.queues import possible
from poussetaches.api.web import queue_form, render, wording
from poussetaches.api.web.browser import Form, back_of, read_form
from poussetaches.errors import Conflict, InvalidInput, NotFound, PousseTachesError
from poussetaches.model.filter import Filter
from poussetaches.model.queue_fields import check_name
from poussetaches.schema import queue_json

PATH = "/ui/queues"


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything these pages have."""

    def listed() -> HTTPResponse:
        queues = [queue_json(view) for view in gateway.queue_views()]
        return render.page(
            "queues",
            title="Queues",
            here=PATH,
            twin=render.url("/queues"),
            queues=queues,
            limits={one["name"]: queue_form.limits(one["settings"]) for one in queues},
        )

    def show(name: str) -> HTTPResponse:
        return _one(gateway, name)

    def change(name: str) -> HTTPResponse:
        form = read_form(request.environ)
        gateway.queue_view(possible(name))  # a misspelt one is refused, not made
        changed = queue_form.changes(form)
        wrong = queue_form.mistakes(changed)
        try:
            _refuse(wrong)
            gateway.set_queue(name, changed)
        except PousseTachesError as error:
            return _one(gateway, name, error, form, wrong)
        did = "queue-changed" if changed else "queue-same"
        return render.see(path_of(name), did)

    def blank() -> HTTPResponse:
        return _new()

    def make() -> HTTPResponse:
        form = read_form(request.environ)
        name = form.get("name").strip()
        changed = queue_form.changes(form)
        wrong = queue_form.mistakes(changed)
        try:
            check_name(name)
            _refuse(wrong)
            _refuse_known(gateway, name)
            gateway.set_queue(name, changed)
        except PousseTachesError as error:
            return _new(form, error, wrong)
        return render.see(path_of(name), "queue-made")

    def switch(paused: bool) -> Callable[[str], HTTPResponse]:
        def view(name: str) -> HTTPResponse:
            form = read_form(request.environ)
            gateway.queue_view(possible(name))
            gateway.set_queue(name, {"paused": paused})
            did = "queue-paused" if paused else "queue-resumed"
            return render.see(back_of(form, PATH), did)

        return view

    def confirm_purge(name: str) -> HTTPResponse:
        count = _purgeable(gateway, possible(name))
        many = wording.counted(count, "task")
        return _confirm(
            name,
            "purge",
            title=f"Purge queue {name}?",
            text=f"{many} will be cancelled: what waits in queue {name}, but for runs"
            " of schedules. Attempts under way go on. This cannot be undone.",
            verb=f"Purge {many}",
            leave="Keep them",
        )

    def purge(name: str) -> HTTPResponse:
        count = gateway.purge_queue(possible(name))
        return render.see(path_of(name), "purged", count)

    def confirm_drop(name: str) -> HTTPResponse:
        view = gateway.queue_view(possible(name))
        waiting = wording.counted(view["waiting"], "task")
        return _confirm(
            name,
            "drop",
            title=f"Drop queue {name}?",
            text=f"{waiting} in it wait, {view['in_flight']:,} are in flight; it can be"
            " dropped only if nothing is. Its settings are forgotten.",
            verb=f"Drop queue {name}",
            leave="Keep it",
        )

    def drop(name: str) -> HTTPResponse:
        try:
            gateway.drop_queue(possible(name))
        except Conflict as error:
            return _one(gateway, name, error)
        return render.see(PATH, "queue-dropped")

    yield "GET", PATH, listed
    yield "GET", f"{PATH}/new", blank
    yield "POST", f"{PATH}/new", make
    yield "GET", "/ui/queue/<name>", show
    yield "POST", "/ui/queue/<name>", change
    yield "POST", "/ui/queue/<name>/pause", switch(True)
    yield "POST", "/ui/queue/<name>/resume", switch(False)
    yield "GET", "/ui/queue/<name>/purge", confirm_purge
    yield "POST", "/ui/queue/<name>/purge", purge
    yield "GET", "/ui/queue/<name>/drop", confirm_drop
    yield "POST", "/ui/queue/<name>/drop", drop


def path_of(name: str) -> str:
    """Of the page of a queue."""
    return f"/ui/queue/{render.part(name)}"


def _one(
    gateway: Gateway,
    name: str,
    error: PousseTachesError | None = None,
    form: Form | None = None,
    wrong: Mapping[str, str] = {},
) -> HTTPResponse:
    """The page of a queue; ``form``: what was filled in, of which that is ``wrong``."""
    queue = queue_json(gateway.queue_view(possible(name)))
    # What was set as it is by itself is no setting, but can be taken back.
    shown = queue_form.texts({**queue["settings"], **queue["changed"]})
    return render.page(
        "queue",
        title=f"Queue {name}",
        here=PATH,
        twin=render.url(f"/queue/{render.part(name)}"),
        queue=queue,
        fields=queue_form.FIELDS,
        was=shown if form is None else _was(form),
        form=Form([*shown.items()]) if form is None else form,
        sources=_sources(queue),
        wrong=_told(error, wrong),
        **render.failing(error),
    )


def _new(
    form: Form | None = None,
    error: PousseTachesError | None = None,
    wrong: Mapping[str, str] = {},
) -> HTTPResponse:
    return render.page(
        "queue_new",
        title="New queue",
        here=PATH,
        fields=(queue_form.NAME, *queue_form.FIELDS),
        form=Form([]) if form is None else form,
        wrong=_told(error, wrong),
        **render.failing(error),
    )


def _confirm(name: str, what: str, **told: Any) -> HTTPResponse:
    there = path_of(name)
    action = render.url(f"{there}/{what}")
    return render.page(
        "confirm", here=PATH, action=action, fields=(), back=there, **told
    )


def _was(form: Form) -> dict[str, str]:
    """What the form showed before it was filled in."""
    names = (one.name for one in queue_form.FIELDS)
    return {name: form.get(queue_form.WAS + name) for name in names}


def _sources(queue: Mapping[str, Any]) -> dict[str, str]:
    """Who has said each setting that is not as usual."""
    configured = queue_form.texts(queue["configured"] or {})
    here = queue_form.texts(queue["changed"])
    told: dict[str, str] = {}
    for name in {**configured, **here}:
        if name not in here:
            told[name] = "From the configuration."
        elif name in configured:
            said = configured[name] or "no"
            told[name] = f"Set while running; the configuration says {said}."
        else:
            told[name] = "Set while running."
    return told


def _told(error: PousseTachesError | None, wrong: Mapping[str, str]) -> dict[str, str]:
    """What is wrong, by field."""
    if error is None or error.field is None:
        return dict(wrong)
    return {error.field: error.message, **wrong}


def _refuse(wrong: Mapping[str, str]) -> None:
    """Raise InvalidInput if something is ``wrong``."""
    if wrong:
        raise InvalidInput(" ".join(map(wording.sentence, wrong.values())))


def _refuse_known(gateway: Gateway, name: str) -> None:
    """Raise Conflict for a queue that there is."""
    try:
        gateway.queue_view(name)
    except NotFound:
        return
    raise Conflict(f"queue: there is a queue {name} already", field="queue")


def _purgeable(gateway: Gateway, name: str) -> int:
    """How many tasks a purge would cancel. Raises NotFound."""
    waiting: int = gateway.queue_view(name)["waiting"]
    if not waiting:
        return 0
    here = Filter(queue=name)
    held, _, _ = gateway.page(("leased",), here, limit=LONGEST_PAGE, cursor=None)
    runs = gateway.count(("runs",), here) - sum(bool(one.schedule) for one in held)
    return max(0, waiting - runs)
