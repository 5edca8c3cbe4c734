"""The page that a task is pushed on: what is filled in is what is pushed, and shown."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from poussetaches.api.web.push_form import GROUPS
from poussetaches.errors import QueueFull
from poussetaches.model.queue_settings import QueueSettings
from tests.api.web.forms import beside, filled_in
from tests.api.web.site import HOSTILE, Answer, Page
from tests.api.web.supervised import Supervised
from tests.api.web.test_commands import sent, words

PATH = "/ui/push"
URL = "http://h/task"


def push(service: Supervised, **texts: str) -> Answer:
    """Fill in the form and send it."""
    fields = filled_in(service.page(PATH), PATH, **{"url": URL, **texts})
    return service.site().post(PATH, **fields)


def pushed(service: Supervised, answer: Answer) -> tuple[str, Page]:
    """The id of what was pushed, and the page that is then shown."""
    assert answer.status == 303, answer.page.one("p", role="alert").text
    where = answer.headers["location"]
    path, _, query = where.partition("?")
    id = dict(parse_qsl(query))["like"]
    assert path == PATH
    return id, service.page(where)


def shown(page: Page) -> Any:
    """What curl and the program that are shown send, which is the same."""
    curl, python = commands(page)
    body = json.loads(words(curl)[4])
    assert json.loads(sent(python)[1]) == body
    return body


def commands(page: Page) -> list[str]:
    """As they stand there."""
    return ["".join(one.words) for one in page.all("pre")]


# --- a push ---------------------------------------------------------------------------


def test_a_task_is_pushed_and_linked_and_shown(service: Supervised) -> None:
    answer = push(service, kind="json", payload='{"user": 42}', expected="204")
    id, page = pushed(service, answer)
    (task,) = service.queue.tasks.values()
    assert task.id == id
    assert page.one("p", role="status", class_="message").text.startswith("Pushed: ")
    link = page.one("a", href=f"/ui/task/{id}")
    assert link.text == "To the task"
    assert shown(page) == {"url": URL, "json": {"user": 42}, "expected": 204}
    assert filled_in(page, PATH)["payload"] == '{\n  "user": 42\n}'


def test_the_commands_after_a_push_push_the_same(service: Supervised) -> None:
    texts = {"countdown": "90", "key": "k", "headers": "X-A: it's"}
    id, page = pushed(service, push(service, kind="text", payload="hi", **texts))
    body = shown(page)
    assert body == {
        "url": URL,
        "payload": "aGk=",
        "countdown": 90,
        "key": "k",
        "headers": {"X-A": "it's"},
    }
    assert service.pushed(**body) == id


def test_the_same_key_again_is_the_same_task(service: Supervised) -> None:
    first, _ = pushed(service, push(service, key="k"))
    second, page = pushed(service, push(service, key="k"))
    assert first == second and len(service.queue.tasks) == 1
    assert "That key was pushed before" in page.html


def test_a_schedule_is_pushed_and_linked(service: Supervised) -> None:
    id, page = pushed(service, push(service, schedule="@daily", name="report"))
    assert id in service.queue.schedules
    assert page.one("a", href=f"/ui/schedule/{id}").text == "To the schedule"
    assert shown(page) == {"url": URL, "schedule": "@daily", "name": "report"}


def test_a_path_is_pushed_to_a_queue_that_has_a_base_url(service: Supervised) -> None:
    service.configure(mail=QueueSettings(base_url="http://app:5000/"))
    id, _ = pushed(service, push(service, url="/welcome", queue="mail"))
    assert service.gateway.task(id).spec.url == "http://app:5000/welcome"
    page = service.page(PATH)
    assert [one.attributes["value"] for one in page.all("option")][-1:] == ["mail"]


def test_what_is_gone_leaves_an_empty_form(service: Supervised) -> None:
    page = service.page(f"{PATH}?did=pushed&count=1&like={'a' * 32}")
    assert filled_in(page, PATH)["url"] == ""
    assert not page.all("pre")
    service.page(f"{PATH}?like={'b' * 40}")


def test_a_link_may_fill_in_fields(service: Supervised) -> None:
    page = service.page(f"{PATH}?queue=mail&url=http%3A%2F%2Fh%2F%C3%A9&expires=5%FF")
    fields = filled_in(page, PATH)
    assert (fields["queue"], fields["url"]) == ("mail", "http://h/\u00e9")
    assert not service.queue.tasks


def test_one_like_another_is_filled_in(service: Supervised) -> None:
    id = service.pushed(
        url="http://me:s3cret@h/",
        headers={"Authorization": "s3cret", "X-A": "1"},
        countdown=60,
    )
    page = service.page(f"{PATH}?like={id}")
    assert "s3cret" not in page.html
    assert not [one for one in page.all("a") if one.text == "To the task"]
    answer = service.site().post(PATH, **filled_in(page, PATH))
    assert answer.status == 400
    assert "*** stands for a user and a password" in beside(answer.page, "url")
    texts = filled_in(page, PATH, url=URL)
    answer = service.site().post(PATH, **texts)
    assert "Authorization: *** stands for a secret" in beside(answer.page, "headers")
    texts = filled_in(page, PATH, url=URL, headers="X-A: 1")
    assert service.site().post(PATH, **texts).status == 303


# --- what is wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "begin"),
    [
        ("url", "", "url: is missing"),
        ("url", "ftp://h/", "The url has the scheme ftp, only http "),
        ("payload", "{", "json: not valid JSON: "),
        ("payload", '1, "queue": "x"', "json: not valid JSON: "),
        ("countdown", "soon", "countdown: expected a number, got text"),
        ("eta", "tomorrow", "eta: must be a moment such as 2026-12-01 09:30"),
        ("expected", "100", "expected: 100 is no status from 200 to 599"),
        ("max_retries", "1.5", "max_retries: expected a whole number, got a number"),
        ("backoff", "1,x", "backoff: must be numbers with commas between, or JSON"),
        ("backoff", "[-1]", "backoff: must be from 0 to 2,592,000 seconds, not -1"),
        ("timeout", "0", "timeout: must be from 0.01 to 2,592,000 seconds, not 0"),
        ("headers", "X-A", "headers: each line must be 'Name: value'"),
        ("headers", "X-A: 1\nX-A: 2", "headers: X-A is there twice"),
        ("metadata", "{x", "metadata: not valid JSON: "),
        ("schedule", "every day", "schedule: "),
        ("name", "n", "name: only a schedule has it, and there is none"),
        ("queue", "nobody", "queue: there is no queue 'nobody'"),
        ("key", "k" * 256, "key: "),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    service: Supervised, name: str, text: str, begin: str
) -> None:
    texts = filled_in(service.page(PATH), PATH, **{"url": URL, name: text})
    answer = service.site().post(PATH, **texts)
    assert answer.status == 400
    assert beside(answer.page, name).startswith(begin)
    assert filled_in(answer.page, PATH) == texts
    assert not service.queue.tasks
    group = [one for one in answer.page.all("details") if "open" in one.attributes]
    first = {one.name for one in GROUPS[0].fields}
    assert bool(group) == (name not in first)


def test_a_service_that_takes_nothing_now_is_asked_again(
    service: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push_nothing(requests: Any) -> list[str]:
        raise QueueFull("the queue is full", retry_after=7)

    monkeypatch.setattr(service.gateway, "push", push_nothing)
    answer = push(service)
    assert answer.status == 503
    assert answer.page.one("p", role="alert").text == "The queue is full."
    assert filled_in(answer.page, PATH)["url"] == URL


# --- the commands ---------------------------------------------------------------------


def test_they_are_shown_before_a_push_without_one(service: Supervised) -> None:
    fields = filled_in(service.page(PATH), PATH, url=URL, group="g")
    answer = service.site().post(PATH, **fields, **{"only-show": "yes"})
    assert answer.status == 200
    assert shown(answer.page) == {"url": URL, "group": "g"}
    assert filled_in(answer.page, PATH) == fields
    assert not service.queue.tasks


def test_they_follow_what_is_filled_in(service: Supervised) -> None:
    page = service.page(PATH)
    region = page.one("div", id="commands").attributes
    assert region["hx-post"] == f"{PATH}/commands"
    piece = service.site().post(region["hx-post"], url=URL, key="k").page
    assert shown(piece) == {"url": URL, "key": "k"}
    wrong = service.site().post(region["hx-post"], url=URL, countdown="x")
    assert wrong.status == 200
    assert "Countdown: expected a number, got text." in wrong.page.one("p").text
    assert not service.queue.tasks


def test_they_go_where_the_page_came_from(service: Supervised) -> None:
    site = service.site(prefix="/jobs")
    fields = {"url": URL, "only-show": "yes"}
    curl, python = commands(site.post(PATH, **fields).page)
    assert words(curl)[2] == "http://127.0.0.1/jobs/"
    assert sent(python)[0] == "http://127.0.0.1/jobs/"


def test_who_needs_a_key_is_told_where_it_goes_and_never_shown_one(
    service: Supervised,
) -> None:
    id = service.pushed(url=URL)
    answer = service.site().get(
        f"{PATH}?like={id}", HTTP_AUTHORIZATION="Basic c2VjcmV0OnNlY3JldA=="
    )
    assert answer.page.html.count("POUSSETACHES_API_KEY") == 2
    assert "c2VjcmV0" not in answer.page.html
    assert "secret" not in answer.page.html


# --- what holds of every page ---------------------------------------------------------


def test_who_may_only_read_sees_no_form(service: Supervised) -> None:
    id = service.pushed(url=URL)
    for path in (PATH, f"{PATH}?like={id}"):
        page = service.page(path, read_only=True)
        assert not page.forms
        assert not page.all("textarea")


def test_links_stay_below_the_prefix(service: Supervised) -> None:
    page = service.page(PATH, prefix="/jobs")
    action = "/jobs/ui/push"
    fields = filled_in(page, action, url=URL)
    answer = service.site(prefix="/jobs").post(PATH, **fields)
    assert answer.headers["location"].startswith("/jobs/ui/push?")


def test_whatever_is_pushed_is_text(service: Supervised) -> None:
    texts = {
        "kind": "text",
        "payload": "</textarea>" + HOSTILE.replace("\0", ""),
        "url": "http://h/?'\"<script>alert(1)</script>",
        "key": HOSTILE.replace("\0", ""),
        "metadata": json.dumps({HOSTILE: "</pre>"}),
    }
    id, page = pushed(service, push(service, **texts))
    said = shown(page)
    assert b64decode(said["payload"]).decode() == texts["payload"]
    assert said["key"] == texts["key"]
    assert said["url"] == texts["url"]
    task = service.gateway.task(id)
    assert msgspec.json.decode(msgspec.json.encode(said["metadata"]))
    assert task.terms.key == texts["key"]
    for broken in ({"url": HOSTILE}, {"queue": HOSTILE}, {"expected": HOSTILE}):
        answer = push(service, **broken)
        assert answer.status == 400
        assert "<script>alert" not in answer.page.html
