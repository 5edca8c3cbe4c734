"""The paths of schedules, with a scripted supervisor behind them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, cast
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from poussetaches.api.app import make_app
from poussetaches.api.gateway import Gateway
from poussetaches.api.health import Health
from poussetaches.channel.client import Channel
from poussetaches.channel.messages import seal
from poussetaches.model.rules import Rules
from poussetaches.model.task import Spec
from poussetaches.schema import encode

#: 2026-03-28T12:00Z
NOW = 1_774_699_200.0
DAY = 86_400.0
NIGHTLY = ["zebra", "Europe/Paris", "one", "skip"]


class Supervisor:
    """Remembers what it is called for, and answers as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer: Any = None

    def call(self, verb: str, **arguments: Any) -> Any:
        self.asked.append((verb, arguments))
        return self.answer


def view(**changes: Any) -> list[Any]:
    """A schedule as it comes over the channel."""
    special = [None, None, None, [], None, "", "", "", *changes.pop("wishes", NIGHTLY)]
    fields = {
        "id": "b" * 40,
        "spec": seal(Spec("http://h/x")),
        "rule": "30 2 * * *",
        "terms": [None, "", "http://h:80", "mail", special],
        "paused": False,
        "next": NOW + DAY,
        "slot": NOW + DAY,
        "in_flight": False,
        "last": [NOW - DAY, NOW - DAY + 5, "dead", 11, 503],
    }
    return [*(fields | changes).values()]


SHOWN = {
    "id": "b" * 40,
    "name": "zebra",
    "rule": "30 2 * * *",
    "timezone": "Europe/Paris",
    "url": "http://h/x",
    "queue": "mail",
    "missed": "one",
    "overlap": "skip",
    "paused": False,
    "next": NOW + DAY,
    "last": {
        "slot": NOW - DAY,
        "at": NOW - DAY + 5,
        "outcome": "dead",
        "attempts": 11,
        "status": 503,
    },
    "in_flight": False,
}


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


def ask(
    supervisor: Supervisor, method: str, path: str, query: str = ""
) -> tuple[int, Any]:
    """The status of an answer, and its JSON."""
    channel = cast(Channel, supervisor)
    gateway = Gateway(channel, Rules("UTC"), max_payload=1)
    app = validator(make_app(gateway, Health(10.0, 0.0)))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(),
    }
    setup_testing_defaults(environ)
    started: list[str] = []

    def start_response(status: str, headers: Sequence[Any], exc: Any = None) -> Any:
        started.append(status)
        return lambda data: None

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        chunks.close()  # type: ignore[attr-defined]
    return int(started[0].split()[0]), json.loads(body)


def test_a_schedule_is_shown_field_by_field(supervisor: Supervisor) -> None:
    supervisor.answer = view()
    assert ask(supervisor, "GET", "/schedule/zebra") == (200, SHOWN)
    assert supervisor.asked == [("schedule", {"schedule": "zebra"})]


def test_what_was_not_said_is_null(supervisor: Supervisor) -> None:
    terms = [None, "", "http://h:80", "default", None]
    supervisor.answer = view(terms=terms, last=None)
    _, shown = ask(supervisor, "GET", "/schedule/zebra")
    assert (shown["name"], shown["timezone"], shown["last"]) == (None, None, None)


def test_the_list_is_paged(supervisor: Supervisor) -> None:
    page = {"schedules": [view()], "total": 7, "cursor": "b é"}
    supervisor.answer = page
    answer = ask(supervisor, "GET", "/schedules", "limit=1&cursor=a%20%C3%A9")
    assert answer == (200, {"schedules": [SHOWN], "total": 7, "cursor": "b é"})
    assert supervisor.asked == [("schedules", {"limit": 1, "cursor": "a é"})]


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("POST", "/schedule/a/b/pause", "schedule_pause"),
        ("POST", "/schedule/a/b/resume", "schedule_resume"),
        ("DELETE", "/schedule/a/b", "schedule_drop"),
    ],
)
def test_a_name_with_slashes_is_one_name(
    supervisor: Supervisor, method: str, path: str, verb: str
) -> None:
    supervisor.answer = view()
    assert ask(supervisor, method, path) == (200, SHOWN)
    assert supervisor.asked == [(verb, {"schedule": "a/b"})]


def test_a_run_by_hand_is_created_with_its_id(supervisor: Supervisor) -> None:
    status, body = ask(supervisor, "POST", "/schedule/zebra/run")
    assert status == 201
    told = {"schedule": "zebra", "task_id": body["id"]}
    assert supervisor.asked == [("schedule_run", told)]
    assert len(body["id"]) == 32


def test_the_rehearsal_begins_with_the_next_run(supervisor: Supervisor) -> None:
    """Also if its time has passed; the others lie ahead."""
    slot = 1_000_000_000.0
    supervisor.answer = view(slot=slot)
    status, body = ask(supervisor, "GET", "/schedule/zebra/next", "count=3")
    assert status == 200
    assert body["schedule"] == SHOWN
    first, *others = body["runs"]
    assert first == {
        "at": slot,
        "local": "2001-09-09T03:46:40+02:00",
        "remark": "its time has passed: runs as soon as it can",
    }
    assert len(others) == 2
    assert all(run["at"] > NOW for run in others)


def test_a_paused_schedule_is_rehearsed_as_if_resumed(supervisor: Supervisor) -> None:
    supervisor.answer = view(paused=True, next=None, slot=None)
    _, body = ask(supervisor, "GET", "/schedule/zebra/next")
    assert len(body["runs"]) == 20
    assert body["schedule"]["next"] is None


def test_many_runs_are_rehearsed_in_turns(supervisor: Supervisor) -> None:
    supervisor.answer = view()
    _, body = ask(supervisor, "GET", "/schedule/zebra/next", "count=1000")
    assert len(body["runs"]) == 1000
    assert len(encode(body)) < 200_000


@pytest.mark.parametrize("count", ["0", "-1", "1001", "1e3", "", "²"])
def test_a_count_that_is_none_is_refused(supervisor: Supervisor, count: str) -> None:
    status, body = ask(supervisor, "GET", "/schedule/z/next", f"count={count}")
    assert (status, body["error"]["field"]) == (400, "count")
    assert not supervisor.asked
