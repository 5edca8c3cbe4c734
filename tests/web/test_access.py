"""Who may look at the pages, and who may press their buttons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.guarded import KEY, READ, Guarded, bearer
from tests.support.service import Service
from tests.support.target import ScriptedTarget, answering
from tests.web.conftest import Visitors
from tests.web.pages import PAGES, address

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.usefixtures("shop")]

#: What a page has that changes something: nothing else on it is sent by POST.
ACTIONS = "form[method=post], [hx-post], [hx-put], [hx-delete], [formmethod=post]"
#: All the buttons that a page may have for those who may only read.
HARMLESS = {"Find", "Show", "Keys ?", "Close", "5 minutes", "Hour", "Day"}


class Owned(Guarded):
    """Asked by the tests with the key that may do all."""

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        return super().request(method, path, **{"headers": bearer(KEY)} | options)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = {"POUSSETACHES_API_KEYS": KEY, "POUSSETACHES_READ_KEYS": READ}
    folder = tmp_path_factory.mktemp("service")
    with Owned(folder, environment=environment) as service:
        yield service


def is_paused(service: Service) -> bool:
    paused: bool = service.get("/stats").json()["paused"]
    return paused


@pytest.mark.parametrize("path", [*PAGES, "/ui/live", "/ui/static/style.css"])
def test_the_browser_asks_for_a_key(
    service: Service, visitor: Visitors, path: str
) -> None:
    answer = service.get(address(service, path), headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert "worker-1" not in answer.text
    # Nobody is there whom it could ask.
    visit = visitor(service)
    visit.allow("status of 401")
    with pytest.raises(Exception, match="ERR_INVALID_AUTH_CREDENTIALS"):
        visit.go(address(service, path))


def test_the_key_is_typed_once(service: Service, visitor: Visitors) -> None:
    visit = visitor(service, key=KEY)
    assert visit.go("/tasks").status == 200
    # What the page reads by itself, the browser asks for with the key it was given.
    with visit.page.expect_response("**/ui/live") as live:
        pass
    assert live.value.status == 200
    for name, after in (("Pause", True), ("Resume", False)):
        with visit.page.expect_navigation():
            visit.page.get_by_role("button", name=name, exact=True).click()
        assert is_paused(service) is after


@pytest.mark.parametrize("path", PAGES)
def test_a_key_that_may_read_sees_no_buttons(
    service: Service, visitor: Visitors, path: str
) -> None:
    visit = visitor(service, key=READ)
    assert visit.go(address(service, path)).status == 200
    assert "Your key may read" in visit.page.locator("footer").inner_text()
    assert visit.page.locator(ACTIONS).count() == 0
    buttons = visit.page.get_by_role("button").all_inner_texts()
    assert {one.strip() for one in buttons} <= HARMLESS


def test_a_key_that_may_read_presses_none(service: Service, visitor: Visitors) -> None:
    visit = visitor(service, key=READ)
    # The refusal is no page of ours, and so has no icon.
    visit.allow("status of 403", "/favicon.ico")
    visit.go("/tasks")
    # As if it had been left open by somebody who could.
    with visit.page.expect_navigation() as answer:
        visit.page.evaluate(
            "() => { const form = document.createElement('form');"
            " form.method = 'post'; form.action = '/ui/pause';"
            " document.body.append(form); form.submit() }"
        )
    assert answer.value is not None and answer.value.status == 403
    assert not is_paused(service)


def test_the_page_of_another_presses_none(service: Service, visitor: Visitors) -> None:
    html = (
        f"<!doctype html><form method=post action={service.url}/ui/pause>"
        f"<button>Win</button></form><iframe src={service.url}/tasks></iframe>"
    )
    headers = {"Content-Type": "text/html; charset=utf-8"}
    with ScriptedTarget(answering(200, html.encode(), headers.items())) as other:
        # Their browser has the key already.
        visit = visitor(service, key=KEY)
        visit.allow("status of 403", "/favicon.ico", "frame-ancestors")
        visit.allow(f"a request to {other.url()}")
        visit.go("/tasks")
        visit.page.goto(other.url("/"))
        assert visit.page.frames[1].locator("h1").count() == 0
        with visit.page.expect_navigation() as answer:
            visit.page.get_by_role("button", name="Win").click()
        assert answer.value is not None and answer.value.status == 403
        assert not is_paused(service)
        visit.close()
