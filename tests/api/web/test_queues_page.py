"""The pages of queues: what they tell, and what can be done on them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from poussetaches.errors import InvalidInput
from poussetaches.model.limiter import Rate
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.schema import encode, parse_queue
from tests.api.web.site import HOSTILE, Page
from tests.api.web.supervised import Supervised, filled_in
from tests.support.service import wait_until

MAIL = "/ui/queue/mail"


@pytest.fixture
def mail(service: Supervised) -> Supervised:
    """A service with a queue."""
    service.gateway.set_queue("mail", {"rate": "10/s", "concurrency": 4})
    return service


def push(service: Supervised, number: int = 1, **wishes: Any) -> None:
    for _ in range(number):
        service.pushed(**{"url": "http://h/x", "queue": "mail", **wishes})


def settings(service: Supervised, name: str = "mail") -> dict[str, Any]:
    shown = service.gateway.queue_view(name)["settings"]
    return {one: shown[one] for one in sorted(shown)}


def change(service: Supervised, **texts: Any) -> tuple[int, str]:
    """Fill in the form of queue mail and send it; the status, and where it leads or
    what is wrong."""
    page = service.page(MAIL)
    answer = service.site().post(MAIL, **filled_in(page, MAIL, **texts))
    if answer.status == 303:
        return 303, answer.headers["location"]
    return answer.status, answer.page.one("p", role="alert").text


def beside(page: Page, name: str) -> str:
    """What stands beside a field as wrong, and is said to."""
    (field,) = [one for one in page.elements if one.attributes.get("name") == name]
    assert field.attributes["aria-invalid"] == "true"
    told = field.attributes["aria-describedby"].split()[-1]
    return page.one("strong", id=told).text


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


# --- what is changed ------------------------------------------------------------------


def test_settings_are_changed_in_place(mail: Supervised) -> None:
    answer = change(
        mail,
        rate="5/m",
        burst="2",
        concurrency="unlimited",
        retry_limit="-1",
        min_backoff_seconds="1.5",
        max_backoff_seconds="60",
        max_doublings="3",
        timeout="30",
        base_url="http://h/app",
        paused="yes",
    )
    assert answer == (303, f"{MAIL}?did=queue-changed&count=1")
    assert settings(mail) == {
        "backoff": [1.5, 60.0, 3],
        "base_url": "http://h/app",
        "burst": 2,
        "paused": True,
        "rate": [5.0, "m"],
        "retry_limit": -1,
        "timeout": 30.0,
    }
    page = mail.page(answer[1])
    assert page.one("p", role="status", class_="message").text.startswith("Changed.")
    sent = filled_in(page, MAIL)
    assert sent["min_backoff_seconds"] == "1.5"
    assert sent["paused"] == "yes"


def test_only_what_was_filled_in_otherwise_is_changed(mail: Supervised) -> None:
    """Two people have the form before them, and change different things."""
    sent = filled_in(mail.page(MAIL), MAIL, burst="7")
    mail.gateway.set_queue("mail", {"rate": "1/h"})
    assert mail.site().post(MAIL, **sent).status == 303
    assert settings(mail)["rate"] == [1.0, "h"]
    assert settings(mail)["burst"] == 7


def test_a_form_that_says_nothing_new_changes_nothing(mail: Supervised) -> None:
    before = settings(mail)
    assert change(mail) == (303, f"{MAIL}?did=queue-same&count=1")
    assert settings(mail) == before


def test_an_emptied_field_is_what_the_configuration_says(mail: Supervised) -> None:
    mail.configure(mail=QueueSettings(rate=Rate(20.0, "m")))
    assert change(mail, rate="", concurrency="")[0] == 303
    assert settings(mail) == {"rate": [20.0, "m"]}
    assert change(mail, rate="unlimited")[0] == 303
    assert settings(mail) == {}
    fields = filled_in(mail.page(MAIL), MAIL)
    assert fields["rate"] == "unlimited"
    assert change(mail, rate="")[0] == 303
    assert settings(mail) == {"rate": [20.0, "m"]}


def test_a_box_that_is_not_checked_any_more_resumes(mail: Supervised) -> None:
    mail.gateway.set_queue("mail", {"paused": True})
    sent = dict(filled_in(mail.page(MAIL), MAIL))
    del sent["paused"]
    assert mail.site().post(MAIL, **sent).status == 303
    assert not settings(mail).get("paused")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "rate",
            "fast",
            'rate: "fast" is not a rate, such as 10/s, 21.5/m, 5/h or 1/d',
        ),
        (
            "rate",
            "0/s",
            'rate: "0/s" lets nothing begin, ever; pause the queue instead',
        ),
        ("burst", "0", "burst: 0 is not from 1 to 1000000"),
        ("burst", "1.5", "burst: 1.5 is not a whole number"),
        ("concurrency", "many", 'concurrency: "many" is not a whole number'),
        ("timeout", "soon", 'timeout: "soon" is not a number of seconds'),
        ("max_doublings", "-2", "max_doublings: -2 is not from -1 to 1000"),
        (
            "base_url",
            "h/x",
            "base_url: it must be a full URL, such as http://127.0.0.1:5000/task",
        ),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    mail: Supervised, name: str, text: str, sentence: str
) -> None:
    before = settings(mail)
    sent = filled_in(mail.page(MAIL), MAIL, **{name: text})
    answer = mail.site().post(MAIL, **sent)
    assert answer.status == 400
    assert beside(answer.page, name) == sentence
    assert filled_in(answer.page, MAIL) == sent
    assert settings(mail) == before
    with pytest.raises(InvalidInput) as refused:
        parse_queue(encode({name: _value(text)}))
    assert refused.value.message == sentence


def test_every_field_that_is_wrong_is_told_of(mail: Supervised) -> None:
    sent = filled_in(mail.page(MAIL), MAIL, rate="fast", burst="0")
    answer = mail.site().post(MAIL, **sent)
    assert beside(answer.page, "rate").startswith("rate: ")
    assert beside(answer.page, "burst").startswith("burst: ")
    told = answer.page.one("p", role="alert").text
    assert told.startswith("Rate: ") and "Burst: 0 is not" in told


def test_a_mask_is_no_secret(mail: Supervised) -> None:
    mail.gateway.set_queue("mail", {"base_url": "http://me:s3cret@h/"})
    assert change(mail, burst="3")[0] == 303
    assert settings(mail)["base_url"] == "http://me:s3cret@h/"
    status, told = change(mail, base_url="http://***@h/other")
    assert status == 400
    assert "*** stands for a user and a password" in told
    assert settings(mail)["base_url"] == "http://me:s3cret@h/"


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


def _value(text: str) -> Any:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
