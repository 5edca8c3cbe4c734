"""The overview, as a person sees and uses it."""

from __future__ import annotations

import re

import pytest

from tests.support.page_checks import too_wide
from tests.support.service import Service, wait_until
from tests.support.shop import Shop
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.usefixtures("shop")]

OVERVIEW = "/tasks"


def is_paused(service: Service) -> bool:
    paused: bool = service.get("/stats").json()["paused"]
    return paused


def test_what_is_wrong_stands_on_top(
    service: Service, shop: Shop, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go(OVERVIEW)
    said = visit.page.locator("main").inner_text()
    trouble = said.index(f"{shop.warehouse} refuses connections since")
    assert trouble < said.index("Waiting")


def test_it_changes_by_itself(service: Service, shop: Shop, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go(OVERVIEW)
    done = service.get("/stats").json()["succeeded"]
    shop.push(service, shop.orders(1))
    new = visit.page.locator("#tile-succeeded").get_by_text(str(done + 3), exact=True)
    new.wait_for()


def test_nothing_is_asked_while_nobody_looks(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.page.clock.install()
    visit.go(OVERVIEW)
    visit.page.evaluate(
        "() => Object.defineProperty(document, 'hidden', {get: () => window.away})"
    )
    look = "(is) => { window.away = !is;"
    look += " document.dispatchEvent(new Event('visibilitychange')) }"
    visit.page.evaluate(look, False)
    before = len(visit.requests)
    visit.page.clock.run_for(60_000)
    assert visit.requests[before:] == []
    with visit.page.expect_response("**/ui/live"):
        visit.page.evaluate(look, True)


def test_one_stays_where_one_is_when_the_figures_change(
    service: Service, shop: Shop, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go(OVERVIEW)
    waiting = visit.page.locator("#tile-waiting")
    for place in (".troubles a", "#switch", "#tile-waiting", "#queue-mail"):
        one, before = visit.page.locator(place).first, waiting.inner_text()
        one.focus()
        shop.push(service, [{"url": f"{shop.warehouse}/parcels"}] * 1234)
        waiting.filter(has_not_text=before).wait_for()
        assert one.evaluate("e => e === document.activeElement"), place


def test_pause_and_resume_by_keyboard(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go(OVERVIEW)
    for name, after in (("Pause", True), ("Resume", False)):
        visit.page.get_by_role("button", name=name, exact=True).focus()
        with visit.page.expect_navigation():
            visit.page.keyboard.press("Enter")
        assert is_paused(service) is after
        assert visit.page.get_by_role("status").first.is_visible()
        # What was done is not said again when the page is read again.
        assert "did=" not in visit.page.url
        visit.page.reload()
    assert visit.page.get_by_role("button", name="Pause", exact=True).is_visible()


def test_an_origin_is_tried_now(
    service: Service, shop: Shop, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go(OVERVIEW)
    row = visit.page.get_by_role("row", name=shop.warehouse)
    with visit.page.expect_navigation():
        row.get_by_role("button").click()

    def is_held_anew() -> bool:
        told = service.get("/origins").json()["origins"]
        return any(one["origin"] == shop.warehouse for one in told)

    wait_until(is_held_anew)
    assert re.search("(?i)origin", visit.page.get_by_role("status").first.inner_text())


def test_it_works_without_a_script(
    service: Service, shop: Shop, visitor: Visitors
) -> None:
    visit = visitor(service, javascript=False)
    visit.go(OVERVIEW)
    text = visit.page.locator("body").inner_text()
    for word in (shop.warehouse, "newsletter", "worker-1", "Journal"):
        assert word in text
    # Nothing is offered that does nothing.
    assert visit.page.get_by_role("button", name="Keys").is_hidden()
    assert visit.page.locator("#charts").is_hidden()
    for name, after in (("Pause", True), ("Resume", False)):
        visit.page.get_by_role("button", name=name, exact=True).click()
        visit.page.get_by_role("status").first.wait_for()
        assert is_paused(service) is after
    assert too_wide(visit.page) == []
    assert [one for one in visit.requests if ".js" in one] == []


def test_a_service_that_is_gone_is_said(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    # The browser says so too, and htmx: in the console.
    visit.allow("net::ERR_FAILED", "htmx")
    visit.go(OVERVIEW)
    visit.page.route("**/ui/live", lambda route: route.abort())
    offline = visit.page.locator("#offline")
    offline.wait_for(state="visible")
    visit.page.unroute("**/ui/live")
    offline.wait_for(state="hidden")
