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


PICTURES = (
    Picture("overview", "/tasks", awaited="#charts canvas"),
    Picture("overview-dark", "/tasks", DESKTOP_DARK, awaited="#charts canvas"),
    Picture("overview-phone", "/tasks", PHONE),
)
