"""Queues are made, changed, paused, emptied and dropped by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.usefixtures("shop")]


def queue(service: Service, name: str) -> dict[str, Any]:
    found: dict[str, Any] = service.get(f"/queue/{name}").json()
    return found


def test_a_limit_is_changed_in_its_place(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go("/ui/queue/mail")
    rate = visit.page.get_by_label("Rate")
    assert rate.input_value() == "40/s"
    rate.fill("7/m")
    with visit.page.expect_navigation():
        rate.press("Enter")
    assert "Changed" in visit.message()
    settings = queue(service, "mail")["settings"]
    assert (settings["rate"], settings["burst"]) == ("7/m", 20)


def test_what_is_wrong_is_said_beside_it(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.allow("status of 400")
    visit.go("/ui/queue/thumbnails")
    visit.page.get_by_label("Concurrency").fill("many")
    visit.page.get_by_label("Burst").fill("5")
    visit.press("Change")
    wrong = visit.page.locator("[aria-invalid=true]")
    assert wrong.input_value() == "many"
    described = (wrong.get_attribute("aria-describedby") or "").split()
    said = " ".join(visit.page.locator(f"#{one}").inner_text() for one in described)
    assert "not a whole number" in said
    assert visit.page.get_by_label("Burst").input_value() == "5"
    assert queue(service, "thumbnails")["settings"]["concurrency"] == 8


def test_one_is_paused_and_resumed(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go("/ui/queues")
    for verb, after in (("Pause", True), ("Resume", None)):
        visit.press(f"{verb} thumbnails")
        assert queue(service, "thumbnails")["settings"].get("paused") is after
        assert visit.message()


def test_one_is_emptied_once_it_is_clear_of_how_many(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.go("/ui/queues")
    visit.follow(visit.page.get_by_role("link", name="Purge newsletter"))
    assert queue(service, "newsletter")["waiting"] == 26
    visit.follow(visit.page.locator("main form a.button"))
    assert queue(service, "newsletter")["waiting"] == 26
    visit.follow(visit.page.get_by_role("link", name="Purge newsletter"))
    # But for the run of a schedule.
    visit.press("Cancel 25 tasks")
    assert queue(service, "newsletter")["waiting"] == 1
    assert "25 tasks were cancelled" in visit.message()


def test_one_is_made_and_dropped(service: Service, visitor: Visitors) -> None:
    visit = visitor(service, javascript=False)
    visit.go("/ui/queues")
    visit.follow(visit.page.get_by_role("link", name="New queue"))
    visit.page.get_by_label("Name").fill("invoices")
    visit.page.get_by_label("Rate").fill("5/h")
    visit.press("Make the queue")
    assert queue(service, "invoices")["settings"] == {"rate": "5/h"}
    visit.go("/ui/queue/invoices")
    visit.follow(visit.page.get_by_role("link", name="Drop invoices"))
    visit.press("Drop queue invoices")
    assert service.get("/queue/invoices").status_code == 404
