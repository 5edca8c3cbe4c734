"""The job of the second ancestor: what is pushed with it, and how a task is shown."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from poussetaches.errors import InvalidInput
from poussetaches.model.attempt import Attempt
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import How, Spec, Terms
from poussetaches.schema import History, TaskView, encode, job_json, parse_job
from poussetaches.schema.job import STATUSES

FORM = "application/x-www-form-urlencoded"
URL = "http://a.example/x?y=1"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (urlencode({"url": URL}).encode(), FORM),
        (urlencode({"cmd": URL, "type": "t", "extra": "e"}).encode(), FORM),
        (encode({"type": "", "cmd": URL, "extra": ""}), "application/json"),
        (encode({"url": URL, "cmd": "http://other/", "else": [1]}), ""),
        (encode({"cmd": URL, "url": ""}), FORM),
    ],
)
def test_a_job_is_a_get_of_its_url_made_once(body: bytes, media_type: str) -> None:
    asked = parse_job(body, media_type)
    assert asked.spec == Spec(URL, None, 200, How("GET", keep_result=True))
    assert asked.terms == Terms(0, "", "http://a.example:80")
    assert (asked.delay, asked.schedule, len(asked.id)) == (0.0, "", 32)


def test_its_url_may_be_relative() -> None:
    queues = {"default": QueueSettings(base_url="http://b.example/x/")}
    asked = parse_job(b"url=y", FORM, queues)
    assert asked.spec.url == "http://b.example/x/y"


@pytest.mark.parametrize(
    ("body", "media_type", "field", "words"),
    [
        (b"", FORM, "url", "is missing"),
        (b"{}", "application/json", "url", "is missing"),
        (b'{"url": ["http://a/"]}', "", "url", "must be text"),
        (b'{"cmd": 7}', "", "cmd", "must be text"),
        (b"url=gopher://a/", FORM, "url", "scheme"),
        (b"cmd=a b", FORM, "cmd", "relative"),
        (b"[]", "", None, "JSON object"),
        (b"url=http://a/", "text/plain", None, "not valid JSON"),
        (b"url=%ff", FORM, None, "UTF-8"),
    ],
)
def test_what_is_wrong_with_a_job_is_said(
    body: bytes, media_type: str, field: str | None, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_job(body, media_type)
    assert caught.value.field == field
    assert words in caught.value.message


def view(state: str, error: bytes | None = None) -> TaskView:
    spec = Spec("http://user:secret@a.example/", how=How("GET", keep_result=True))
    return TaskView("5f" * 16, spec, "", 0.0, 1.0, 1, 2.0, error, 503, state)


def test_a_job_is_shown_in_words_that_no_language_takes_for_one() -> None:
    shown = job_json(view("succeeded", b"an earlier failure"), b"42 \xff")
    assert shown == {
        "ID": "5f" * 16,
        "Type": "WebTask",
        "Status": 2,
        "Response": "42 \ufffd",
        "url": "http://***@a.example/",
        "queue": "default",
        "state": "succeeded",
        "tries": 1,
    }
    assert len({name.lower() for name in shown}) == len(shown)


@pytest.mark.parametrize(("state", "status"), sorted(STATUSES.items()))
def test_every_state_has_a_number(state: str, status: int) -> None:
    assert job_json(view(state), None)["Status"] == status


def test_a_failure_is_told() -> None:
    assert job_json(view("dead", b"no route"), None)["Response"] == "no route"
    assert job_json(view("dead", b"no route"), None, 2)["Response"] == "no"
    assert job_json(view("waiting"), None)["Response"] == ""


def test_a_history_knows_the_result_of_the_success_only() -> None:
    one = Attempt(1, 0.0, 0.0, 0.0, 1, 200, "succeeded", "", b"42", "")
    assert History(0.0, (one,), 0, 0.0, 0).result == b"42"
    lost = one._replace(outcome="lost")
    assert History(0.0, (one, lost), 0, 0.0, 0).result is None
    assert History(0.0, (), 0, 0.0, 0).result is None
