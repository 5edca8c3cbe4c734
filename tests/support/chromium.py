"""The browser of the machine, without a window, for the tests of the pages.

Never one that Playwright would download: Debian's ``chromium``, or what else there is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

#: Nothing leaves the machine, whatever a page asks for: no name has an address.
_ARGUMENTS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",)


def find_chromium() -> str | None:
    """The path of the program; None if the machine has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str:
    """What is not there of what the tests of the pages need; "" if all is."""
    if find_chromium() is None:
        return "there is no chromium on this machine: apt-get install chromium"
    if find_spec("playwright") is None:
        return "there is no Playwright for this machine"
    return ""


@contextmanager
def started_chromium() -> Iterator[Browser]:
    """It takes a second or two: one for many tests, and a context for each of them."""
    # Not made for every machine, and only to be missed where it is used.
    from playwright.sync_api import sync_playwright

    assert not missing()
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
