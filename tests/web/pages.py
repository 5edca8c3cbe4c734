"""Every page, for the tests of what holds for all of them."""

from __future__ import annotations

from tests.support.service import Service

#: Path, and what is there once all of it is.
PAGES = {
    "/tasks": "#charts canvas",
    "/ui/tasks": "h1",
    "/ui/tasks/all?do=cancel&state=waiting&queue=mail": "h1",
    "/ui/task/{dead}": "h1",
    "/ui/dead/groups": "h1",
    "/ui/queues": "h1",
    "/ui/queues/new": "h1",
    "/ui/queue/mail": "h1",
    "/ui/queue/newsletter/purge": "h1",
    "/ui/schedules": "h1",
    "/ui/schedule/nightly-report": "h1",
    "/ui/push": "h1",
}


def address(service: Service, path: str) -> str:
    """With the id of a task where there is to be one."""
    if "{" not in path:
        return path
    return path.format(dead=service.get("/dead?limit=1").json()["tasks"][0]["id"])
