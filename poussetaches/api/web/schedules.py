"""Schedules: which there are and what became of their runs; one of them with those that
come; and what is done to one. Runs in the api."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

from bottle import HTTPResponse, request

from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.schedules import REHEARSED, coming_runs
from poussetaches.api.web import render
from poussetaches.api.web.browser import back_of, query_form, read_form
from poussetaches.api.web.push_form import MISSED, OVERLAP
from poussetaches.errors import NotFound, PousseTachesError
from poussetaches.schema import ScheduleView, new_id, schedule_json

PATH = "/ui/schedules"
#: On a page.
MOST = 100


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything these pages have."""

    def listed() -> HTTPResponse:
        return _list(gateway)

    def one(name: str) -> HTTPResponse:
        return _one(gateway, gateway.schedule(name))

    def doing(act: Callable[[str], str]) -> Callable[[str], HTTPResponse]:
        def view(name: str) -> HTTPResponse:
            back = back_of(read_form(request.environ), PATH)
            try:
                did = act(name)
            except NotFound:
                raise
            except PousseTachesError as error:
                return _one(gateway, gateway.schedule(name), error)
            return render.see(back, did)

        return view

    def run(name: str) -> str:
        gateway.run_schedule(name, new_id())
        return "schedule-run"

    def pause(name: str) -> str:
        gateway.pause_schedule(name)
        return "schedule-paused"

    def resume(name: str) -> str:
        gateway.resume_schedule(name)
        return "schedule-resumed"

    def confirm(name: str) -> HTTPResponse:
        schedule = gateway.schedule(name)
        there = path_of(schedule)
        said = schedule_json(schedule)
        return render.page(
            "confirm",
            title="Cancel a schedule?",
            here=PATH,
            text=f"No run of {said['name'] or 'the schedule'} ({said['rule']}, to"
            f" {said['url']}) comes any more. One under way goes on, and is not"
            " retried. Pushed again, it is there again.",
            action=render.url(f"{there}/cancel"),
            fields=(),
            verb="Cancel the schedule",
            leave="Keep it",
            back=there,
        )

    def cancel(name: str) -> HTTPResponse:
        gateway.drop_schedule(name)
        return render.see(PATH, "schedule-cancelled")

    yield "GET", PATH, listed
    # Before the path of one alone, because a name may have slashes in it.
    yield "GET", "/ui/schedule/<name:path>/cancel", confirm
    yield "POST", "/ui/schedule/<name:path>/cancel", cancel
    yield "POST", "/ui/schedule/<name:path>/run", doing(run)
    yield "POST", "/ui/schedule/<name:path>/pause", doing(pause)
    yield "POST", "/ui/schedule/<name:path>/resume", doing(resume)
    yield "GET", "/ui/schedule/<name:path>", one


def path_of(schedule: ScheduleView) -> str:
    """Of its page: by its id, since a name may have anything in it."""
    return f"/ui/schedule/{schedule.id}"


def _list(gateway: Gateway) -> HTTPResponse:
    cursor = query_form(request.environ).get("cursor") or None
    views, total, following = gateway.schedules(limit=MOST, cursor=cursor)
    return render.page(
        "schedules",
        title="Schedules",
        here=PATH,
        twin=render.url("/schedules"),
        now=time.time(),
        schedules=[schedule_json(one) for one in views],
        total=total,
        cursor=cursor,
        following=following,
    )


def _one(
    gateway: Gateway, schedule: ScheduleView, error: PousseTachesError | None = None
) -> HTTPResponse:
    now = time.time()
    told = schedule_json(schedule)
    return render.page(
        "schedule",
        title=f"Schedule {told['name'] or told['rule']}",
        here=PATH,
        twin=render.url(f"/schedule/{schedule.id}"),
        now=now,
        one=told,
        missed=MISSED[told["missed"]],
        overlap=OVERLAP[told["overlap"]],
        runs=[*islice(coming_runs(gateway, schedule, now), REHEARSED)],
        **render.failing(error),
    )
