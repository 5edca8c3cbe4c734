"""Dead letters over HTTP, with a supervisor's verbs behind it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from poussetaches.api.app import make_app
from poussetaches.api.health import Health
from poussetaches.errors import QueueFull
from poussetaches.model.queue import TaskQueue
from tests.support.dead_letters import ORIGIN, Counter, die
from tests.support.queues import NOW

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def queue() -> TaskQueue:
    queue = TaskQueue()
    for n in range(6):
        die(queue, f"t{n}", f"no user {n}", at=NOW + n)
    for n in range(6, 10):
        die(queue, f"t{n}", "away", status=503, at=NOW + n)
    return queue


@pytest.fixture
def counter(queue: TaskQueue) -> Counter:
    return Counter(queue)


@pytest.fixture
def ask(counter: Counter) -> Ask:
    app = make_app(counter.gateway(), Health(10.0, time.monotonic()))

    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(0 if body is None else len(data)),
            "wsgi.input": io.BytesIO(b"" if body is None else data),
        }
        setup_testing_defaults(environ)
        told: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            told.append(status)

        answer = b"".join(app(environ, start))
        return int(told[0].split()[0]), json.loads(answer)

    return ask


def test_groups_are_shown_and_cleared(queue: TaskQueue, ask: Ask) -> None:
    status, page = ask("GET", "/dead/groups")
    assert (status, page["total"], page["causes"], page["cursor"]) == (200, 10, 2, None)
    first, second = page["groups"]
    assert first == {
        "cause": first["cause"],
        "origin": ORIGIN,
        "path": "/task",
        "status": 500,
        "error": "no user <n>",
        "count": 6,
        "first": NOW,
        "last": NOW + 5,
        "sample": "t5",
    }
    assert (second["count"], second["error"]) == (4, "away")
    body = {"cause": first["cause"], "limit": 1}
    status, told = ask("POST", "/dead/retry", body)
    assert (status, told["retried"], told["skipped"]) == (200, 1, 0)
    assert [*queue.tasks] == ["t0"]
    body = {"cause": first["cause"]}
    assert ask("POST", "/dead/retry", body) == (
        200,
        {"retried": 5, "skipped": 0, "cursor": None},
    )
    assert ask("DELETE", "/dead", {"status": "5xx"}) == (
        200,
        {"deleted": 4, "cursor": None},
    )
    assert not queue.dead


def test_groups_are_paged_and_filtered(ask: Ask) -> None:
    _, page = ask("GET", "/dead/groups?limit=1")
    _, rest = ask("GET", f"/dead/groups?limit=1&cursor={page['cursor']}")
    assert [group["count"] for group in page["groups"] + rest["groups"]] == [6, 4]
    assert ask("GET", "/dead/groups?status=503")[1]["total"] == 4
    assert ask("GET", "/dead/groups?queue=default")[1]["total"] == 10
    assert ask("GET", f"/dead/groups?url={ORIGIN}/x")[1] == {
        "groups": [],
        "total": 0,
        "causes": 0,
        "cursor": None,
    }


@pytest.mark.parametrize(
    ("query", "deleted"),
    [("status=503", 4), ("status=5xx&limit=3", 3), ("all=true", 10), ("all=1", 10)],
)
def test_what_is_deleted_may_stand_in_the_query(
    ask: Ask, query: str, deleted: int
) -> None:
    assert ask("DELETE", f"/dead?{query}")[1]["deleted"] == deleted


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, None),
        ({}, None),
        ({"all": False}, None),
        ({"limit": 5}, None),
        ({"queue": None}, None),
        ({"all": True, "queue": "a"}, None),
        ({"ids": ["t0"], "all": True}, None),
        ({"ids": ["t0"], "status": 503}, None),
        ({"all": "yes"}, "all"),
        ({"all": 1.5}, "all"),
        ({"ids": []}, "ids"),
        ({"ids": "t0"}, "ids"),
        ({"ids": [1]}, "ids"),
        ({"ids": [""]}, "ids"),
        ({"ids": ["x" * 41]}, "ids"),
        ({"ids": [str(n) for n in range(10_001)]}, "ids"),
        ({"ids": ["t0"], "cursor": "1.0,1.0,1"}, "cursor"),
        ({"queue": ""}, "queue"),
        ({"queue": 5}, "queue"),
        ({"url": []}, "url"),
        ({"origin": "a"}, "origin"),
        ({"cause": "abc"}, "cause"),
        ({"cause": "0123456789ABCDEF"}, "cause"),
        ({"status": "often"}, "status"),
        ({"status": True}, "status"),
        ({"status": 5030}, "status"),
        ({"status": []}, "status"),
        ({"all": True, "limit": 0}, "limit"),
        ({"all": True, "limit": True}, "limit"),
        ({"all": True, "limit": 2**70}, "limit"),
        ({"all": True, "limit": "5"}, "limit"),
        ({"all": True, "cursor": "1.0"}, "cursor"),
        ({"all": True, "cursor": "nan,1.0,1"}, "cursor"),
        ({"all": True, "cursor": "1.0,inf,1"}, "cursor"),
        ({"all": True, "cursor": 5}, "cursor"),
        ({"queu": "mail"}, "queu"),
        ([], None),
        (b"{", None),
        (b"\xff", None),
    ],
)
def test_a_selection_that_makes_no_sense_changes_nothing(
    queue: TaskQueue, ask: Ask, body: Any, field: str | None
) -> None:
    for method, path in (("POST", "/dead/retry"), ("DELETE", "/dead")):
        status, told = ask(method, path, body)
        assert (status, told["error"]["field"]) == (400, field)
    assert len(queue.dead) == 10


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("all=yes", "all"),
        ("queue=", "queue"),
        ("queu=a", "queu"),
        ("status=503&status=500", "status"),
        ("limit=3", None),
        ("all=true&limit=0", "limit"),
        ("all=true&cursor=x", "cursor"),
        ("all=true&queue=a", None),
    ],
)
def test_a_query_that_makes_no_sense_deletes_nothing(
    queue: TaskQueue, ask: Ask, query: str, field: str | None
) -> None:
    status, told = ask("DELETE", f"/dead?{query}")
    assert (status, told["error"]["field"]) == (400, field)
    assert ask("DELETE", "/dead?all=true", {"all": True})[0] == 400
    assert len(queue.dead) == 10


def test_what_was_done_is_told_even_if_it_could_not_go_on(
    queue: TaskQueue, counter: Counter, ask: Ask
) -> None:
    room = [2]

    def full() -> None:
        if not room[0]:
            raise QueueFull("the queue is full", retry_after=10)
        room[0] -= 1

    counter.keeper.full = full
    status, told = ask("POST", "/dead/retry", {"all": True})
    assert (status, told["retried"], told["skipped"]) == (503, 2, 0)
    assert told["error"]["code"] == "queue_full"
    room[0] = 100
    status, rest = ask("POST", "/dead/retry", {"all": True, "cursor": told["cursor"]})
    assert (status, rest["retried"], rest["cursor"]) == (200, 8, None)
    assert not queue.dead
