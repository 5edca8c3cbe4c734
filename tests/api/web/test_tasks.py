"""The list of tasks: what is found, and what is done to some or to all of it."""

from __future__ import annotations

import json

import pytest

from poussetaches.api.web import changing, tasks
from poussetaches.errors import StoreFull
from tests.api.web.house import IDS, House
from tests.api.web.site import HOSTILE, Page, Site, check
from tests.support.dead_letters import die


@pytest.fixture
def house() -> House:
    house = House()
    for n in range(6):
        queue = "mail" if n % 2 else "default"
        house.push(IDS[n], delay=60.0 + n, url=f"http://a/{n}", queue=queue)
    for n in range(6, 9):
        die(house.queue, IDS[n], f"no user {n}", path="/Dead")
    return house


@pytest.fixture
def site(house: House) -> Site:
    return Site(house.gateway)


def shown(site: Site, query: str = "", status: int = 200) -> Page:
    answer = site.get("/ui/tasks" + query)
    assert answer.status == status
    check(answer.page, site.prefix)
    return answer.page


def listed(page: Page) -> list[str]:
    """The beginnings of the ids, in order."""
    return [one.text for one in page.all("code")]


def short(*numbers: int) -> list[str]:
    return [IDS[n][:8] for n in numbers]


def test_live_tasks_are_shown_by_when_they_are_due() -> None:
    house = House()
    for n, id in enumerate(("a" * 32, "b" * 32, "c" * 32)):
        house.push(id, delay=90.0 - n)
    page = shown(Site(house.gateway))
    assert listed(page) == ["c" * 8, "b" * 8, "a" * 8]
    assert "3 tasks." in page.one("main").text
    assert page.one("a", href=f"/ui/task/{'a' * 32}")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("?state=waiting", 6),
        ("?state=leased", 0),
        ("?state=dead", 3),
        ("?state=dead&text=USER+7", 1),
        ("?text=user", 3),
        ("?text=a/4&state=&queue=&url=&origin=&status=", 1),
        ("?queue=mail", 3),
        ("?queue=+mail+", 3),
        ("?url=http://a/3", 1),
        ("?origin=http://b", 0),
        ("?state=dead&status=5xx", 3),
        ("?state=dead,waiting", 9),
    ],
)
def test_filters_pick(site: Site, query: str, number: int) -> None:
    page = shown(site, query)
    assert len(listed(page)) == number
    (twin,) = [one for one in page.all("a") if one.text == "JSON"]
    answer = site.get(twin.attributes["href"], accept="*/*")
    assert len(json.loads(answer.body)["tasks"]) == number


def test_a_cause_picks_dead_letters(site: Site) -> None:
    groups = json.loads(site.get("/dead/groups").body)["groups"]
    page = shown(site, f"?cause={groups[0]['cause']}")
    assert len(listed(page)) == 3
    assert page.one("input", name="cause", type="hidden")
    (twin,) = [one for one in page.all("a") if one.text == "JSON"]
    assert twin.attributes["href"] == f"/dead?cause={groups[0]['cause']}"


def test_what_cannot_be_understood_is_said_and_kept_in_its_field(site: Site) -> None:
    page = shown(site, "?status=9xx&queue=mail", 400)
    assert "Status: must be statuses" in page.one("p", role="alert").text
    assert page.one("input", name="status").attributes["value"] == "9xx"
    assert page.one("input", name="queue").attributes["value"] == "mail"
    for query in ("?nothing=1", "?cursor=x", "?queue=a&queue=b", "?state=ill"):
        assert site.get("/ui/tasks" + query).status == 400, query


def test_the_id_of_a_task_leads_to_it(site: Site) -> None:
    answer = site.get(f"/ui/tasks?text={IDS[0]}")
    assert (answer.status, answer.headers["location"]) == (303, f"/ui/task/{IDS[0]}")
    assert listed(shown(site, f"?text={'f' * 32}")) == []


def test_page_after_page_shows_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PAGE", 2)
    page = shown(site, "?state=waiting&url=http")
    seen = listed(page)
    while following := page.all("a", rel="next"):
        href = following[0].attributes["href"]
        page = shown(site, href.removeprefix("/ui/tasks"))
        assert page.one("input", name="url").attributes["value"] == "http"
        seen += listed(page)
    assert seen == short(*range(6))


def test_a_search_that_takes_long_goes_on_on_the_next_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SEARCH_TIME", -1.0)
    monkeypatch.setattr("poussetaches.api.gateway.SEARCH_TIME", -1.0)
    monkeypatch.setattr("poussetaches.model.listing.SLICE_TASKS", 4)
    page = shown(site, "?text=a/5")
    assert "None so far. The search goes on" in page.one("main").text
    seen: list[str] = []
    while following := page.all("a", rel="next"):
        href = following[0].attributes["href"]
        page = shown(site, href.removeprefix("/ui/tasks"))
        seen += listed(page)
    assert seen == short(5)


# --- what is done ---------------------------------------------------------------------


def test_selected_tasks_are_run(house: House, site: Site) -> None:
    back = "/ui/tasks?queue=mail"
    answer = site.post("/ui/tasks/change", id=IDS[:2], do="run", back=back)
    assert answer.status == 303
    assert answer.headers["location"] == f"{back}&did=run&count=2"
    assert sorted(house.queue.leased) == IDS[:2]
    page = shown(site, "?queue=mail&did=run&count=2")
    assert (
        page.one("p", role="status", class_="message").text == "2 attempts begin now."
    )


def test_what_has_changed_meanwhile_is_left_out(house: House, site: Site) -> None:
    site.post("/ui/tasks/change", id=IDS[0], do="run")
    answer = site.post("/ui/tasks/change", id=[*IDS[:2], "f" * 32], do="run")
    assert answer.headers["location"].endswith("?did=run_some&count=1")
    page = shown(site, "?did=run_some&count=1")
    assert "begins now; the others cannot." in page.html


def test_what_is_final_is_asked_about_first(house: House, site: Site) -> None:
    fields = {"id": IDS[:3], "do": "cancel", "back": "/ui/tasks?state=waiting"}
    asked = site.post("/ui/tasks/change", **fields)
    assert (asked.status, len(house.queue.tasks)) == (200, 6)
    check(asked.page)
    assert asked.page.one("h1").text == "Cancel 3 tasks?"
    assert "This cannot be undone." in asked.page.one("main").text
    assert asked.page.one("a", class_="button").attributes["href"] == fields["back"]
    again = {"do": "cancel", "sure": "1", "back": str(fields["back"])}
    sent = [one.attributes for one in asked.page.all("input", type="hidden")]
    assert [one["value"] for one in sent if one["name"] == "id"] == IDS[:3]
    assert again.items() <= {one["name"]: one["value"] for one in sent}.items()
    answer = site.post("/ui/tasks/change", **fields, sure="1")
    assert answer.headers["location"].endswith("state=waiting&did=cancelled&count=3")
    assert sorted(house.queue.tasks) == IDS[3:6]


@pytest.mark.parametrize("deed", ["retry", "delete"])
def test_selected_dead_letters(house: House, site: Site, deed: str) -> None:
    site.post("/ui/tasks/change", id=IDS[6:8], do=deed, sure="1")
    assert [*house.queue.dead] == IDS[8:9]
    assert len(house.queue.tasks) == (8 if deed == "retry" else 6)


def test_nothing_selected_is_said_on_the_list(site: Site) -> None:
    answer = site.post("/ui/tasks/change", do="run", back="/ui/tasks?queue=mail")
    assert answer.status == 400
    check(answer.page)
    assert answer.page.one("p", role="alert").text == "No task is selected."
    assert len(listed(answer.page)) == 3
    answer = site.post("/ui/tasks/change", id=IDS[0], do="explode")
    assert answer.status == 400


def test_everything_that_matches_is_cancelled(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "SOME", 2)
    page = shown(site, "?queue=mail")
    link = page.one("a", href="/ui/tasks/all?" + _query(page)).attributes["href"]
    asked = site.get(link).page
    check(asked)
    assert asked.one("h1").text == "Cancel 3 tasks?"
    assert "queue mail" in asked.one("main").text
    fields = {
        one.attributes["name"]: one.attributes["value"]
        for one in asked.all("input", type="hidden")
    }
    action = asked.forms[0].attributes["action"]
    answer = site.post(action, **fields)
    assert answer.headers["location"] == "/ui/tasks?queue=mail&did=cancelled&count=3"
    assert {task.terms.queue for task in house.queue.tasks.values()} == {"default"}


def _query(page: Page) -> str:
    (link,) = [one for one in page.all("a") if one.text == "Cancel all"]
    return link.attributes["href"].partition("?")[2]


@pytest.mark.parametrize("deed", ["retry", "delete"])
def test_all_dead_letters_that_match(house: House, site: Site, deed: str) -> None:
    asked = site.get(f"/ui/tasks/all?do={deed}&state=dead&text=user+7").page
    assert asked.one("h1").text == f"{deed.title()} 1 task?"
    site.post("/ui/tasks/all", do=deed, state="dead", text="user 7")
    assert sorted(house.queue.dead) == [IDS[6], IDS[8]]
    assert (IDS[7] in house.queue.tasks) == (deed == "retry")


def test_what_cannot_be_done_to_all_is_not_offered_nor_done(
    house: House, site: Site
) -> None:
    page = shown(site, "?state=waiting,dead")
    assert not [one for one in page.all("a") if one.text.endswith(" all")]
    query = "do=cancel&state=waiting,dead"
    assert site.get(f"/ui/tasks/all?{query}").status == 400
    answer = site.post("/ui/tasks/all", do="cancel", state="waiting,dead")
    assert answer.status == 400
    for state in ("succeeded", "expired"):
        assert site.post("/ui/tasks/all", do="cancel", state=state).status == 400
    assert len(house.queue.tasks) == 6


def test_what_keeps_it_from_going_on_is_said_with_what_was_done(
    house: House, site: Site
) -> None:
    house.slots = 2
    answer = site.post("/ui/tasks/change", id=IDS[:4], do="run")
    assert answer.status == 503
    check(answer.page)
    said = answer.page.one("p", role="alert").text
    assert said == "2 tasks run, then: No worker has a free slot."

    def full() -> None:
        raise StoreFull("The disk is full.", retry_after=5)

    house.full = full
    answer = site.post("/ui/tasks/all", do="cancel", state="waiting", queue="mail")
    assert answer.status == 503
    assert answer.page.one("p", role="alert").text == "The disk is full."
    answer = site.post("/ui/tasks/all", do="retry", state="dead")
    assert answer.status == 503


# --- who is shown what ----------------------------------------------------------------


def test_a_key_that_may_only_read_sees_no_form(house: House) -> None:
    site = Site(house.gateway, read_only=True)
    for query in ("", "?state=dead", "?state=waiting"):
        page = shown(site, query)
        assert not page.forms
        assert not page.all("input", type="checkbox")
        assert not [one for one in page.all("a") if one.text.endswith(" all")]
    page = site.get("/ui/tasks/all?do=cancel&state=waiting").page
    assert not page.forms


def test_below_a_prefix(house: House) -> None:
    site = Site(house.gateway, prefix="/jobs")
    page = shown(site, "?state=waiting")
    assert page.forms[0].attributes["action"] == "/jobs/ui/tasks/change"
    check(site.get("/ui/tasks/all?do=cancel&state=waiting").page, "/jobs")
    answer = site.post("/ui/tasks/change", id=IDS[0], do="run", back="/ui/tasks")
    assert answer.headers["location"] == "/jobs/ui/tasks?did=run&count=1"


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example", "/x"])
def test_nobody_is_sent_elsewhere(site: Site, back: str) -> None:
    answer = site.post("/ui/tasks/change", id=IDS[0], do="run", back=back)
    assert answer.headers["location"] == "/ui/tasks?did=run&count=1"
    page = site.get(f"/ui/tasks/all?do=cancel&state=waiting&back={back}").page
    assert page.one("a", class_="button").attributes["href"].startswith("/ui/tasks?")


def test_what_strangers_wrote_is_text(house: House, site: Site) -> None:
    # Older versions took any name.
    pushed = house.push(IDS[20], url="http://a/<script>alert(1)</script>")
    pushed.terms = pushed.terms._replace(queue=HOSTILE)
    die(house.queue, IDS[21], HOSTILE, path="/<script>alert(1)</script>")
    page = shown(site, "?state=waiting,dead")
    assert "<script>alert(1)" in page.one("main").text
    check(site.get("/ui/tasks?text=" + "%3Cscript%3Ealert(1)%22'").page)
    asked = site.get("/ui/tasks/all?do=cancel&state=waiting&queue=%3Cscript%3Ealert")
    check(asked.page)


def test_secrets_are_masked(house: House, site: Site) -> None:
    house.push(IDS[20], url="http://anna:hunter2@a/secret")
    page = shown(site, "?text=secret")
    assert "hunter2" not in page.html
    assert "http://***@a/secret" in page.html
    assert listed(shown(site, "?text=hunter2")) == []
