"""A task is pushed by hand."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser]

#: Of everything that a shell, Python, JSON and HTML would read as something else.
AWKWARD = {"it's": ['"$HOME"', "`id`", "a\\nb", "<b>&amp;</b>", "%s {x}", "é\n"]}


def test_it_arrives(service: Service, visitor: Visitors, receiver: Receiver) -> None:
    visit = visitor(service)
    visit.go("/ui/push")
    visit.page.get_by_label("URL", exact=True).fill(receiver.url("/by-hand"))
    visit.page.get_by_label("Payload", exact=True).fill(json.dumps(AWKWARD))
    visit.press("Push")
    assert "Pushed" in visit.message()
    (arrival,) = receiver.wait_for(1)
    assert arrival.path == "/by-hand"
    link = visit.page.locator(f"a[href*='{arrival.task}']").first
    assert link.is_visible()


def test_it_is_pushed_by_keyboard_and_without_a_script(
    service: Service, visitor: Visitors, receiver: Receiver
) -> None:
    visit = visitor(service, javascript=False)
    visit.go("/ui/push")
    url = visit.page.get_by_label("URL", exact=True)
    url.focus()
    visit.page.keyboard.type(receiver.url("/typed"))
    with visit.page.expect_navigation():
        visit.page.keyboard.press("Enter")
    assert [one.path for one in receiver.wait_for(1)] == ["/typed"]


def test_the_curl_beside_it_does_the_same(
    service: Service, visitor: Visitors, receiver: Receiver
) -> None:
    visit = visitor(service)
    visit.go("/ui/push")
    visit.page.get_by_label("URL", exact=True).fill(receiver.url("/by-curl"))
    payload = visit.page.get_by_label("Payload", exact=True)
    payload.fill(json.dumps(AWKWARD))
    # It follows what is filled in.
    command = visit.page.get_by_role("region", name="curl", exact=True)
    command.filter(has_text="by-curl").filter(has_text="HOME").wait_for()
    said = command.inner_text()
    subprocess.run(["sh", "-c", said], check=True, capture_output=True, timeout=30)
    (arrival,) = receiver.wait_for(1)
    assert arrival.path == "/by-curl"


def test_what_is_wrong_is_said_and_nothing_is_lost(
    service: Service, visitor: Visitors
) -> None:
    visit = visitor(service)
    visit.allow("status of 400")
    before = service.get("/stats").json()["accepted"]
    visit.go("/ui/push")
    visit.page.get_by_label("URL", exact=True).fill("not a url")
    visit.page.get_by_label("Payload", exact=True).fill("</textarea><b>b</b>")
    visit.press("Push")
    assert visit.page.locator("[aria-invalid=true]").count() == 1
    payload = visit.page.get_by_label("Payload", exact=True)
    assert payload.input_value() == "</textarea><b>b</b>"
    assert service.get("/stats").json()["accepted"] == before
