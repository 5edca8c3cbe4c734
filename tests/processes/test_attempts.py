"""What is remembered of the attempts of a task, of the real program."""

from __future__ import annotations

import os
import signal
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service, free_port, wait_until

pytestmark = pytest.mark.process


def push(service: Service, url: str, **fields: Any) -> str:
    answer = service.post("/", {"url": url, "backoff": [0.05], **fields})
    assert answer.status_code == 201, answer.text
    return answer.headers["Poussetaches-Task-Id"]


def ended(service: Service, id: str) -> dict[str, Any]:
    def task() -> dict[str, Any] | None:
        shown: dict[str, Any] = service.get(f"/task/{id}").json()
        return None if shown["state"] in ("waiting", "leased") else shown

    return wait_until(task)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_every_attempt_is_shown_and_survives(
    tmp_path: Path, receiver: Receiver, signum: int
) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        url = receiver.url("/?status=500,501,200&delay=0.1,0&body=busy")
        id = push(service, url, expected=204, max_retries=2, metadata=1)
        task = ended(service, id)
        assert (task["state"], task["attempts_dropped"]) == ("dead", 0)
        first, second, third = task["attempts"]
        assert [one["number"] for one in task["attempts"]] == [1, 2, 3]
        assert [one["status"] for one in task["attempts"]] == [500, 501, 200]
        assert 0.1 <= first["duration"] < 5.0
        assert task["pushed"] <= first["started"] < second["started"]
        assert second["due"] == pytest.approx(
            first["started"] + first["duration"] + 0.05, abs=0.03
        )
        told = (third["outcome"], third["error"], third["worker"], third["response"])
        assert told == ("failed", "status", "worker-1", "busy")
        # It is what the application has been given, and what the log says.
        given = [one.envelope["req_id"] for one in receiver.arrivals(id)]
        assert [one["request"] for one in task["attempts"]] == given
        assert all(request in service.log for request in given)
        service.kill(signum)
        service.wait()
        service.start()
        again = service.get(f"/task/{id}").json()
        assert again == task


def test_what_was_cut_off_says_so(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        url = receiver.url("/?delay=600,600,0")
        id = push(service, url)

        def under_way(number: int) -> dict[str, Any] | None:
            attempts = service.get(f"/task/{id}").json()["attempts"]
            one: dict[str, Any] = attempts[-1] if attempts else {}
            is_it = (one.get("outcome"), one.get("number")) == ("in flight", number)
            return one if is_it and len(receiver.arrivals(id)) == number else None

        one = wait_until(lambda: under_way(1))
        assert (one["worker"], one["duration"], one["error"]) == (
            "worker-1",
            None,
            None,
        )
        (worker,) = service.children("worker")
        # Only that one: what it held is lost, and tried again.
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: under_way(2))
        service.kill()
        service.wait()
        service.start()
        task = ended(service, id)
        told = [(one["outcome"], one["error"]) for one in task["attempts"]]
        assert told == [
            ("lost", "lost"),
            ("stopped", "stopped"),
            ("succeeded", None),
        ]
        assert task["attempts"][-1]["response"] is None


def test_a_result_is_kept_for_who_asks(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path) as service:
        url = receiver.url("/?body=forty-two")
        kept = push(service, url, keep_result=True)
        other = push(service, url)
        task = ended(service, kept)
        assert b64decode(task["result"]) == b"forty-two"
        assert task["keep_result"] is True
        assert ended(service, other)["result"] is None
        service.kill()
        service.wait()
        service.start()
        again = ended(service, kept)
        assert again["result"] == task["result"]
        # Lists stay as short as they were.
        (listed, *_) = service.get("/success").json()["tasks"]
        assert "attempts" not in listed
        assert "result" not in listed


def test_who_was_not_reached_is_named(tmp_path: Path) -> None:
    with Service(tmp_path, settings={"hold_limit": 0}) as service:
        id = push(service, f"http://127.0.0.1:{free_port()}/", max_retries=0)
        (attempt,) = ended(service, id)["attempts"]
        assert (attempt["error"], attempt["status"]) == ("connect", None)
        assert attempt["response"].startswith("connection refused")
        assert "kind=connect" in service.log
