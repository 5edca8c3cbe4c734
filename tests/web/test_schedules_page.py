"""Schedules are run, paused and cancelled by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service, wait_until
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.usefixtures("shop")]


def schedules(service: Service) -> dict[str, dict[str, Any]]:
    """By name."""
    found = service.get("/schedules").json()["schedules"]
    return {one["name"]: one for one in found}


def test_one_is_run_now(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go("/ui/schedules")
    before = service.get("/stats").json()["succeeded"]
    visit.press("Run now clean-carts")
    assert "was pushed" in visit.message()
    wait_until(lambda: service.get("/stats").json()["succeeded"] == before + 1)


def test_one_is_paused_and_resumed(service: Service, visitor: Visitors) -> None:
    visit = visitor(service)
    visit.go("/ui/schedule/nightly-report")
    for verb, after in (("Pause", True), ("Resume", False)):
        visit.press(verb)
        assert schedules(service)["nightly-report"]["paused"] is after
        assert visit.message()


def test_one_is_cancelled_if_one_says_so_twice(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service, javascript=False)
    visit.go("/ui/schedules")
    visit.follow(visit.page.get_by_role("link", name="Cancel send-digests"))
    assert "send-digests" in schedules(service)
    assert "send-digests" in visit.page.locator("main").inner_text()
    with visit.page.expect_navigation():
        visit.page.locator("main form button").click()
    assert "send-digests" not in schedules(service)
