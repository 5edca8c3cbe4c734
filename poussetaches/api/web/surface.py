"""Everything below ``/ui``; the overview at ``/tasks`` is ``overview.showing``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from poussetaches.api.ancestor import Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.web import (
    dead,
    overview,
    push,
    queues,
    schedules,
    static,
    task,
    tasks,
)
from poussetaches.api.web.render import answering

#: What all paths of it begin with, and no path of other surfaces.
PATH = "/ui"


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""
    for method, path, view in chain(
        overview.routes(gateway),
        schedules.routes(gateway),
        queues.routes(gateway),
        push.routes(gateway),
        tasks.routes(gateway),
        task.routes(gateway),
        dead.routes(gateway),
    ):
        yield method, path, answering(view)
    yield "GET", f"{PATH}/static/<name:path>", answering(static.serve)
