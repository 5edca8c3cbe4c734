"""Tasks by their ids, in our words and in those of the third ancestor."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from poussetaches.api.app import make_app
from poussetaches.api.health import Health
from poussetaches.errors import Conflict, NotFound, PousseTachesError, Unavailable
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.schema import Edit, PushBody, PushRequest, TaskView, WhyView
from tests.support.pushes import URL, view_of

ID = "5f" * 16
FORM = "application/x-www-form-urlencoded"


class Gateway:
    """Has one task."""

    def __init__(self) -> None:
        self.rules = Rules("UTC")
        self.max_payload = 1000
        self.queues = {"mail": QueueSettings(base_url="http://mail.example/")}
        self.pushed: list[PushRequest] = []
        self.asked: list[tuple[str, str]] = []
        self.error: PousseTachesError | None = None
        self.edits: list[Edit] = []
        reasons = [
            ("busy", "All slots are taken.", None, {"slots": 4}),
            ("behind", "2 tasks are before it.", 9.5, {"before": 2}),
        ]
        self.told = WhyView(ID, "waiting", "mail", "", reasons, 12.5, 2.5)

    def push(self, requests: Sequence[PushRequest]) -> list[str]:
        self.pushed += requests
        return [request.id for request in requests]

    def task(self, id: str) -> TaskView:
        return self._found("task", id)

    def cancel(self, id: str) -> TaskView:
        return self._found("cancel", id)._replace(state="cancelled")

    def replace(self, id: str, request: PushRequest) -> TaskView:
        self.pushed.append(request)
        return self._found("replace", id)

    def run(self, id: str) -> TaskView:
        return self._found("run", id)

    def retry(self, id: str, fresh_id: str) -> TaskView:
        assert len(fresh_id) == 32
        return self._found("retry", id)

    def editable(self, id: str) -> tuple[TaskView, int]:
        return self._found("editable", id), 7

    def edit(self, id: str, version: int, edit: Edit) -> TaskView:
        assert version == 7
        self.pushed.append(edit.request)
        self.edits.append(edit)
        return self._found("edit", id)

    def why(self, id: str) -> WhyView:
        self._found("why", id)
        return self.told

    def _found(self, verb: str, id: str) -> TaskView:
        if self.error is not None:
            raise self.error
        self.asked.append((verb, id))
        return view_of(self.pushed[-1])._replace(id=id)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(gateway: Gateway) -> Ask:
    app = make_app(gateway, Health(10.0, time.monotonic()))  # type: ignore[arg-type]

    def ask(
        method: str, path: str, body: bytes = b"", media_type: str = ""
    ) -> tuple[int, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_TYPE": media_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        setup_testing_defaults(environ)
        told: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            told.append(status)

        answer = b"".join(app(environ, start))
        return int(told[0].split()[0]), json.loads(answer or b"null")

    return ask


def test_a_task_is_shown_and_cancelled_by_its_id(gateway: Gateway, ask: Ask) -> None:
    _, pushed = ask("POST", "/tasks/push", json.dumps({"url": URL}).encode())
    assert len(pushed["id"]) == 32
    status, shown = ask("GET", f"/task/{ID}")
    assert (status, shown["id"], shown["url"]) == (200, ID, URL)
    status, shown = ask("DELETE", f"/task/{ID}")
    assert (status, shown["state"]) == (200, "cancelled")
    assert gateway.asked == [("task", ID), ("cancel", ID)]


@pytest.mark.parametrize("verb", ["run", "retry"])
def test_a_task_is_run_and_retried(gateway: Gateway, ask: Ask, verb: str) -> None:
    ask("POST", "/", json.dumps({"url": URL}).encode())
    status, shown = ask("POST", f"/task/{ID}/{verb}")
    assert (status, shown["id"]) == (200, ID)
    assert gateway.asked == [(verb, ID)]
    gateway.error = Unavailable("No worker has a free slot.")
    status, told = ask("POST", f"/task/{ID}/{verb}")
    assert (status, told["error"]["code"]) == (503, "unavailable")
    assert ask("GET", f"/task/{ID}/{verb}")[0] == 405


def test_a_task_is_edited_field_by_field(gateway: Gateway, ask: Ask) -> None:
    ask("POST", "/", json.dumps({"url": URL, "payload": "bG9s"}).encode())
    body = json.dumps({"queue": "mail", "countdown": 0}).encode()
    status, shown = ask("PUT", f"/task/{ID}", body)
    assert (status, shown["id"], shown["queue"]) == (200, ID, "mail")
    (edit,) = gateway.edits
    assert edit.is_timed
    assert edit.request.id == ID
    assert edit.request.spec == gateway.pushed[0].spec
    assert gateway.asked == [("editable", ID), ("edit", ID)]


def test_why_a_task_is_not_running_is_said(gateway: Gateway, ask: Ask) -> None:
    ask("POST", "/", json.dumps({"url": URL}).encode())
    assert ask("GET", f"/task/{ID}/why") == (
        200,
        {
            "id": ID,
            "state": "waiting",
            "queue": "mail",
            "origin": None,
            "sentence": "All slots are taken.",
            "reasons": [
                {
                    "code": "busy",
                    "sentence": "All slots are taken.",
                    "slots": 4,
                    "until": None,
                },
                {
                    "code": "behind",
                    "sentence": "2 tasks are before it.",
                    "before": 2,
                    "until": 9.5,
                },
            ],
            "expected_start": 12.5,
            "expected_in": 2.5,
        },
    )


@pytest.mark.parametrize("path", ["/tasks/push", "/tasks/push/"])
@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"url": "/x", "queue": "mail", "countdown": 5}', "application/json"),
        (b"url=%2Fx&queue=mail&countdown=5", FORM),
        (b"url=%2Fx&queue=mail&countdown=5", FORM + "; charset=utf-8"),
    ],
)
def test_the_third_ancestor_takes_json_and_forms(
    gateway: Gateway, ask: Ask, path: str, body: bytes, media_type: str
) -> None:
    status, told = ask("POST", path, body, media_type)
    (asked,) = gateway.pushed
    assert (status, told) == (201, {"id": asked.id})
    assert asked.spec.url == "http://mail.example/x"
    assert (asked.terms.queue, asked.delay) == ("mail", 5.0)


def test_the_third_ancestor_looks_replaces_and_cancels(
    gateway: Gateway, ask: Ask
) -> None:
    body = json.dumps({"url": URL, "payload": "{}"}).encode()
    assert ask("PUT", f"/tasks/push/{ID}", body)[1]["id"] == ID
    assert ask("GET", f"/tasks/push/{ID}")[1]["format"] == "raw"
    assert ask("DELETE", f"/tasks/push/{ID}")[0] == 200
    assert gateway.asked == [("replace", ID), ("task", ID), ("cancel", ID)]


@pytest.mark.parametrize("path", [f"/task/{ID}", f"/tasks/push/{ID}"])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("There is no such task."), 404, "not_found"),
        (Conflict("It has ended."), 409, "conflict"),
    ],
)
def test_what_cannot_be_says_why(
    gateway: Gateway,
    ask: Ask,
    path: str,
    error: PousseTachesError,
    status: int,
    code: str,
) -> None:
    gateway.error = error
    for method in ("GET", "DELETE"):
        answered, told = ask(method, path)
        assert (answered, told["error"]["code"]) == (status, code)
        assert told["error"]["message"] == error.message


@pytest.mark.parametrize(
    ("method", "body", "field"),
    [
        ("POST", b'{"payload": "x"}', "url"),
        ("PUT", b'{"url": "/x"}', "url"),
        ("PUT", b"[]", None),
        ("POST", b"\xff", None),
    ],
)
def test_bad_messages_are_refused(
    gateway: Gateway, ask: Ask, method: str, body: bytes, field: str | None
) -> None:
    path = "/tasks/push/" + (ID if method == "PUT" else "")
    status, told = ask(method, path, body)
    assert (status, told["error"]["field"]) == (400, field)
    assert not gateway.pushed


def test_a_push_may_be_relative_to_what_its_queue_says(
    gateway: Gateway, ask: Ask
) -> None:
    body = b'{"url": "/x", "queue": "mail"}'
    batch = ask("POST", "/batch", b"[%b, %b]" % (body, body))
    assert batch[0] == 201
    assert {one.spec.url for one in gateway.pushed} == {"http://mail.example/x"}


@pytest.mark.parametrize(
    "value",
    [b"NaN", b"1e999", b"1e308", b'"\\ud800"', b'"\xff"', b"[" * 100_000, b'"\\r\\n"'],
)
@pytest.mark.parametrize("field", sorted(PushBody.__struct_fields__))
def test_no_value_of_a_field_is_more_than_refused(
    gateway: Gateway, ask: Ask, field: str, value: bytes
) -> None:
    """Whatever it is, and on whichever way in."""
    body = b'{"url": "/x", "queue": "mail", "%b": %b}' % (field.encode(), value)
    for path in ("/", "/batch", "/tasks/push/"):
        status, told = ask("POST", path, b"[%b]" % body if path == "/batch" else body)
        assert status in (200, 201) or (status == 400 and told["error"]["message"])
    ask("POST", "/", json.dumps({"url": URL}).encode())
    status, told = ask("PUT", f"/task/{ID}", b'{"%b": %b}' % (field.encode(), value))
    assert status == 200 or (status == 400 and told["error"]["message"])
