"""Many pushes in one request: all or none of them, on disk before the answer."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process


def test_a_batch_survives_a_kill_right_after_its_answer(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings={"start_paused": True}) as service:
        pushes: list[dict[str, Any]] = [{"url": receiver.url()} for _ in range(500)]
        pushes[3]["key"] = pushes[400]["key"] = "order 7"
        pushes[4] |= {"schedule": "@every 1h"}
        pushes[5] |= {"schedule": "@every 1h"}
        answer = service.post("/batch", pushes)
        service.kill(signal.SIGKILL)
        assert answer.status_code == 201
        ids = answer.json()["ids"]
        assert len(ids) == 500
        # The same key, and the same schedule, are the same thing.
        assert ids[3] == ids[400]
        assert ids[4] == ids[5]
        assert len(set(ids)) == 498
        service.wait()
        service.start()
        assert service.get("/").json()["waiting"] == 498
        service.post("/resume")
        arrivals = receiver.wait_for(497)
        # What is left is the next run of the schedule.
        wait_until(lambda: service.get("/").json()["succeeded"] == 497)
        assert service.get("/stats").json()["accounting_difference"] == 0
    assert {one.task for one in arrivals} == set(ids) - {ids[4]}


def test_a_batch_with_a_bad_element_or_without_room_changes_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"start_paused": True, "max_tasks": 10}
    with Service(tmp_path, settings=settings) as service:
        good = {"url": receiver.url()}
        refused = service.post("/batch", [good, good, {"url": "nowhere"}])
        assert refused.status_code == 400
        assert refused.json()["error"]["field"] == "[2].url"
        # There never will be room for so many, so trying again is of no use.
        never = service.post("/batch", [good] * 11)
        assert (never.status_code, never.json()["error"]["code"]) == (413, "too_large")
        assert service.get("/").json()["accepted"] == 0
        lines = "\n".join([json.dumps(good)] * 10)
        taken = service.post(
            "/batch", data=lines, headers={"Content-Type": "application/x-ndjson"}
        )
        assert taken.status_code == 201
        full = service.post("/batch", [good] * 2)
        assert (full.status_code, full.json()["error"]["code"]) == (503, "queue_full")
        assert service.get("/").json()["accepted"] == 10
