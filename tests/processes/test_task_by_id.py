"""Tasks by their ids, of the real program."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process


def test_a_task_is_looked_at_replaced_and_cancelled(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path) as service:
        later = {"url": receiver.url(), "countdown": 3600}
        answer = service.post("/tasks/push/", later)
        assert answer.status_code == 201
        path = f"/task/{answer.json()['id']}"
        shown = service.get(path).json()
        assert (shown["url"], shown["max_retries"], shown["state"]) == (
            receiver.url(),
            -1,
            "waiting",
        )
        sooner = {"url": receiver.url(), "payload": '{"a":1}', "countdown": 0.1}
        replaced = service.request("PUT", f"/tasks/push{path[5:]}", json=sooner)
        assert replaced.status_code == 200, replaced.text
        wait_until(lambda: service.get(path).json()["state"] == "succeeded")
        assert [one.body for one in receiver.arrivals()] == ['{"a":1}']
        for method in ("PUT", "DELETE"):
            late = service.request(method, f"/tasks/push{path[5:]}", json=sooner)
            assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
        other = service.post("/", later).headers["Poussetaches-Task-Id"]
        assert service.request("DELETE", f"/task/{other}").json()["state"] == (
            "cancelled"
        )
        assert service.get(f"/task/{other}").status_code == 404
        assert service.get("/").json()["cancelled"] == 1


def test_what_a_cancelled_attempt_brings_changes_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path) as service:
        body = {"url": receiver.url("/?delay=600")}
        id = service.post("/", body).headers["Poussetaches-Task-Id"]
        wait_until(lambda: service.get("/").json()["in_flight"] == 1)
        assert service.request("DELETE", f"/task/{id}").status_code == 200
        assert service.get(f"/task/{id}").status_code == 404
        receiver.release()
        after = service.post("/", body).headers["Poussetaches-Task-Id"]
        wait_until(lambda: service.get(f"/task/{after}").json()["state"] == "succeeded")
        told = service.get("/").json()
        assert (told["cancelled"], told["succeeded"], told["accepted"]) == (1, 1, 2)


def test_what_expired_is_listed(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path) as service:
        body = {"url": receiver.url(), "countdown": 3600, "expires": time.time() + 0.2}
        id = service.post("/", body).headers["Poussetaches-Task-Id"]
        page = wait_until(lambda: service.get("/expired").json()["tasks"])
        assert [(one["id"], one["state"]) for one in page] == [(id, "expired")]
        assert not receiver.arrivals()
