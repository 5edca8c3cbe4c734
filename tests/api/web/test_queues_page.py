"""The pages of queues: what they tell, and what can be done on them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from poussetaches.model.limiter import Rate
from poussetaches.model.queue_settings import QueueSettings
from tests.api.web.forms import beside, filled_in
from tests.api.web.site import HOSTILE
from tests.api.web.supervised import Supervised
from tests.api.web.test_queue_settings import settings
from tests.support.service import wait_until

MAIL = "/ui/queue/mail"


def push(service: Supervised, number: int = 1, **wishes: Any) -> None:
    for _ in range(number):
        service.pushed(**{"url": "http://h/x", "queue": "mail", **wishes})


# --- what they tell -------------------------------------------------------------------


def test_each_is_told_with_what_is_in_it_and_its_limits(mail: Supervised) -> None:
    push(mail, 3)
    page = mail.page("/ui/queues")
    default, row = [one.text for one in page.all("tr")[1:]]
    assert default.startswith("default open 0 0 Pause default Purge default")
    assert "Drop" not in default
    assert row.startswith("mail open 3 0 ")
    assert "concurrency 4, " not in row
    assert " rate 10/s, concurrency 4 Pause mail Purge mail Drop mail" in row
    late = page.one("a", id="oldest-mail").attributes["href"]
    assert late.removeprefix("/ui/task/") in mail.queue.tasks
    waiting = page.one("a", id="waiting-mail").attributes["href"]
    assert waiting == "/ui/tasks?state=waiting&queue=mail"


def test_one_tells_who_has_said_each_of_its_settings(mail: Supervised) -> None:
    mail.configure(mail=QueueSettings(rate=Rate(20.0, "m"), burst=3))
    page = mail.page(MAIL)
    hints = {
        one.attributes["id"]: one.text
        for one in page.all("small")
        if one.attributes.get("id", "").endswith("-hint")
    }
    said = "Set while running; the configuration says 20/m."
    assert hints["field-rate-hint"].endswith(said)
    assert hints["field-burst-hint"].endswith("From the configuration.")
    assert hints["field-concurrency-hint"].endswith("Set while running.")
    assert hints["field-timeout-hint"] == "Seconds that an attempt may take."
    fields = filled_in(page, MAIL)
    assert (fields["rate"], fields["burst"]) == ("10/s", "3")
    assert (fields["concurrency"], fields["timeout"]) == ("4", "")


def test_secrets_are_masked(mail: Supervised) -> None:
    mail.gateway.set_queue(
        "mail",
        {"base_url": "http://me:s3cret@h/", "headers": {"X-Api-Key": "s3cret"}},
    )
    page = mail.page(MAIL)
    assert "s3cret" not in page.html
    assert filled_in(page, MAIL)["base_url"] == "http://***@h/"
    assert "X-Api-Key" in page.html


# --- made, paused, purged, dropped ----------------------------------------------------


def test_a_queue_is_made(service: Supervised) -> None:
    path = "/ui/queues/new"
    sent = filled_in(service.page(path), path, name="mail", rate="5/s")
    answer = service.site().post(path, **sent)
    assert answer.headers["location"] == f"{MAIL}?did=queue-made&count=1"
    assert settings(service) == {"rate": [5.0, "s"]}
    assert "The queue is there." in service.page(answer.headers["location"]).html


@pytest.mark.parametrize(
    ("name", "field", "status", "begin"),
    [
        ("no name", "name", 400, 'queue: "no name" is no name of a queue, which has'),
        ("", "name", 400, 'queue: "" is no name of a queue'),
        ("default", "name", 409, "queue: there is a queue default already"),
    ],
)
def test_a_queue_that_cannot_be_made_is_not(
    service: Supervised, name: str, field: str, status: int, begin: str
) -> None:
    path = "/ui/queues/new"
    sent = filled_in(service.page(path), path, name=name, rate="5/s")
    answer = service.site().post(path, **sent)
    assert answer.status == status
    assert beside(answer.page, field).startswith(begin)
    assert filled_in(answer.page, path) == sent
    assert [one["name"] for one in service.gateway.queue_views()] == ["default"]


def test_a_queue_is_paused_and_resumed_where_it_is_listed(mail: Supervised) -> None:
    push(mail)
    for verb, chip in (("pause", "paused"), ("resume", "open")):
        action = f"{MAIL}/{verb}"
        sent = filled_in(mail.page("/ui/queues"), action)
        answer = mail.site().post(action, **sent)
        assert answer.headers["location"].startswith(f"/ui/queues?did=queue-{verb}d")
        row = mail.page(answer.headers["location"]).all("tr")[2].text
        assert row.startswith(f"mail {chip} ")
        waiting = [*mail.queue.tasks]
        assert mail.work(ok=True) == ([] if verb == "pause" else waiting)


def test_a_purge_says_how_many_and_leaves_runs_of_schedules(mail: Supervised) -> None:
    push(mail, 3)
    push(mail, schedule="@daily")
    push(mail, queue="default")
    path = f"{MAIL}/purge"
    page = mail.page(path)
    assert "3 tasks will be cancelled" in page.one("main").text
    assert page.all("button", class_="strong")[0].text == "Purge 3 tasks"
    assert len(mail.queue.tasks) == 5
    answer = mail.site().post(path, **filled_in(page, path))
    assert answer.headers["location"] == f"{MAIL}?did=purged&count=3"
    assert len(mail.queue.tasks) == 2
    assert "3 tasks were cancelled." in mail.page(answer.headers["location"]).html
    assert "0 tasks will be cancelled" in mail.page(path).html


def test_a_run_under_way_is_not_counted_among_those_that_wait(
    mail: Supervised,
) -> None:
    push(mail, schedule="@every 1s")
    wait_until(mail.begin)
    push(mail, 2, countdown=60)
    assert "2 tasks will be cancelled" in mail.page(f"{MAIL}/purge").html


def test_a_queue_is_dropped_if_nothing_is_in_it(mail: Supervised) -> None:
    push(mail)
    path = f"{MAIL}/drop"
    page = mail.page(path)
    assert "1 task in it wait" in page.html
    answer = mail.site().post(path, **filled_in(page, path))
    assert answer.status == 409
    alert = answer.page.one("p", role="alert").text
    assert alert.startswith("Queue: 1 tasks wait in mail and 0 are in flight")
    mail.gateway.purge_queue("mail")
    answer = mail.site().post(path)
    assert answer.headers["location"] == "/ui/queues?did=queue-dropped&count=1"
    assert len(mail.page("/ui/queues").all("tr")) == 2


@pytest.mark.parametrize("rest", ["", "/pause", "/resume", "/purge", "/drop"])
def test_what_is_not_there_is_not_made(service: Supervised, rest: str) -> None:
    for path in (f"/ui/queue/nobody{rest}", f"/ui/queue/{'x' * 300}{rest}"):
        answer = service.site().post(path)
        assert answer.status == 404
        assert "There is no queue " in answer.page.one("main").text
    assert [one["name"] for one in service.gateway.queue_views()] == ["default"]


# --- what holds of all of them --------------------------------------------------------

PAGES = ("/ui/queues", "/ui/queues/new", MAIL, f"{MAIL}/purge", f"{MAIL}/drop")


def test_who_may_only_read_sees_no_form(mail: Supervised) -> None:
    push(mail)
    for path in PAGES:
        page = mail.page(path, read_only=True)
        assert not page.forms
        links = " ".join(one.attributes["href"] for one in page.all("a"))
        assert not any(word in links for word in ("/new", "/purge", "/drop"))
    assert "concurrency" in mail.page(MAIL, read_only=True).html.lower()


def test_links_stay_below_the_prefix(mail: Supervised) -> None:
    push(mail)
    for path in PAGES:
        mail.page(path, prefix="/jobs")
    answer = mail.site(prefix="/jobs").post(f"{MAIL}/pause")
    assert answer.headers["location"].startswith("/jobs/ui/queues?did=queue-paused")


def test_whatever_strangers_say_is_text(mail: Supervised) -> None:
    answer = mail.site().get(f"/ui/queue/{quote(HOSTILE.replace('/', ''))}")
    assert answer.status == 404
    assert "&lt;script&gt;alert(1)" in answer.page.html
    sent = filled_in(mail.page(MAIL), MAIL, rate=HOSTILE, base_url=HOSTILE)
    answer = mail.site().post(MAIL, **sent)
    assert answer.status == 400
    assert "<script>alert" not in answer.page.html
    assert "&lt;script&gt;alert(1)" in answer.page.html
    sent = {"name": HOSTILE, "rate": HOSTILE}
    assert "<script>alert" not in mail.site().post("/ui/queues/new", **sent).page.html
