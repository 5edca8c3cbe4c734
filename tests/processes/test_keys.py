"""A push that is made again: one task, however it is made again."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger import settled
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

ID = "Poussetaches-Task-Id"


def test_a_key_is_one_task(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path, settings={"key_ttl": "1h"}) as service:

        def push(key: str, **more: Any) -> tuple[int, str]:
            body = {"url": receiver.url(), "key": key, **more}
            answer = service.post("/", body)
            return answer.status_code, answer.headers[ID]

        # Fifty clients at once.
        with ThreadPoolExecutor(50) as clients:
            answers = list(clients.map(push, ["order 7"] * 50))
        assert sorted(status for status, _ in answers) == [200] * 49 + [201]
        (id,) = {id for _, id in answers}
        receiver.wait_for(1, task=id)
        assert settled(service)["succeeded"] == 1
        # After the end, whatever else the push says, and after a crash.
        assert push("order 7", delay=5) == (200, id)
        service.kill(signal.SIGKILL)
        service.wait()
        service.start()
        assert push("order 7") == (200, id)
        status, other = push("order 8")
        assert (status, other != id) == (201, True)
        # A retry of the task does not trip over its own key.
        status, retried = push("order 9", url=receiver.url("/?status=500,200"))
        receiver.wait_for(2, task=retried)
        stats = settled(service)
        assert (stats["accepted"], stats["succeeded"], stats["keys"]) == (3, 3, 3)
        refused = service.post(
            "/", {"url": receiver.url(), "key": "k", "schedule": "@daily"}
        )
        assert refused.status_code == 400
        assert refused.json()["error"]["field"] == "key"
    assert len([one for one in receiver.arrivals() if one.task == id]) == 1


def test_a_full_queue_says_so_until_there_is_room(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"max_tasks": 3, "start_paused": True, "retain_dead": 1}
    with Service(tmp_path, settings=settings) as service:
        for _ in range(3):
            body = {"url": receiver.url("/?status=500"), "max_retries": 0}
            assert service.post("/", body).status_code == 201
        refused = service.post("/", {"url": receiver.url()})
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["error"]["code"] == "queue_full"
        service.post("/resume")
        assert settled(service)["dead"] == 3
        wait_until(lambda: service.get("/stats").json()["kept"]["dead"] == 1)
        assert service.get("/stats").json()["accounting_difference"] == 0
        assert service.post("/", {"url": receiver.url()}).status_code == 201
