"""A target that hangs holds up nobody else."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = [pytest.mark.process, pytest.mark.alone]

#: Attempts at one target at once.
CONCURRENCY, WORKERS = 4, 2
MOST = CONCURRENCY * WORKERS
#: Tasks for each target.
TASKS = 100


def push(service: Service, receiver: Receiver, query: str = "") -> None:
    answer = service.post("/", {"url": receiver.url(f"/task{query}")})
    assert answer.status_code == 201, answer.text


def held(receiver: Receiver) -> int:
    return sum(one.answered_at is None for one in receiver.arrivals())


def test_the_others_go_on_while_a_target_hangs(tmp_path: Path) -> None:
    """With more tasks for it, and earlier ones, than for anybody else. It gets as many
    attempts at once as are promised to one target, and all of them in the end."""
    settings = {"workers": WORKERS, "concurrency": CONCURRENCY}
    with ExitStack() as stack:
        hanging, *others = [stack.enter_context(Receiver()) for _ in range(4)]
        service = stack.enter_context(Service(tmp_path, settings=settings))
        # Whether both workers are there decides how much one target gets.
        wait_until(lambda: " INFO ready " in service.log)
        for _ in range(TASKS):
            push(service, hanging, "?delay=60")
        hanging.wait_for(MOST)
        for _ in range(TASKS):
            for other in others:
                push(service, other)
        began = time.monotonic()
        for other in others:
            assert len(other.wait_for(TASKS)) == TASKS
        assert time.monotonic() - began < 5
        assert held(hanging) == len(hanging.arrivals()) == MOST
        status = service.get("/").json()
        assert (status["in_flight"], status["waiting"]) == (MOST, TASKS - MOST)
        # That those wait is no fault of ours, and no reason to be busy.
        health = service.get("/health")
        assert (health.status_code, health.json()["complaints"]) == (200, [])
        hanging.release()
        assert len(hanging.wait_for(TASKS)) == TASKS
        wait_until(lambda: service.get("/").json()["succeeded"] == 4 * TASKS)


def test_a_service_whose_targets_all_hang_does_not_spin(tmp_path: Path) -> None:
    """What is due and may not be begun wakes nobody up."""
    settings = {"workers": 1, "concurrency": 2}
    with Receiver() as hanging, Service(tmp_path, settings=settings) as service:
        for _ in range(20):
            push(service, hanging, "?delay=60")
        hanging.wait_for(2)

        def cpu() -> float:
            used: float = service.get("/stats").json()["supervisor"]["cpu"]
            return used

        # The first look is paid for, too, so it is left out.
        before, began = cpu(), time.monotonic()
        wait_until(lambda: time.monotonic() - began > 2)
        assert cpu() - before < 0.2
        assert len(hanging.arrivals()) == 2
        hanging.release()
        hanging.wait_for(20)
