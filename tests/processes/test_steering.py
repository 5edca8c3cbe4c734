"""The answer of an application decides what comes next, also when the service dies in
between."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.support.service import Service, wait_until
from tests.support.target import Peer, Request, ScriptedTarget, answering

pytestmark = pytest.mark.process

TASKS = [("Content-Type", "application/vnd.poussetaches.tasks+json")]
SECRETS = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "QUJD" * 12


def push(service: Service, url: str, **given: object) -> str:
    """The id of the task."""
    answer = service.post("/", {"url": url} | given)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Poussetaches-Task-Id"])


def dead_letters(service: Service, id: str) -> list[dict[str, Any]]:
    return [one for one in service.get("/dead").json()["tasks"] if one["id"] == id]


def numbered(request: Request) -> Any:
    return json.loads(base64.b64decode(json.loads(request.body)["payload"]))


def test_a_chain_is_neither_lost_nor_doubled_by_crashes(tmp_path: Path) -> None:
    """Each step has one task, however often that was delivered: its end and the next
    task are one record."""
    length, kills = 150, 3
    marks = [length * (n + 1) // (kills + 1) for n in range(kills)]
    events = {mark: threading.Event() for mark in marks}

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            step = numbered(request)
            if step in events:
                events[step].set()
            url = f"http://{request.headers['host']}/step"
            tasks = [{"url": url, "json": step + 1}] if step + 1 < length else []
            peer.answer(200, json.dumps(tasks).encode(), TASKS)

    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        push(service, target.url("/step"), json=0)
        for mark in marks:
            assert events[mark].wait(30)
            service.kill(signal.SIGKILL)
            service.restart()
        wait_until(lambda: numbered(target.requests[-1]) == length - 1, 30)
        wait_until(lambda: service.get("/").json()["waiting"] == 0)
        assert service.get("/dead").json()["total"] == 0
    ids = defaultdict(set)
    for request in target.requests:
        ids[numbered(request)].add(request.headers["poussetaches-task-id"])
    assert sorted(ids) == list(range(length))
    assert {step: len(found) for step, found in ids.items() if len(found) != 1} == {}


def test_tasks_that_cannot_be_accepted_end_in_a_dead_letter_that_says_why(
    tmp_path: Path,
) -> None:
    """The worker finds the one, the supervisor the other."""
    found = []

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            url = {"/relative": "/x", "/full": "http://a.example/"}[request.path]
            tasks = [{"url": url, "queue": "nowhere"}]
            peer.answer(200, json.dumps(tasks).encode(), TASKS)

    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        for path in ("/relative", "/full"):
            id = push(service, target.url(path), max_retries=0)
            [task] = wait_until(partial(dead_letters, service, id))
            assert task["last_error_status_code"] == 200
            found.append(base64.b64decode(task["last_error_body"]).decode())
    assert found == [
        "the answer's tasks: Element 0: url: is relative, and there is no queue"
        " 'nowhere'",
        "the answer's tasks cannot be accepted: queue: there is no queue 'nowhere'",
    ]


def test_dead_is_dead_at_once(tmp_path: Path) -> None:
    script = answering(200, b"no such account", [("Poussetaches-Outcome", "dead")])
    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        id = push(service, target.url(), max_retries=-1)
        [task] = wait_until(partial(dead_letters, service, id))
    assert (task["tries"], task["last_error_status_code"]) == (1, 200)
    assert base64.b64decode(task["last_error_body"]) == b"no such account"
    assert len(target.requests) == 1


def test_a_snooze_costs_no_attempt(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            snooze = [("Poussetaches-Outcome", "snooze; after=1")]
            peer.answer(500, b"", snooze if len(target.requests) < 3 else ())

    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        id = push(service, target.url(), max_retries=0)
        wait_until(partial(dead_letters, service, id))
        attempts = [one.headers["poussetaches-attempt"] for one in target.requests]
        assert attempts == ["1", "1", "1"]
        first, second, third = (one.at for one in target.requests)
        assert second - first >= 1.0
        assert third - second >= 1.0


def test_a_delivery_is_as_the_push_asked_and_signed(tmp_path: Path) -> None:
    settings = {"signing_secrets": ",".join(SECRETS), "auth_key": "k"}
    with (
        ScriptedTarget(answering(204)) as target,
        Service(tmp_path, settings=settings) as service,
    ):
        id = push(
            service,
            target.url("/users/7"),
            method="PATCH",
            format="raw",
            json={"name": "Zoë"},
            headers={"X-Trace": "af12", "User-Agent": "mine"},
            metadata=["a", "é"],
            expected=["2xx", 404],
        )
        wait_until(lambda: service.get("/success").json()["total"] == 1)
    [request] = target.requests
    assert (request.method, request.path) == ("PATCH", "/users/7")
    assert json.loads(request.body) == {"name": "Zoë"}
    headers = request.headers
    assert headers["content-type"] == "application/json"
    assert (headers["x-trace"], headers["user-agent"]) == ("af12", "mine")
    assert json.loads(headers["poussetaches-metadata"]) == ["a", "é"]
    assert headers["poussetaches-auth-key"] == "k"
    assert headers["webhook-id"] == headers["poussetaches-task-id"] == id
    for secret in SECRETS:
        Webhook(secret).verify(request.body, headers)
    assert not any(secret[6:] in service.log for secret in SECRETS)


def test_a_worker_knows_what_a_queue_says_as_soon_as_it_was_said(
    tmp_path: Path,
) -> None:
    """Its headers go along with its tasks, and its follow-ups may be relative to it."""
    tasks = [{"url": "second", "queue": "mail"}]

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            body = tasks if request.path == "/app/first" else []
            peer.answer(200, json.dumps(body).encode(), TASKS)

    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        settings = {"base_url": target.url("/app/"), "headers": {"X-From": "mail"}}
        assert service.request("PUT", "/queue/mail", json=settings).status_code == 201
        push(service, "first", queue="mail")
        wait_until(lambda: service.get("/success").json()["total"] == 2)
        service.request("PUT", "/queue/mail", json={"headers": {"X-From": "post"}})
        push(service, "third", queue="mail", headers={"x-more": "1"})
        wait_until(lambda: service.get("/success").json()["total"] == 3)
    assert [one.path for one in target.requests] == [
        "/app/first",
        "/app/second",
        "/app/third",
    ]
    headers = [one.headers for one in target.requests]
    assert [one["x-from"] for one in headers] == ["mail", "mail", "post"]
    assert {one["poussetaches-queue"] for one in headers} == {"mail"}
    assert headers[2]["x-more"] == "1"


def test_runs_of_a_schedule_say_for_when_they_were_meant(tmp_path: Path) -> None:
    """All have the id of the schedule: by that moment they are told apart."""
    with (
        ScriptedTarget(answering()) as target,
        Service(tmp_path, settings={"signing_secrets": SECRETS[0]}) as service,
    ):
        id = push(service, target.url(), schedule="@every 1s")
        wait_until(lambda: len(target.requests) >= 2)
        now = time.time()
    first, second = (one.headers for one in target.requests[:2])
    moments = [int(one["poussetaches-scheduled-for"]) for one in (first, second)]
    assert now - 15 < moments[0] < moments[1] <= now
    for headers, moment in zip((first, second), moments, strict=True):
        assert headers["poussetaches-task-id"] == id
        assert headers["webhook-id"] == f"{id}_{moment}"


def test_callbacks_tell_of_an_end(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            peer.answer(200 if request.path == "/told" else 500, b"no")

    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        told = target.url("/told")
        id = push(service, target.url("/bad"), max_retries=0, roll_back=told)
        wait_until(lambda: len(target.requests) == 2)
    document = numbered(target.requests[1])
    assert target.requests[1].path == "/told"
    assert document["event"] == "dead"
    assert (document["task"]["id"], document["task"]["attempts"]) == (id, 1)
    assert document["error"] == {"status": 500, "body": "no"}
