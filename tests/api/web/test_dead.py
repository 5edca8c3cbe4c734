"""Dead letters by cause: what is shown, and what is done about them."""

from __future__ import annotations

import json

import pytest

from poussetaches.api.web import dead
from tests.api.web.house import IDS, House
from tests.api.web.site import HOSTILE, Element, Page, Site, check
from tests.support.dead_letters import ORIGIN, die
from tests.support.queues import NOW

MAILS, REPORTS = IDS[:5], IDS[5:7]


@pytest.fixture
def house() -> House:
    house = House()
    for n, id in enumerate(MAILS):
        die(house.queue, id, f"no user {n}", at=NOW + n, path="/mail", name="mail")
    for n, id in enumerate(REPORTS):
        die(house.queue, id, "away", status=-1, at=NOW + 9 + n, path="/report")
    return house


@pytest.fixture
def site(house: House) -> Site:
    return Site(house.gateway)


def shown(site: Site, query: str = "", status: int = 200) -> Page:
    answer = site.get("/ui/dead/groups" + query)
    assert answer.status == status
    check(answer.page, site.prefix)
    return answer.page


def causes(page: Page) -> list[Element]:
    return page.all("section", class_="card cause")


def fields_of(page: Page, action: str) -> dict[str, str]:
    """What the first form with that ``action`` sends."""
    html = page.html.partition(f'action="{action}"')[2].partition("</form>")[0]
    fields = Page(html.partition(">")[2]).all("input", type="hidden")
    return {one.attributes["name"]: one.attributes["value"] for one in fields}


def links(page: Page, text: str) -> list[str]:
    return [one.attributes["href"] for one in page.all("a") if one.text == text]


def test_the_largest_group_comes_first(site: Site) -> None:
    page = shown(site)
    assert "7 dead letters of 2 causes." in page.one("main").text
    mails, reports = causes(page)
    assert f"5 500 {ORIGIN}/mail" in mails.text and "no user <n>" in mails.text
    assert f"2 No answer {ORIGIN}/report" in reports.text and "away" in reports.text
    assert links(page, "JSON") == ["/dead/groups"]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("?queue=mail", 5),
        ("?text=USER", 5),
        ("?text=user+3", 1),
        ("?status=none", 2),
        ("?origin=http://b", 0),
        (f"?url={ORIGIN}/report&queue=", 2),
    ],
)
def test_filters_pick(site: Site, query: str, number: int) -> None:
    page = shown(site, query)
    assert f"{number} dead letter" in page.one("main").text
    (twin,) = links(page, "JSON")
    assert json.loads(site.get(twin, accept="*/*").body)["total"] == number
    for link in links(page, "List them")[1:]:
        assert site.get(link).status == 200


def test_what_cannot_be_understood_is_said(site: Site) -> None:
    page = shown(site, "?status=9xx", 400)
    assert "Status: must be" in page.one("p", role="alert").text
    assert shown(site, "?cause=x", 400)
    assert site.get("/ui/dead/groups?nothing=1").status == 400


def test_page_after_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead, "PAGE", 1)
    page = shown(site)
    assert len(causes(page)) == 1
    following = page.one("a", rel="next").attributes["href"]
    page = shown(site, following.removeprefix("/ui/dead/groups"))
    assert "away" in causes(page)[0].text
    assert not page.all("a", rel="next")
    assert links(page, "First page") == ["/ui/dead/groups"]


def test_one_is_retried_as_a_canary(house: House, site: Site) -> None:
    fields = fields_of(shown(site), "/ui/dead/canary")
    answer = site.post("/ui/dead/canary", **fields)
    assert answer.status == 303
    canary = MAILS[-1]
    assert answer.headers["location"] == f"/ui/task/{canary}?did=canary&count=1"
    assert [*house.queue.tasks] == [canary]
    assert len(house.queue.dead) == 6


def test_a_canary_of_nothing_is_said(house: House, site: Site) -> None:
    answer = site.post("/ui/dead/canary", cause="0" * 16)
    assert answer.status == 404
    check(answer.page)
    assert "no dead letters of this cause" in answer.page.one("p", role="alert").text
    assert site.post("/ui/dead/canary").status == 400
    assert not house.queue.tasks


@pytest.mark.parametrize("deed", ["retry", "delete"])
def test_a_group_after_a_question(house: House, site: Site, deed: str) -> None:
    (link, *_) = links(shown(site), f"{deed.title()} 5")
    question = site.get(link).page
    check(question)
    assert question.one("h1").text == f"{deed.title()} 5 tasks?"
    assert ("cannot be undone" in question.html) == (deed == "delete")
    answer = site.post("/ui/tasks/all", **fields_of(question, "/ui/tasks/all"))
    past = "retried" if deed == "retry" else "deleted"
    assert answer.headers["location"] == f"/ui/dead/groups?did={past}&count=5"
    assert [*house.queue.dead] == REPORTS
    assert len(house.queue.tasks) == (5 if deed == "retry" else 0)
    page = shown(site, f"?did={past}&count=5")
    assert page.one("p", role="status", class_="message").text.startswith("5 tasks are")


def test_all_of_them(house: House, site: Site) -> None:
    (link,) = links(shown(site), "Retry all")
    question = site.get(link).page
    assert question.one("h1").text == "Retry 7 tasks?"
    site.post("/ui/tasks/all", **fields_of(question, "/ui/tasks/all"))
    assert not house.queue.dead
    page = shown(site)
    assert "Nothing has died." in page.one("main").text
    assert not page.forms


def test_they_are_saved_as_json_lines(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shown(site)
    everything = links(page, "Save as JSON lines")
    answer = site.get(everything[0])
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"].startswith("attachment;")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["id"] for line in lines] == [*MAILS, *REPORTS]
    assert lines == json.loads(site.get("/dead", accept="*/*").body)["tasks"]
    _, reports = links(page, "Save")
    lines = [json.loads(line) for line in site.get(reports).body.splitlines()]
    assert [line["id"] for line in lines] == REPORTS
    monkeypatch.setattr(dead, "MOST_LINES", 3)
    assert links(shown(site), "Save as JSON lines, the first 3")
    assert len(site.get(everything[0]).body.splitlines()) == 3


def test_a_key_that_may_only_read_sees_no_form(house: House) -> None:
    page = shown(Site(house.gateway, read_only=True))
    assert not page.forms
    assert len(causes(page)) == 2
    assert not [
        one for one in page.all("a") if one.text.startswith(("Retry", "Delete"))
    ]


def test_below_a_prefix(house: House) -> None:
    site = Site(house.gateway, prefix="/jobs")
    fields = fields_of(shown(site), "/jobs/ui/dead/canary")
    answer = site.post("/ui/dead/canary", **fields)
    assert answer.headers["location"].startswith("/jobs/ui/task/")


def test_what_strangers_wrote_is_text(house: House, site: Site) -> None:
    for n in range(3):
        die(house.queue, IDS[20 + n], HOSTILE, path=f"/<script>alert({n})</script>")
    assert len(causes(shown(site))) > 2
    check(site.get("/ui/dead/groups?text=%22%3E%3Cscript%3Ealert(1)").page)
