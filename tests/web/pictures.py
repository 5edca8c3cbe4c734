"""The pictures of the pages in the README and in ``docs/``: what is on each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tests.support.service import Service
from tests.support.visit import DESKTOP, DESKTOP_DARK, PHONE, Look

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Picture(NamedTuple):
    """Of a page, in ``docs/page/<name>.png``."""

    name: str
    path: str | Callable[[Service], str]
    look: Look = DESKTOP
    #: What is there once all of the page is.
    awaited: str = "main h1"
    #: What is done to the page before.
    prepare: Callable[[Page], object] | None = None


def of_dead(path: str) -> Callable[[Service], str]:
    """The page of a task that has died at that path of the shop."""

    def address(service: Service) -> str:
        found = service.get("/dead?limit=1000").json()["tasks"]
        one = next(one for one in found if path in one["url"])
        return f"/ui/task/{one['id']}"

    return address


def fill_in(page: Page) -> None:
    """And wait for what is made of it."""
    page.get_by_label("URL", exact=True).fill("http://localhost:5000/mail")
    page.get_by_label("Payload", exact=True).fill('{"order": 48017}')
    page.locator("#commands pre").filter(has_text="48017").first.wait_for()


PICTURES = (
    Picture("overview", "/tasks", awaited="#charts canvas"),
    Picture("overview-dark", "/tasks", DESKTOP_DARK, awaited="#charts canvas"),
    Picture("overview-phone", "/tasks", PHONE),
    Picture("tasks", "/ui/tasks?state=waiting"),
    Picture("task", of_dead("/payments/capture")),
    Picture("dead", "/ui/dead/groups"),
    Picture("queue", "/ui/queue/mail"),
    Picture("schedule", "/ui/schedule/nightly-report"),
    Picture("push", "/ui/push", prepare=fill_in),
)
