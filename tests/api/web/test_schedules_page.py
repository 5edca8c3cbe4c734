"""The pages of schedules: what they tell, and what can be done on them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.web.forms import filled_in
from tests.api.web.site import HOSTILE, Page
from tests.api.web.supervised import Supervised
from tests.support.service import wait_until

SEASONS = {"schedule": "30 2 * * *", "timezone": "Europe/Paris"}


def pushed(service: Supervised, name: str = "report", **wishes: Any) -> str:
    """Push a schedule of that name, as an application does; its id."""
    usual = {"url": "http://h/report", "schedule": "@daily", "name": name}
    return service.pushed(**usual | wishes)


def facts(page: Page) -> dict[str, str]:
    names = [one.text for one in page.all("dt")]
    return dict(zip(names, [one.text for one in page.all("dd")], strict=True))


def test_without_one_the_page_says_how_there_may_be_one(service: Supervised) -> None:
    page = service.page("/ui/schedules")
    assert "There is no schedule." in page.one("main").text
    assert not page.all("table")


def test_each_is_told_with_its_next_and_its_last_run(service: Supervised) -> None:
    pushed(service, schedule="@every 1h", queue="default")
    pushed(service, "odd", **SEASONS)
    page = service.page("/ui/schedules")
    assert page.one("caption").text == "2 schedules"
    odd, report = [one.text for one in page.all("tr")[1:]]
    assert odd.startswith("odd 30 2 * * * Europe/Paris in ")
    assert " waits none yet http://h/report queue default Run now odd" in odd
    assert report.startswith("report @every 1h in ")
    service.site().post(f"/ui/schedule/{pushed(service)}/run")
    assert service.page("/ui/schedules").one("a", aria_current="page").text


def test_the_last_run_is_told_with_its_outcome(service: Supervised) -> None:
    id = pushed(service, schedule="@every 1s", max_retries=0)
    assert wait_until(lambda: service.work(ok=False, status=503)) == [id]
    row = service.page("/ui/schedules").all("tr")[1].text
    assert " dead " in row and " 1 attempt, status 503 " in row
    assert facts(service.page(f"/ui/schedule/{id}"))["Last run"].startswith("dead ")


def test_there_are_pages_of_them(service: Supervised) -> None:
    for number in range(101):
        pushed(service, f"n{number:03}")
    page = service.page("/ui/schedules")
    assert len(page.all("tr")) == 101
    following = next(one for one in page.all("a") if one.text == "Next page")
    last = service.page(following.attributes["href"])
    assert [one.text[:4] for one in last.all("tr")[1:]] == ["n100"]
    assert [one.text for one in last.all("a")].count("First page") == 1
    back = last.one("form", action=f"/ui/schedule/{pushed(service, 'n100')}/run")
    assert back
    assert service.site().get("/ui/schedules?cursor=nonsense").status == 400


def test_the_coming_runs_are_told_with_what_is_odd_about_them(
    service: Supervised,
) -> None:
    id = pushed(service, **SEASONS)
    page = service.page(f"/ui/schedule/{id}")
    rows = [one.text for one in page.all("tr")[1:]]
    assert len(rows) == 20
    # The clocks of Paris go forward on the last Sunday of March.
    id = pushed(service, **SEASONS | {"schedule": "30 2 25-31 3 *"})
    rows = [one.text for one in service.page(f"/ui/schedule/{id}").all("tr")[1:]]
    odd = [one for one in rows if "02:30 does not exist that night" in one]
    assert len(rows) == 20 and len(odd) >= 2
    assert all(one.startswith("Sun ") and "+02:00" in one for one in odd)


def test_a_schedule_is_found_by_its_name_and_linked_by_its_id(
    service: Supervised,
) -> None:
    id = pushed(service, "a/b ../c")
    link = service.page("/ui/schedules").one("a", id=f"schedule-{id}")
    assert link.attributes["href"] == f"/ui/schedule/{id}"
    page = service.page("/ui/schedule/a%2Fb%20..%2Fc")
    assert page.one("h1").text == "Schedule a/b ../c"
    assert facts(page)["Missed runs"] == "one run for all of them"
    assert service.site().get("/ui/schedule/nobody").status == 404


def test_run_now_pushes_a_task_beside_its_runs(service: Supervised) -> None:
    id = pushed(service)
    page = service.page("/ui/schedules")
    action = f"/ui/schedule/{id}/run"
    answer = service.site().post(action, **filled_in(page, action))
    assert answer.status == 303
    assert answer.headers["location"] == "/ui/schedules?did=schedule-run&count=1"
    assert len(service.queue.tasks) == 2
    told = service.page(answer.headers["location"])
    assert told.one("p", class_="message").text == (
        "A run of it was pushed, beside its own runs."
    )


def test_a_schedule_is_paused_and_resumed(service: Supervised) -> None:
    id = pushed(service)
    path = f"/ui/schedule/{id}"
    for verb, state in (("pause", "paused"), ("resume", "waits")):
        page = service.page(path)
        action = f"{path}/{verb}"
        answer = service.site().post(action, **filled_in(page, action))
        assert answer.headers["location"].startswith(f"{path}?did=schedule-{verb}d")
        assert service.queue.schedules[id].paused == (verb == "pause")
        after = facts(service.page(path))
        assert after["State"] == state
        assert (after["Next run"] == "none") == (verb == "pause")
        assert state in service.page("/ui/schedules").all("tr")[1].text
    service.site().post(f"{path}/pause")
    assert "If it were resumed now:" in service.page(path).html


def test_a_schedule_is_cancelled_after_a_question(service: Supervised) -> None:
    id = pushed(service)
    path = f"/ui/schedule/{id}/cancel"
    page = service.page(path)
    assert id in service.queue.schedules
    assert "No run of report (@daily, to http://h/report) comes any more." in (
        page.one("main").text
    )
    assert page.one("form", method="post").attributes["action"] == path
    answer = service.site().post(path, **filled_in(page, path))
    assert answer.headers["location"] == "/ui/schedules?did=schedule-cancelled&count=1"
    assert id not in service.queue.schedules
    assert service.site().post(path).status == 404


@pytest.mark.parametrize("verb", ["run", "pause", "resume"])
def test_nothing_is_done_to_what_is_not_there(service: Supervised, verb: str) -> None:
    answer = service.site().post(f"/ui/schedule/nobody/{verb}")
    assert answer.status == 404
    assert "There is no schedule 'nobody'." in answer.page.one("main").text


def test_who_may_only_read_sees_no_form(service: Supervised) -> None:
    id = pushed(service)
    for path in ("/ui/schedules", f"/ui/schedule/{id}", f"/ui/schedule/{id}/cancel"):
        page = service.page(path, read_only=True)
        assert not page.forms
        assert not [one for one in page.all("a") if "cancel" in one.attributes["href"]]


def test_links_stay_below_the_prefix(service: Supervised) -> None:
    id = pushed(service)
    for path in ("/ui/schedules", f"/ui/schedule/{id}", f"/ui/schedule/{id}/cancel"):
        service.page(path, prefix="/jobs")
    answer = service.site(prefix="/jobs").post(f"/ui/schedule/{id}/pause")
    assert answer.headers["location"].startswith("/jobs/ui/schedules?did=")


def test_whatever_strangers_call_one_is_text(service: Supervised) -> None:
    # Controls are refused in a name.
    name = HOSTILE.replace("\0", "").replace("\x1b", "")
    id = pushed(service, name, url="http://h/'<b>%0A</b>")
    for path in ("/ui/schedules", f"/ui/schedule/{id}", f"/ui/schedule/{id}/cancel"):
        page = service.page(path)
        assert "&lt;script&gt;alert(1)" in page.html
        assert "\\u202etxt" in page.html
