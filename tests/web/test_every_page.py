"""What holds for every page."""

from __future__ import annotations

import pytest

from tests.support.page_checks import barriers, too_wide, unreachable
from tests.support.service import Service
from tests.support.visit import DESKTOP, LOOKS, PHONE_DARK
from tests.web.conftest import Visitors
from tests.web.pages import PAGES, address

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.usefixtures("shop")]

each = pytest.mark.parametrize("path", PAGES)


@each
def test_everybody_can_read_it(service: Service, visitor: Visitors, path: str) -> None:
    visit = visitor(service)
    visit.go(address(service, path))
    visit.page.locator(PAGES[path]).first.wait_for()
    for look in LOOKS:
        visit.look_as(look)
        assert (look, too_wide(visit.page)) == (look, [])
        # Once with each size and with each set of colours: it takes a second or two.
        if look in (DESKTOP, PHONE_DARK):
            assert (look, barriers(visit.page)) == (look, [])


@each
def test_the_keyboard_reaches_everything(
    service: Service, visitor: Visitors, path: str
) -> None:
    visit = visitor(service)
    visit.go(address(service, path))
    assert unreachable(visit.page) == []


def test_the_keys_that_it_names_do_what_it_says(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go("/tasks")
    keyboard, keys = visit.page.keyboard, visit.page.locator("#keys")
    keyboard.press("?")
    keys.wait_for(state="visible")
    assert barriers(visit.page) == []
    keyboard.press("Escape")
    keys.wait_for(state="hidden")
    keyboard.press("/")
    search = visit.page.get_by_role("searchbox")
    assert search.evaluate("e => e === document.activeElement")
    # A key of a text that is typed is a letter of it.
    keyboard.type("who? a/b")
    assert search.input_value() == "who? a/b"
    assert keys.is_hidden()


def test_the_first_stop_leads_past_what_is_on_every_page(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go("/tasks")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Tab")
    is_inside = "() => document.querySelector('main').contains(document.activeElement)"
    assert visit.page.evaluate(is_inside)
