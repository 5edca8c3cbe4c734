"""The tasks in an answer: how they may be written, and what is wrong with some."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.channel.messages import MOST_FOLLOW_UPS, unseal
from poussetaches.errors import InvalidInput
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import Submission
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.transport import Answer

A, B = {"url": "http://a.example/1"}, {"url": "http://b.example/2", "countdown": 5}


def read(body: Any, *, truncated: bool = False) -> list[Submission]:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    follow_ups = FollowUps(Rules("UTC"), max_payload=10)
    return follow_ups.read(Answer(200, (), body, truncated))


def refusal(body: Any, **kw: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(body, **kw)
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "urls"),
    [
        (A, ["http://a.example/1"]),
        ([A], ["http://a.example/1"]),
        ([A, B], ["http://a.example/1", "http://b.example/2"]),
        ({"tasks": [B, A]}, ["http://b.example/2", "http://a.example/1"]),
        ([], []),
        ({"tasks": []}, []),
        ([A] * MOST_FOLLOW_UPS, ["http://a.example/1"] * MOST_FOLLOW_UPS),
    ],
    ids=["one", "array of one", "array", "object", "none", "tasks: none", "most"],
)
def test_one_several_or_none(body: Any, urls: list[str]) -> None:
    found = read(body)
    assert [unseal(one.spec).url for one in found] == urls
    assert len({one.id for one in found}) == len(urls)


def test_they_are_what_the_same_push_would_be() -> None:
    [one] = read([{**B, "payload": "bG9s", "max_retries": 2, "expected": 204}])
    spec = unseal(one.spec)
    assert (spec.payload, spec.expected) == (b"lol", 204)
    assert (one.delay, one.terms.max_retries) == (5.0, 2)
    assert one.terms.origin == "http://b.example:80"
    [schedule] = read({**A, "schedule": "@every 1h"})
    assert (schedule.schedule, len(schedule.id)) == ("@every 1h", 40)


def test_they_may_be_relative_to_what_their_queue_says() -> None:
    follow_ups = FollowUps(Rules("UTC"), max_payload=10)
    answer = Answer(200, (), b'{"url": "/next", "queue": "mail"}', False)
    with pytest.raises(InvalidInput, match="there is no queue 'mail'"):
        follow_ups.read(answer)
    follow_ups.learn({"mail": QueueSettings(base_url="http://a.example/app/")})
    [one] = follow_ups.read(answer)
    assert unseal(one.spec).url == "http://a.example/next"
    assert one.terms.queue == "mail"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "The body is not valid JSON"),
        (b"ok", "The body is not valid JSON"),
        (b'[{"url": "http://a.example/"}', "The body is not valid JSON"),
        (b'{"url": "http://a/"}, {"url": "http://b/"}', "The body is not valid JSON"),
        (b'[{"url": "http://a/"}] and more', "The body is not valid JSON"),
        (b"\xff\xfe", "The body is not valid JSON"),
        (b"[" * 100_000, "The body is "),
        (b"null", "The body must be a push, a JSON array"),
        (b"17", "The body must be a push, a JSON array"),
        (b'"http://a.example/"', "The body must be a push, a JSON array"),
        ([None], "Element 0: It must be a JSON object."),
        ({}, "Element 0: url: is missing"),
        ({"tasks": {}}, "tasks: must be an array of pushes, beside nothing else"),
        ({"tasks": [A], "more": 1}, "tasks: must be an array of pushes, beside"),
        ({**A, "tasks": [A]}, "tasks: must be an array of pushes, beside nothing"),
        ([A, {"url": "gopher://a/"}], "Element 1: The url has the scheme gopher"),
        ([{**A, "color": 1}], "Element 0: color: is not a field of a push"),
        ([{**A, "payload": "x" * 80}], "Element 0: payload: "),
        ([A] * 1001, "There are 1001, more than 1000."),
        ([{**A, "schedule": "@every 1s"}] * 101, "A batch has at most 100 schedules."),
    ],
    ids=lambda value: f"{value!r:.40}",
)
def test_what_is_wrong_is_said_and_nothing_is_taken(body: Any, why: str) -> None:
    assert refusal(body).startswith(f"the answer's tasks: {why}")


def test_a_body_that_was_cut_is_none_even_if_it_could_be_read() -> None:
    said = refusal([A], truncated=True)
    assert said == "the answer's tasks: They are longer than 31 bytes."


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = read(body)
    except InvalidInput as error:
        assert error.message.startswith("the answer's tasks: ")
    else:
        assert found == []  # no random bytes are a push
