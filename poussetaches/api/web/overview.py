"""The overview: how the service is, live; its page is at ``/tasks``, where the second
ancestor had one. Runs in the api."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bottle import HTTPResponse, request
from gevent.lock import BoundedSemaphore

from poussetaches.api.access import READ_ONLY
from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.web import render
from poussetaches.api.web.browser import Form, back_of, read_form
from poussetaches.api.web.troubles import troubles
from poussetaches.errors import PousseTachesError
from poussetaches.schema import encode, parse_lift

PATH = "/tasks"
#: Origins in trouble that are shown, and queues.
MOST_ORIGINS = 50
MOST_QUEUES = 20
#: Seconds between two looks of a page that is open, and more where there are so many
#: queues that their numbers cost time.
PAUSE, LONG_PAUSE = 2, 5
MANY_QUEUES = 40
#: What one page was shown less than so many seconds ago, the next one is, too: as many
#: as are open cost no more than two.
FRESH = 1.0


def showing(gateway: Gateway) -> Callable[[], HTTPResponse]:
    """The view of the page."""

    def show() -> HTTPResponse:
        answer = _page(gateway)
        # The same path is a list of tasks for applications.
        answer.set_header("Vary", "Accept")
        return answer

    return show


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of the rest."""

    def enter() -> HTTPResponse:
        return render.see(PATH)

    # By whether the key may only read: when it was made, and what.
    kept: dict[bool, tuple[float, bytes]] = {}
    looking = BoundedSemaphore(1)

    def live() -> HTTPResponse:
        read_only = READ_ONLY in request.environ
        with looking:
            made_at, body = kept.get(read_only, (-math.inf, b""))
            if time.monotonic() - made_at >= FRESH:
                body = render.fragment("live", **_figures(gateway)).body
                kept[read_only] = time.monotonic(), body
        return render.piece(body)

    def doing(act: Callable[[Form], tuple[str, int]]) -> Callable[[], HTTPResponse]:
        def view() -> HTTPResponse:
            form = read_form(request.environ)
            try:
                did, count = act(form)
            except PousseTachesError as error:
                return _page(gateway, error)
            kept.clear()
            return render.see(back_of(form, PATH), did, count)

        return view

    def pause(form: Form) -> tuple[str, int]:
        gateway.pause()
        return "paused", 1

    def resume(form: Form) -> tuple[str, int]:
        gateway.resume()
        return "resumed", 1

    def lift(form: Form) -> tuple[str, int]:
        origin = form.get("origin") or None
        return "lifted", gateway.lift(parse_lift(encode({"origin": origin})))

    yield "GET", "/ui", enter
    yield "GET", "/ui/", enter
    yield "GET", "/ui/live", live
    yield "POST", "/ui/pause", doing(pause)
    yield "POST", "/ui/resume", doing(resume)
    yield "POST", "/ui/origins/lift", doing(lift)


def _page(gateway: Gateway, error: PousseTachesError | None = None) -> HTTPResponse:
    return render.page(
        "overview",
        title="Overview",
        here=PATH,
        twin=render.url("/stats"),
        **render.failing(error),
        **_figures(gateway),
    )


def _figures(gateway: Gateway) -> dict[str, Any]:
    """What both templates are told."""
    stats = gateway.stats()
    origins, _, _ = gateway.origins(in_trouble=True)
    now = time.time()
    queues = sorted(stats["queues"].items(), key=_urgency)
    in_trouble = [one for one in origins if one.state != "open"]
    children = stats["children"]
    found = troubles(stats, origins, now)
    bad = sum(one.is_bad for one in found)
    return {
        "alert": f"({bad}) " if bad else "",
        "now": now,
        "stats": stats,
        "rates": stats["rates"]["1m"],
        "slots": sum(one["slots"] for one in children),
        "troubles": found,
        "pause": PAUSE if len(queues) < MANY_QUEUES else LONG_PAUSE,
        "queues": queues[:MOST_QUEUES],
        "more_queues": max(0, len(queues) - MOST_QUEUES),
        "origins": in_trouble[:MOST_ORIGINS],
        "more_origins": max(0, len(in_trouble) - MOST_ORIGINS),
        "processes": [_supervisor(stats), *children],
    }


def _urgency(item: tuple[str, Mapping[str, Any]]) -> tuple[float, int, str]:
    """Those with the most trouble first."""
    name, told = item
    return -(told["oldest_due"] or 0.0), -(told["waiting"] + told["in_flight"]), name


def _supervisor(stats: Mapping[str, Any]) -> dict[str, Any]:
    """As its children are told of."""
    return {
        **stats["supervisor"],
        "name": "supervisor",
        "role": "supervisor",
        "ready": True,
        "slots": 0,
        "uptime": stats["uptime"],
    }
