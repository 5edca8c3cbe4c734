"""The application behind the port, called as WSGI says, with a scripted gateway."""

from __future__ import annotations

import io
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from poussetaches.api.app import make_app
from poussetaches.api.direct import Direct, refusal
from poussetaches.api.health import Health
from poussetaches.channel.messages import Pulse
from poussetaches.errors import (
    ChannelError,
    InvalidInput,
    PousseTachesError,
    StoreFull,
    TooLarge,
)
from poussetaches.model.filter import ALL, Filter
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import Spec
from poussetaches.schema import PushRequest, TaskView

#: Of a task.
ID = re.compile(rb"[0-9a-f]{32}")


class Gateway:
    """Remembers what was asked of it, and answers as told."""

    def __init__(self) -> None:
        self.rules = Rules("UTC")
        self.max_payload = 1000
        self.queues: dict[str, QueueSettings] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.error: PousseTachesError | None = None
        self.tasks: list[TaskView] = []
        #: Where the page after theirs begins.
        self.following: str | None = "next"

    def push(self, requests: Sequence[PushRequest]) -> list[str]:
        self._note("push", *requests)
        return [request.id for request in requests]

    def status(self) -> dict[str, Any]:
        self._note("status")
        return {"in_flight": 0, "paused": False}

    def stats(self) -> dict[str, Any]:
        self._note("stats")
        return {"in_flight": 0}

    def page(
        self, lists: Sequence[str], filter: Filter, *, limit: int, cursor: str | None
    ) -> tuple[list[TaskView], int, str | None]:
        self._note("page", lists, filter, limit, cursor)
        return self.tasks, len(self.tasks), self.following

    def count(self, lists: Sequence[str], filter: Filter) -> int:
        self._note("count", lists, filter)
        return 7

    def pause(self) -> None:
        self._note("pause")

    def resume(self) -> None:
        self._note("resume")

    def unschedule(self) -> None:
        self._note("unschedule")

    def _note(self, *asked: Any) -> None:
        if self.error is not None:
            raise self.error
        self.asked.append(asked)


class Answer:
    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes):
        self.status = int(status.split()[0])
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


Ask = Callable[..., Answer]

SHOWN = TaskView(
    "b" * 32, Spec("http://a/", b"x", 200), "", 0.0, 1.0, 2, 0.0, None, 0, "waiting"
)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def vitals() -> Health:
    return Health(10.0, time.monotonic())


@pytest.fixture
def ask(gateway: Gateway, vitals: Health) -> Iterator[Ask]:
    app = validator(make_app(gateway, vitals))  # type: ignore[arg-type]

    def ask(
        method: str,
        path: str,
        body: bytes = b"",
        query: str = "",
        type: str = "",
        accept: str = "",
    ) -> Answer:
        environ: dict[str, Any] = {
            "CONTENT_TYPE": type,
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_ACCEPT": accept,
        }
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        started: list[Any] = []

        def start_response(status: str, headers: list[Any], exc: Any = None) -> Any:
            started[:] = [status, headers]
            return lambda data: None

        chunks = app(environ, start_response)
        try:
            content = b"".join(chunks)
        finally:
            chunks.close()  # type: ignore[attr-defined]
        return Answer(started[0], started[1], content)

    yield ask


def test_a_push_is_created_with_its_id_in_the_header(
    ask: Ask, gateway: Gateway
) -> None:
    answer = ask("POST", "/", b'{"url": "http://a/", "payload": "bG9s"}')
    assert (answer.status, answer.body) == (201, b"")
    [(_, request)] = gateway.asked
    assert request.spec == Spec("http://a/", b"lol", 200)
    assert answer.headers["poussetaches-task-id"] == request.id


def test_a_batch_is_created_with_its_ids_in_order(ask: Ask, gateway: Gateway) -> None:
    answer = ask("POST", "/batch", b'[{"url": "http://a/"}, {"url": "http://b/"}]')
    assert answer.status == 201
    [(_, first, second)] = gateway.asked
    assert answer.json == {"ids": [first.id, second.id]}
    assert (first.spec.url, second.spec.url) == ("http://a/", "http://b/")


def test_a_batch_of_lines_says_so_by_its_type(ask: Ask, gateway: Gateway) -> None:
    body = b'{"url": "http://a/"}\n{"url": "http://b/"}\n'
    lines = "application/x-ndjson; charset=utf-8"
    assert ask("POST", "/batch", body, type=lines).status == 201
    assert len(gateway.asked[0]) == 3
    assert ask("POST", "/batch", body).status == 400


def test_a_bad_element_is_named_and_nothing_is_pushed(
    ask: Ask, gateway: Gateway
) -> None:
    answer = ask("POST", "/batch", b'[{"url": "http://a/"}, {"url": "b"}]')
    assert answer.status == 400
    assert answer.json["error"]["field"] == "[1].url"
    assert not gateway.asked


@pytest.mark.parametrize("path", ["/", "/batch"])
def test_a_push_is_the_same_with_and_without_bottle(
    gateway: Gateway, path: str
) -> None:
    """Only quicker without."""
    entrance = make_app(cast(Any, gateway), Health(10.0, 0.0))
    assert isinstance(entrance, Direct)
    body = b'[{"url": "http://a/", "key": "k"}]'
    for given in (body if path == "/batch" else body[1:-1], b"{", b""):
        told = [called(app, path, given) for app in (entrance, entrance._app)]
        assert told[0] == told[1]


def called(app: Any, path: str, body: bytes) -> tuple[str, bytes]:
    """Status and body, with ids made equal."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    statuses: list[str] = []
    answer = b"".join(app(environ, lambda status, *_: statuses.append(status)))
    return statuses[0], ID.sub(b"id", answer)


@pytest.mark.parametrize(
    ("path", "lists"),
    [
        ("/waiting", ("waiting", "leased")),
        ("/success", ("succeeded",)),
        ("/dead", ("dead",)),
        ("/cron", ("runs",)),
        ("/expired", ("expired",)),
        ("/tasks", ("waiting", "leased")),
    ],
)
def test_each_list_is_a_page_of_tasks(
    ask: Ask, gateway: Gateway, path: str, lists: tuple[str, ...]
) -> None:
    gateway.tasks = [SHOWN]
    page = ask("GET", path, query="limit=3&cursor=1.0,2").json
    assert [task["id"] for task in page["tasks"]] == ["b" * 32]
    assert (page["total"], page["cursor"]) == (1, "next")
    query = "queue=m%C3%A9l&url=http://a/&origin=HTTP://a&status=5xx,none,404"
    assert ask("GET", path, query=query).status == 200
    ranges = ((500, 599), (-1, -1), (404, 404))
    filter = Filter("mél", "http://a:80", b"http://a/", ranges)
    usual = 100 if path == "/tasks" else 1000
    assert gateway.asked == [
        ("page", lists, ALL, 3, "1.0,2"),
        ("page", lists, filter, usual, None),
    ]


def test_tasks_are_listed_and_counted_by_state(ask: Ask, gateway: Gateway) -> None:
    assert ask("GET", "/tasks", query="state=dead,expired").status == 200
    assert ask("GET", "/tasks/count", query="state=dead&queue=m").json == {"total": 7}
    assert gateway.asked == [
        ("page", ("dead", "expired"), ALL, 100, None),
        ("count", ("dead",), Filter("m")),
    ]


def test_a_cause_is_for_dead_letters_only(ask: Ask, gateway: Gateway) -> None:
    assert ask("GET", "/dead", query="cause=0123456789abcdef").status == 200
    cause = Filter(cause="0123456789abcdef")
    assert gateway.asked == [("page", ("dead",), cause, 1000, None)]
    assert ask("GET", "/tasks", query="cause=0123456789abcdef").status == 400


@pytest.mark.parametrize("path", ["/tasks", "/dead", "/waiting"])
def test_a_list_comes_as_lines_if_they_are_asked_for(
    ask: Ask, gateway: Gateway, path: str
) -> None:
    gateway.tasks = [SHOWN, SHOWN]
    answer = ask("GET", path, accept="text/html, application/x-ndjson;q=0.9")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["poussetaches-cursor"] == "next"
    lines = answer.body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["b" * 32] * 2
    gateway.tasks, gateway.following = [], None
    answer = ask("GET", path, accept="application/x-ndjson")
    assert (answer.body, "poussetaches-cursor" in answer.headers) == (b"", False)
    assert ask("GET", path, accept="*/*").json["tasks"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=", "state"),
        ("state=waiting,", "state"),
        ("state=cancelled", "state"),
        ("state=runs", "state"),
        ("queue=", "queue"),
        ("queue=a&queue=b", "queue"),
        ("queue=%FF", "queue"),
        ("origin=a", "origin"),
        ("status=", "status"),
        ("status=5x", "status"),
        ("status=5%C2%B23", "status"),
        ("status=600", "status"),
        ("status=" + "500," * 60, "status"),
        ("url=" + "x" * 9000, "url"),
        ("queu=mail", "queu"),
    ],
)
@pytest.mark.parametrize("path", ["/tasks", "/tasks/count"])
def test_a_filter_that_makes_no_sense_is_refused(
    ask: Ask, gateway: Gateway, path: str, query: str, field: str
) -> None:
    answer = ask("GET", path, query=query)
    assert (answer.status, answer.json["error"]["field"]) == (400, field)
    assert gateway.asked == []


def test_the_ancestor_lists_take_no_notice_of_what_they_do_not_know(ask: Ask) -> None:
    assert ask("GET", "/waiting", query="fresh=1&state=dead").status == 200
    assert ask("GET", "/waiting", query="status=x").status == 400


def test_an_empty_list_is_empty_and_not_null(ask: Ask) -> None:
    assert ask("GET", "/waiting").json["tasks"] == []


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1001", "²", "1.5", "", "1" * 5000])
def test_a_limit_that_makes_no_sense_is_refused(ask: Ask, limit: str) -> None:
    answer = ask("GET", "/waiting", query=f"limit={limit}")
    assert answer.status == 400
    assert answer.json["error"]["field"] == "limit"


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("POST", "/pause", "pause"),
        ("POST", "/resume", "resume"),
        ("DELETE", "/cron", "unschedule"),
    ],
)
def test_steering_answers_200_with_nothing(
    ask: Ask, gateway: Gateway, method: str, path: str, asked: str
) -> None:
    answer = ask(method, path)
    assert (answer.status, answer.body) == (200, b"")
    assert gateway.asked == [(asked,)]


@pytest.mark.parametrize(
    "path", ["/nothing", "/waiting/", "//", "/cron/x", "/%ff", "/é", "/tasks/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_404(
    ask: Ask, gateway: Gateway, method: str, path: str
) -> None:
    answer = ask(method, path.encode().decode("latin-1"))
    assert answer.status == 404
    assert answer.json["error"]["code"] == "not_found"
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/", "GET,POST"),
        ("DELETE", "/", "GET,POST"),
        ("POST", "/waiting", "GET"),
        ("PUT", "/cron", "DELETE,GET"),
        ("GET", "/pause", "POST"),
        ("GET", "/resume", "POST"),
        ("POST", "/stats", "GET"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(
    ask: Ask, gateway: Gateway, method: str, path: str, allowed: str
) -> None:
    answer = ask(method, path)
    assert answer.status == 405
    assert answer.json["error"]["code"] == "method_not_allowed"
    assert answer.headers["allow"] == allowed
    assert gateway.asked == []


def test_a_refusal_names_code_message_and_field(ask: Ask) -> None:
    answer = ask("POST", "/", b'{"url": "http://a/", "expected": "200"}')
    assert answer.status == 400
    error = answer.json["error"]
    assert sorted(error) == ["code", "field", "message"]
    assert (error["code"], error["field"]) == ("invalid", "expected")


@pytest.mark.parametrize("payload", [b64encode(bytes(1001)).decode(), [0] * 1001])
def test_a_payload_that_is_too_large_is_413_and_names_the_field(
    ask: Ask, gateway: Gateway, payload: object
) -> None:
    push = {"url": "http://a/", "payload": payload}
    answer = ask("POST", "/", json.dumps(push).encode())
    assert answer.status == 413
    assert answer.json["error"] == {
        "code": "too_large",
        "message": "payload: 1001 bytes, more than 1000",
        "field": "payload",
    }
    assert gateway.asked == []
    fits = {"url": "http://a/", "payload": b64encode(bytes(1000)).decode()}
    assert ask("POST", "/", json.dumps(fits).encode()).status == 201


def test_health_and_readiness_are_answered_without_the_supervisor(
    ask: Ask, gateway: Gateway, vitals: Health
) -> None:
    gateway.error = ChannelError("nobody is there")
    assert ask("GET", "/health").json["healthy"] is True
    unready = ask("GET", "/ready")
    assert unready.status == 503
    assert unready.json == {
        "ready": False,
        "complaints": ["the supervisor has not been heard yet"],
    }
    vitals.hear(Pulse({"paused": True}, [], []), time.monotonic())
    healthy = ask("GET", "/health")
    assert (healthy.status, healthy.json["paused"]) == (200, True)
    assert ask("GET", "/ready").json == {"ready": True, "complaints": []}
    vitals.hear(Pulse({}, ["no worker is ready"], []), time.monotonic())
    assert ask("GET", "/health").status == 503
    assert ask("GET", "/health").json["complaints"] == ["no worker is ready"]
    assert ask("GET", "/ready").status == 200
    assert ask("POST", "/health").status == 405


def test_a_full_disk_is_503_with_retry_after(ask: Ask, gateway: Gateway) -> None:
    gateway.error = StoreFull("no room", retry_after=10)
    answer = ask("POST", "/", b'{"url": "http://a/"}')
    assert answer.status == 503
    assert answer.headers["retry-after"] == "10"
    assert answer.json["error"]["code"] == "store_full"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), 400),
        (TooLarge("x"), 413),
        (StoreFull("x"), 503),
        (ChannelError("x"), 500),
    ],
)
def test_every_error_has_its_status(error: PousseTachesError, status: int) -> None:
    assert refusal(error).status == status


def test_a_bug_of_ours_is_for_the_server_to_log_and_to_answer_for(
    ask: Ask, gateway: Gateway
) -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError("a bug")

    gateway.status = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="a bug"):
        ask("GET", "/")


def test_the_status_is_one_line_of_json(ask: Ask) -> None:
    answer = ask("GET", "/")
    assert answer.json == {"in_flight": 0, "paused": False}
    assert answer.body.endswith(b"}\n")
