"""Somebody who looks at the pages of a service: one browser profile, and one tab in it.

visit = Visit(browser, service.url, look=PHONE_DARK)
visit.go("/tasks")
visit.page.get_by_role("button", name="Pause").click()
visit.close()
assert not visit.complaints
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        ConsoleMessage,
        Dialog,
        Error,
        HttpCredentials,
        Locator,
        Request,
        Response,
    )

#: Milliseconds within which what a test waits for has to be there.
_PATIENCE = 10_000.0


class Look(NamedTuple):
    """How the pages are looked at."""

    width: int = 1280
    height: int = 800
    scheme: Literal["light", "dark"] = "light"

    def __str__(self) -> str:
        return f"{'phone' if self.width < 700 else 'desktop'}-{self.scheme}"


DESKTOP = Look()
DESKTOP_DARK = Look(scheme="dark")
PHONE = Look(390, 844)
PHONE_DARK = Look(390, 844, "dark")
LOOKS = (DESKTOP, DESKTOP_DARK, PHONE, PHONE_DARK)


class Visit:
    """``key`` is what the person types as the password when the browser asks for one;
    without ``javascript`` no script of a page runs."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        look: Look = DESKTOP,
        key: str | None = None,
        javascript: bool = True,
    ) -> None:
        self.url = url
        #: What no page may bring about, in the order it happened: errors and warnings
        #: in the console (what the content security policy forbade is one), scripts
        #: that failed, dialogs, and requests to anywhere but the service.
        self.complaints: list[str] = []
        self._awaited: list[str] = []
        #: The path and query of each request, in their order.
        self.requests: list[str] = []
        credentials: HttpCredentials | None = None
        if key is not None:
            credentials = {"username": "", "password": key}
        self._context = browser.new_context(
            base_url=url,
            viewport={"width": look.width, "height": look.height},
            color_scheme=look.scheme,
            # What moves is never where a test looked for it.
            reduced_motion="reduce",
            http_credentials=credentials,
            java_script_enabled=javascript,
            locale="en-GB",
            timezone_id="UTC",
        )
        self._context.set_default_timeout(_PATIENCE)
        self._context.on("request", self._note_request)
        self._context.on("console", self._note_console)
        self._context.on("dialog", self._note_dialog)
        self._context.on("weberror", lambda error: self._note_error(error.error))
        self.page = self._context.new_page()

    def go(self, path: str) -> Response:
        """Open a page of the service; the answer of the last redirect."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    def press(self, name: str) -> None:
        """A button, to where that leads."""
        self.follow(self.page.get_by_role("button", name=name, exact=True))

    def follow(self, what: Locator) -> None:
        """Returns once the page is there that it leads to: what is done next is not
        done to the one before."""
        with self.page.expect_navigation():
            what.click()

    def message(self) -> str:
        """What was done, as the page says it."""
        return self.page.get_by_role("status").first.inner_text()

    def look_as(self, look: Look) -> None:
        """Have what is open looked at so from now on."""
        self.page.set_viewport_size({"width": look.width, "height": look.height})
        self.page.emulate_media(color_scheme=look.scheme)

    def allow(self, *words: str) -> None:
        """What has one of these in it is no complaint from now on."""
        self._awaited += words

    def close(self) -> None:
        self._context.close()

    def _note_request(self, request: Request) -> None:
        if request.url.startswith(self.url + "/"):
            self.requests.append(request.url.removeprefix(self.url))
        elif urlsplit(request.url).scheme != "data":
            self._note(f"a request to {request.url}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            where = message.location["url"].removeprefix(self.url)
            self._note(f"{message.type} of {where}: {message.text}")

    def _note_dialog(self, dialog: Dialog) -> None:
        self._note(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _note_error(self, error: Error) -> None:
        self._note(f"a script failed: {error}")

    def _note(self, complaint: str) -> None:
        if not any(words in complaint for words in self._awaited):
            self.complaints.append(complaint)
