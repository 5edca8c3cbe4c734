"""The surface of the first ancestor, field by field, as its users saw it."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha1
from typing import Any

import pytest

from tests.support.connection import Answer, Connection, ask
from tests.support.receiver import Arrival, Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

KEYS = [
    "id",
    "url",
    "payload",
    "expected",
    "schedule",
    "next_scheduled_run",
    "next_run",
    "tries",
    "last_run",
    "last_error_body",
    "last_error_status_code",
    # Beyond the ancestor's.
    "queue",
    "state",
]
NS = 10**9


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = {"POUSSETACHES_AUTH_KEY": "1234-the-key"}
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, settings={"workers": 1}, environment=environment) as service:
        yield service


@pytest.fixture(autouse=True)
def clean(service: Service) -> Iterator[None]:
    yield
    assert ask(service.port, "POST", "/resume").status == 200
    assert ask(service.port, "DELETE", "/cron").status == 200


def push(service: Service, **fields: object) -> str:
    """The id that the answer to ``POST /`` names."""
    return ask(service.port, "POST", "/", json.dumps(fields).encode()).task


def listed(service: Service, which: str) -> list[dict[str, Any]]:
    answer = ask(service.port, "GET", f"/{which}")
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    tasks: list[dict[str, Any]] = answer.json["tasks"]
    return tasks


def listed_as(service: Service, which: str, id: str) -> dict[str, Any]:
    """The task, as soon as it is in that list."""

    def find() -> dict[str, Any] | None:
        return next((one for one in listed(service, which) if one["id"] == id), None)

    return wait_until(find)


def now_ns() -> int:
    return time.time_ns()


# --- the short answers ----------------------------------------------------------------


def test_the_status(service: Service) -> None:
    answer = ask(service.port, "GET", "/")
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    assert answer.body.endswith(b"\n")
    status = answer.json
    assert list(status)[:2] == ["in_flight", "paused"]
    assert (status["in_flight"], status["paused"]) == (0, False)
    assert type(status["in_flight"]) is int


def test_a_push_is_answered_with_an_id_and_no_body(
    service: Service, receiver: Receiver
) -> None:
    body = json.dumps({"url": receiver.url()}).encode()
    answer = ask(service.port, "POST", "/", body)
    assert (answer.status, answer.body) == (201, b"")
    # Spelled as Go does.
    assert [name for name, _ in answer.headers if "task" in name.lower()] == [
        "Poussetaches-Task-Id"
    ]
    assert re.fullmatch("[0-9a-f]{32}", answer.task)
    assert push(service, url=receiver.url()) != answer.task


@pytest.mark.parametrize("which", ["waiting", "success", "dead", "cron"])
def test_a_list_is_never_null(service: Service, which: str) -> None:
    assert isinstance(listed(service, which), list)


@pytest.mark.parametrize(
    "credentials", ["", "Authorization: Basic Og==", "Authorization: Bearer x"]
)
def test_pause_and_resume_take_any_credentials(
    service: Service, credentials: str
) -> None:
    for path, paused in (("/pause", True), ("/pause", True), ("/resume", False)):
        with Connection(service.port) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n"
            lines = f"{credentials}\r\n" if credentials else ""
            connection.send(f"{head}{lines}\r\n".encode())
            answer = connection.answer()
        assert (answer.status, answer.body) == (200, b"")
        assert ask(service.port, "GET", "/").json["paused"] is paused


def test_nothing_is_delivered_between_pause_and_resume(
    service: Service, receiver: Receiver
) -> None:
    ask(service.port, "POST", "/pause")
    id = push(service, url=receiver.url())
    # A call that the supervisor answers after it might have leased the task.
    assert ask(service.port, "GET", "/").json["in_flight"] == 0
    assert listed_as(service, "waiting", id)["tries"] == 0
    assert receiver.arrivals() == []
    ask(service.port, "POST", "/resume")
    (arrival,) = receiver.wait_for(1)
    assert arrival.task == id


# --- the delivery ---------------------------------------------------------------------


def test_a_delivery_byte_for_byte(service: Service, receiver: Receiver) -> None:
    payload = b64encode(b"\x00\xff binary").decode()
    id = push(service, url=receiver.url("/task/a?b=c%20d"), payload=payload)
    (arrival,) = receiver.wait_for(1)
    first_line, *_ = arrival.head.split("\r\n")
    assert first_line == "POST /task/a?b=c%20d HTTP/1.1"
    request_id = arrival.envelope["req_id"]
    assert re.fullmatch("[0-9a-f]{12}", request_id)
    assert arrival.body == (
        f'{{"payload":"{payload}","tries":1,"req_id":"{request_id}"}}'
    )
    headers = arrival.headers
    assert re.fullmatch(r"poussetaches/\d+\.\d+.*", headers.pop("User-Agent"))
    assert headers == {
        "Host": f"127.0.0.1:{receiver.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(arrival.body)),
        "Poussetaches-Auth-Key": "1234-the-key",
        "Poussetaches-Task-Id": id,
        "Poussetaches-Attempt": "1",
        "Poussetaches-Queue": "default",
    }


def test_a_task_without_payload_is_delivered_with_null(
    service: Service, receiver: Receiver
) -> None:
    id = push(service, url=receiver.url())
    (arrival,) = receiver.wait_for(1)
    assert arrival.body.startswith('{"payload":null,"tries":1,"req_id":"')
    assert listed_as(service, "success", id)["payload"] is None


def test_an_empty_key_is_sent_too(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    folder = tmp_path_factory.mktemp("keyless")
    with Service(folder, settings={"workers": 1}) as keyless:
        push(keyless, url=receiver.url())
        (arrival,) = receiver.wait_for(1)
    assert "\r\nPoussetaches-Auth-Key: \r\n" in arrival.head + "\r\n"


def test_a_failed_attempt_is_followed_after_one_second_and_after_four(
    service: Service, receiver: Receiver
) -> None:
    url = receiver.url("/?status=500,501,200&body=what%20went%20wrong")
    id = push(service, url=url, payload="YQ==")
    first, second = receiver.wait_for(2)
    waiting = listed_as(service, "waiting", id)
    third = receiver.wait_for(3)[2]
    assert [one.envelope["tries"] for one in (first, second, third)] == [1, 2, 3]
    assert len({one.envelope["req_id"] for one in (first, second, third)}) == 3
    # Give or take 30 %, and what a busy machine takes.
    assert 0.7 <= waited(first, second) < 1.3 + 3
    assert 2.8 <= waited(second, third) < 5.2 + 3
    # While it waits, the state is the one stored last.
    assert waiting["tries"] in (1, 2)
    done = listed_as(service, "success", id)
    assert done["tries"] == 3
    # What went wrong before stays to be seen.
    assert done["last_error_status_code"] == 501
    assert done["last_error_body"] == b64encode(b"what went wrong").decode()


def waited(one: Arrival, following: Arrival) -> float:
    assert one.answered_at is not None
    return following.at - one.answered_at


@pytest.mark.parametrize(
    ("expected", "status"), [(200, 201), (200, 204), (201, 200), (None, 202)]
)
def test_only_exactly_the_expected_status_is_success(
    service: Service, receiver: Receiver, expected: int | None, status: int
) -> None:
    fields = {} if expected is None else {"expected": expected}
    id = push(service, url=receiver.url(f"/?status={status}"), **fields)
    failed = failed_once(service, id)
    assert failed["last_error_status_code"] == status


@pytest.mark.parametrize("expected", [201, 204, 302, 404, 500])
def test_any_status_can_be_the_expected_one(
    service: Service, receiver: Receiver, expected: int
) -> None:
    id = push(service, url=receiver.url(f"/?status={expected}"), expected=expected)
    done = listed_as(service, "success", id)
    assert (done["expected"], done["tries"]) == (expected, 1)
    assert (done["last_error_status_code"], done["last_error_body"]) == (0, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(
    service: Service, receiver: Receiver, status: int
) -> None:
    elsewhere = receiver.url("/elsewhere")
    id = push(service, url=receiver.url(f"/?status={status}&location={elsewhere}"))
    failed = failed_once(service, id)
    assert failed["last_error_status_code"] == status
    assert not [one for one in receiver.arrivals() if one.path == "/elsewhere"]


def failed_once(service: Service, id: str) -> dict[str, Any]:
    """The task, as soon as its first attempt has failed."""

    def find() -> dict[str, Any] | None:
        task = listed_as(service, "waiting", id)
        return task if task["last_error_status_code"] else None

    return wait_until(find)


# --- the lists ------------------------------------------------------------------------


def test_a_task_that_waits_field_by_field(service: Service, receiver: Receiver) -> None:
    before = now_ns()
    id = push(
        service, url=receiver.url(), payload="eyJhIjoxfQ==", expected=204, delay=5
    )
    after = now_ns()
    task = listed_as(service, "waiting", id)
    assert list(task) == KEYS
    next_run = task.pop("next_run")
    assert type(next_run) is int
    # A delay is in minutes.
    assert before <= next_run - 5 * 60 * NS <= after
    assert task == {
        "id": id,
        "url": receiver.url(),
        "payload": "eyJhIjoxfQ==",
        "expected": 204,
        "schedule": "",
        "next_scheduled_run": 0,
        "tries": 0,
        "last_run": 0,
        "last_error_body": None,
        "last_error_status_code": 0,
        "queue": "default",
        "state": "waiting",
    }


def test_a_task_that_succeeded_field_by_field(
    service: Service, receiver: Receiver
) -> None:
    before = now_ns()
    id = push(service, url=receiver.url(), payload="")
    task = listed_as(service, "success", id)
    after = now_ns()
    assert list(task) == KEYS
    assert before <= task["next_run"] <= task["last_run"] <= after
    assert task["payload"] == ""
    assert task["tries"] == 1
    assert id not in [one["id"] for one in listed(service, "waiting")]


def test_an_error_without_a_body_is_an_empty_text_and_not_null(
    service: Service, receiver: Receiver
) -> None:
    id = push(service, url=receiver.url("/?status=500"))
    task = failed_once(service, id)
    assert (task["last_error_status_code"], task["last_error_body"]) == (500, "")
    assert task["tries"] == 1
    assert 0 < task["last_run"] <= now_ns()
    assert 0.6 * NS < task["next_run"] - task["last_run"] < 1.4 * NS


def test_no_answer_has_the_status_minus_one_and_says_why(service: Service) -> None:
    id = push(service, url="http://127.0.0.1:9/")
    task = failed_once(service, id)
    assert task["last_error_status_code"] == -1
    assert task["last_error_body"]


def test_a_task_in_flight_waits_for_the_public_and_counts(
    service: Service, receiver: Receiver
) -> None:
    id = push(service, url=receiver.url("/?delay=60"))
    receiver.wait_for(1)
    assert listed_as(service, "waiting", id)["last_run"] == 0
    assert ask(service.port, "GET", "/").json["in_flight"] == 1
    receiver.release()
    listed_as(service, "success", id)
    assert ask(service.port, "GET", "/").json["in_flight"] == 0


def test_lists_are_sorted_by_the_next_run(service: Service, receiver: Receiver) -> None:
    delays = [7, 3, 9, 1, 5]
    ids = {delay: push(service, url=receiver.url(), delay=delay) for delay in delays}
    found = [one["id"] for one in listed(service, "waiting")]
    assert [id for id in found if id in ids.values()] == [ids[d] for d in sorted(ids)]
    for which in ("waiting", "success"):
        times = [one["next_run"] for one in listed(service, which)]
        assert times == sorted(times)


def test_a_negative_delay_is_ahead_of_the_queue(
    service: Service, receiver: Receiver
) -> None:
    ask(service.port, "POST", "/pause")
    delays = [0, -1, -60]
    ids = {delay: push(service, url=receiver.url(), delay=delay) for delay in delays}
    found = [one["id"] for one in listed(service, "waiting")]
    assert [id for id in found if id in ids.values()] == [ids[-60], ids[-1], ids[0]]
    ask(service.port, "POST", "/resume")
    receiver.wait_for(3)


# --- schedules ------------------------------------------------------------------------


def test_a_schedule_field_by_field(service: Service, receiver: Receiver) -> None:
    url, payload, schedule = receiver.url("/cron"), b'"tick"', "@every 12h"
    fields = {"url": url, "payload": b64encode(payload).decode(), "schedule": schedule}
    id = push(service, **fields)
    assert id == sha1(url.encode() + payload + schedule.encode()).hexdigest()
    task = listed_as(service, "cron", id)
    assert list(task) == KEYS
    assert task["schedule"] == schedule
    assert task["next_scheduled_run"] == task["next_run"]
    assert abs(task["next_run"] - now_ns() - 12 * 3600 * NS) < 5 * NS
    assert listed_as(service, "waiting", id) == task
    # Neither the expected status nor the delay makes another of it.
    assert push(service, **fields, expected=201, delay=3) == id
    assert listed(service, "cron") == [task]
    assert push(service, **fields | {"payload": ""}) != id


def test_a_schedule_runs_again_and_again_and_has_one_success(
    service: Service, receiver: Receiver
) -> None:
    id = push(service, url=receiver.url(), schedule="@every 1s")
    receiver.wait_for(1)
    one = listed_as(service, "success", id)
    arrivals = receiver.wait_for(3)
    assert [one.envelope["tries"] for one in arrivals] == [1, 1, 1]
    assert len({one.envelope["req_id"] for one in arrivals}) == 3
    wait_until(lambda: listed_as(service, "success", id)["last_run"] > one["last_run"])
    assert [one["id"] for one in listed(service, "success")].count(id) == 1
    (waiting,) = listed(service, "cron")
    assert waiting["tries"] == 0
    assert waiting["next_run"] > one["next_run"]


def test_delete_cron_drops_every_schedule(service: Service, receiver: Receiver) -> None:
    ids = [
        push(service, url=receiver.url(), schedule=schedule)
        for schedule in ("@every 1h", "@daily", "0 */2 * * *")
    ]
    assert {one["id"] for one in listed(service, "cron")} == set(ids)
    other = push(service, url=receiver.url(), delay=60)
    answer = ask(service.port, "DELETE", "/cron")
    assert (answer.status, answer.body) == (200, b"")
    assert listed(service, "cron") == []
    waiting = [one["id"] for one in listed(service, "waiting")]
    assert other in waiting
    assert not set(ids) & set(waiting)
    # Pushed again, it is there again.
    assert push(service, url=receiver.url(), schedule="@daily") == ids[1]
    assert [one["id"] for one in listed(service, "cron")] == [ids[1]]


@pytest.mark.parametrize("status", [200, 500])
def test_a_run_in_flight_does_not_bring_a_dropped_schedule_back(
    service: Service, receiver: Receiver, status: int
) -> None:
    """It ends as it ends; it is not delivered a second time, and not followed."""
    path = f"/?delay=60&status={status}"
    id = push(service, url=receiver.url(path), schedule="@every 1s")
    receiver.wait_for(1)
    before = ask(service.port, "GET", "/").json
    assert ask(service.port, "DELETE", "/cron").status == 200
    assert listed(service, "cron") == []
    assert ask(service.port, "GET", "/").json["in_flight"] == 1
    receiver.release()
    wait_until(lambda: not ask(service.port, "GET", "/").json["in_flight"])
    after = ask(service.port, "GET", "/").json
    assert after["accepted"] == before["accepted"]
    assert id not in [one["id"] for one in listed(service, "waiting")]
    # Longer than the next run, or the next attempt, would have needed.
    over = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > over)
    assert len(receiver.arrivals()) == 1


def test_a_schedule_pushed_again_while_its_last_run_is_in_flight_runs_once_at_a_time(
    service: Service, receiver: Receiver
) -> None:
    fields = {"url": receiver.url("/?delay=1.5,0"), "schedule": "@every 1s"}
    id = push(service, **fields)
    receiver.wait_for(1)
    ask(service.port, "DELETE", "/cron")
    assert push(service, **fields) == id
    first, second = receiver.wait_for(2)[:2]
    assert first.answered_at is not None
    assert second.at >= first.answered_at


def test_an_answer_is_the_same_for_head_as_for_get_without_the_body(
    service: Service,
) -> None:
    with Connection(service.port) as connection:
        connection.send(b"HEAD / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        head, _, body = connection.sock.makefile("rb").read().partition(b"\r\n\r\n")
    assert (Answer.of(head, b"").status, body) == (200, b"")
