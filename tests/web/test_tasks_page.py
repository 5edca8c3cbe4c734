"""Tasks are found, read, and acted on: one, those selected, or all that match."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service, wait_until
from tests.support.visit import PHONE
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.usefixtures("shop")]

REMINDERS = "/ui/tasks?state=waiting&queue=mail"


def waiting(service: Service, queue: str = "mail") -> int:
    count: int = service.get(f"/queue/{queue}").json()["waiting"]
    return count


def dead(service: Service, path: str) -> list[dict[str, Any]]:
    found = service.get("/dead?limit=1000").json()["tasks"]
    return [one for one in found if path in one["url"]]


def test_they_are_found_by_what_is_in_them(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go("/tasks")
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("reminder")
    with visit.page.expect_navigation():
        visit.page.keyboard.press("Enter")
    rows = visit.page.locator("main tbody tr")
    assert rows.count() == 12
    visit.page.get_by_label("State").select_option("dead")
    visit.press("Show")
    assert rows.count() == 0


def test_one_tells_its_whole_story(service: Service, visitor: Visitors) -> None:
    (one, *_) = dead(service, "/payments/capture")
    visit = visitor(service)
    visit.go("/ui/task/" + one["id"])
    told = visit.page.locator("main").inner_text()
    for words in ("GatewayTimeout: no answer from the bank", "order", "north"):
        assert words in told
    assert "of-the-shop" not in visit.page.content()


def test_one_that_waits_is_run_now_and_cancelled(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service, javascript=False)
    visit.go(REMINDERS)
    there = waiting(service)
    visit.follow(visit.page.locator("main tbody a").first)
    visit.press("Run now")
    wait_until(lambda: waiting(service) == there - 1)
    visit.go(REMINDERS)
    visit.follow(visit.page.locator("main tbody a").first)
    visit.press("Cancel")
    assert waiting(service) == there - 1
    visit.press("Cancel 1 task")
    assert waiting(service) == there - 2
    assert "cancelled" in visit.message()


def test_a_selection_is_cancelled(service: Service, visitor: Visitors) -> None:
    visit = visitor(service, look=PHONE)
    visit.go(REMINDERS)
    there = waiting(service)
    boxes = visit.page.get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(2).check()
    visit.press("Cancel")
    assert waiting(service) == there
    visit.press("Cancel 2 tasks")
    assert waiting(service) == there - 2
    assert "2 tasks" in visit.message()


def test_all_that_match_are_cancelled_once_it_is_clear_how_many(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go(REMINDERS)
    there = waiting(service)
    assert there > 1
    visit.follow(visit.page.get_by_role("link", name="Cancel all"))
    visit.page.get_by_role("button", name=f"Cancel {there} tasks").wait_for()
    assert waiting(service) == there
    visit.press(f"Cancel {there} tasks")
    wait_until(lambda: waiting(service) == 0)
    assert f"{there} tasks" in visit.message()


def test_a_cause_is_tried_with_one_and_then_with_all(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)

    def ran() -> list[int]:
        """When those of the cause were last tried, each of them."""
        return sorted(one["last_run"] for one in dead(service, "/crm/contact"))

    def have_died_since(last: int, count: int) -> bool:
        runs = ran()
        return len(runs) == 4 and sum(run > last for run in runs) == count

    last = ran()[-1]
    visit.go("/ui/dead/groups")
    cause = visit.page.locator("section.cause").filter(has_text="/crm/contact")
    with visit.page.expect_navigation():
        cause.get_by_role("button", name="Retry one").click()
    wait_until(lambda: have_died_since(last, 1))
    latest = ran()[-1]
    visit.go("/ui/dead/groups")
    visit.follow(cause.get_by_role("link", name="Retry 4"))
    visit.press("Retry 4 tasks")
    wait_until(lambda: have_died_since(latest, 4))


def test_a_cause_is_deleted(service: Service, visitor: Visitors) -> None:
    visit = visitor(service, javascript=False)
    visit.go("/ui/dead/groups")
    cause = visit.page.locator("section.cause").filter(has_text="/mail/welcome")
    visit.follow(cause.get_by_role("link", name="Delete 9"))
    assert len(dead(service, "/mail/welcome")) == 9
    visit.press("Delete 9 tasks")
    wait_until(lambda: not dead(service, "/mail/welcome"))
    assert len(dead(service, "/crm/contact")) == 4


def test_the_dead_are_saved_as_lines(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go("/ui/dead/groups")
    with visit.page.expect_download() as saved:
        visit.page.get_by_role("link", name="Save as JSON lines").click()
    lines = saved.value.path().read_text().splitlines()
    assert len(lines) == len(dead(service, "")) > 0
