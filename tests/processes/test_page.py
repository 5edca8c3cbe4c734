"""The page of the real program, asked for as browsers do: who is let in, and what a
button does to the queue. In a browser: see ``tests/web``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.api.web.site import BROWSER, Page, check
from tests.support.guarded import KEY, READ, Guarded
from tests.support.service import wait_until

pytestmark = pytest.mark.process

PREFIX = "/jobs"


class Guard(Guarded):
    """One below a prefix."""

    @property
    def url(self) -> str:
        return super().url + PREFIX


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    folder: Path = tmp_path_factory.mktemp("service")
    settings = {"api_keys": KEY, "read_keys": READ, "url_prefix": PREFIX}
    service = Guard(folder, settings=settings)
    with service:
        yield service


def visit(service: Guard, key: str, path: str = "/tasks") -> Page:
    """What a browser shows there whose user has given ``key`` for a password."""
    answer = service.get(path, auth=("me", key), headers={"Accept": BROWSER})
    assert answer.status_code == 200
    page = Page(answer.text)
    check(page, PREFIX)
    return page


def press(service: Guard, key: str, action: str, **headers: str) -> requests.Response:
    """A button, as a browser presses it on a page of the service."""
    return service.request(
        "POST",
        action.removeprefix(PREFIX),
        data={"back": "/tasks"},
        auth=("me", key),
        headers={"Accept": BROWSER, "Sec-Fetch-Site": "same-origin", **headers},
        allow_redirects=False,
    )


def test_a_browser_without_a_key_asks_for_one(service: Guard) -> None:
    answer = service.get("/tasks", headers={"Accept": BROWSER})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_button_pauses_and_the_next_one_resumes(service: Guard) -> None:
    for word, paused in (("paused", True), ("resumed", False)):
        form = visit(service, KEY).forms[0]
        answer = press(service, KEY, form.attributes["action"])
        there = f"{PREFIX}/tasks?did={word}&count=1"
        assert (answer.status_code, answer.headers["Location"]) == (303, there)
        status = service.get("/", auth=("me", KEY)).json()
        assert status["paused"] is paused


def test_whose_key_may_read_has_no_button_and_may_press_none(service: Guard) -> None:
    assert visit(service, READ).forms == []
    assert press(service, READ, "/ui/pause").status_code == 403
    assert service.get("/", auth=("me", READ)).json()["paused"] is False


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_form_on_another_site_presses_nothing(
    service: Guard, headers: dict[str, str]
) -> None:
    assert press(service, KEY, "/ui/pause", **headers).status_code == 403
    assert service.get("/", auth=("me", KEY)).json()["paused"] is False


def test_an_origin_that_is_away_is_on_top_with_why(service: Guard) -> None:
    service.post(
        "/", {"url": "http://127.0.0.1:1/"}, auth=("me", KEY)
    ).raise_for_status()

    def troubles() -> list[str]:
        shown = visit(service, READ, "/ui/live").all("li", class_="bad")
        return [one.text for one in shown]

    (said,) = wait_until(troubles)
    assert said.startswith("Problem http://127.0.0.1:1 refuses connections since ")
    assert "1 task waits" in said
