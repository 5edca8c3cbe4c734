"""Is it well, may pushes come? Answered whatever the supervisor is busy with."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.connection import Connection, ask
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.sites import with_site
from tests.support.small_disk import small_disk

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

SLOW_DISK = """
import os, time
fdatasync = os.fdatasync
def slow_fdatasync(fd):
    time.sleep(0.5)
    fdatasync(fd)
os.fdatasync = slow_fdatasync
"""
PUSH = b'{"url":"http://127.0.0.1:9/"}'


def health(service: Service) -> tuple[int, dict[str, Any]]:
    answer = service.get("/health")
    found: dict[str, Any] = answer.json()
    return answer.status_code, found


def complaints(service: Service) -> list[str]:
    found: list[str] = health(service)[1]["complaints"]
    return found


def is_ready(service: Service) -> bool:
    answer = service.get("/ready")
    assert (answer.status_code == 200) is answer.json()["ready"]
    found: bool = answer.json()["ready"]
    return found


def test_health_is_answered_at_once_while_every_sync_takes_half_a_second(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Pushes are answered when they are on disk, as ever."""
    environment = with_site(tmp_path, "supervisor", SLOW_DISK)
    settings = {"workers": 1}
    with Service(tmp_path, settings=settings, environment=environment) as service:
        wait_until(lambda: is_ready(service))
        pushes: list[float] = []
        over = threading.Event()

        def push() -> None:
            body = b'{"url":"%b"}' % receiver.url().encode()
            with Connection(service.port) as connection:
                while not over.is_set():
                    began = time.monotonic()
                    assert connection.ask("POST", "/", body).status == 201
                    pushes.append(time.monotonic() - began)

        pushing = [threading.Thread(target=push) for _ in range(3)]
        for one in pushing:
            one.start()
        wait_until(lambda: len(pushes) >= 3)
        took = []
        with Connection(service.port) as connection:
            for _ in range(100):
                began = time.monotonic()
                answer = connection.ask("GET", "/health")
                took.append(time.monotonic() - began)
                assert answer.status == 200
                over.wait(0.01)
        over.set()
        for one in pushing:
            one.join()
        log.info(
            "health p99 %.1f ms; pushes %.0f to %.0f ms",
            sorted(took)[98] * 1000,
            min(pushes) * 1000,
            max(pushes) * 1000,
        )
        assert sorted(took)[98] < 0.1
        assert min(pushes) > 0.4


def test_a_life_from_start_to_stop(tmp_path: Path, receiver: Receiver) -> None:
    """A pause is no illness. A stop turns callers away, and yet takes what comes."""
    settings = {"workers": 1, "heartbeat_timeout": "1s"}
    with Service(tmp_path, settings=settings) as service:
        wait_until(lambda: is_ready(service))
        status, told = health(service)
        assert (status, told["healthy"], told["complaints"]) == (200, True, [])
        assert told["paused"] is False
        assert told["workers"] == 1
        assert 0 <= told["age"] < 1
        for path in ("/health", "/ready"):
            head = service.request("HEAD", path)
            assert (head.status_code, head.content) == (200, b"")

        service.post("/pause")
        service.post("/", {"url": receiver.url("/?delay=60"), "delay": -1})
        wait_until(lambda: health(service)[1]["paused"])
        assert health(service)[1]["oldest_due"]["seconds"] > 59
        assert health(service)[0] == 200
        assert is_ready(service)
        service.post("/resume")
        receiver.wait_for(1)

        shows_gauges(service)
        with Connection(service.port) as connection:
            assert connection.ask("GET", "/ready").status == 200
            service.kill(signal.SIGTERM)
            wait_until(lambda: connection.ask("GET", "/ready").status == 503)
            answer = connection.ask("GET", "/ready")
            assert answer.json["complaints"] == ["the service is stopping"]
            # What is ill is not ready either, but not the other way round.
            assert connection.ask("GET", "/health").status == 200
            assert connection.ask("POST", "/", PUSH).status == 201
            receiver.release()
        assert service.wait() == 0


def shows_gauges(service: Service) -> None:
    children = service.get("/stats").json()["children"]
    gauges = {child["name"]: child["gauges"] for child in children}
    assert set(gauges) == {"api-1", "worker-1"}
    assert sorted(gauges["api-1"]) == ["connections", "held", "refused"]


def test_what_ails_the_service_is_said(tmp_path: Path, receiver: Receiver) -> None:
    settings = {"workers": 1, "heartbeat_timeout": "1s"}
    with Service(tmp_path, settings=settings) as service:
        wait_until(lambda: is_ready(service))
        # The supervisor hangs, and the api must not wait for it.
        service.kill(signal.SIGSTOP)
        try:
            wait_until(lambda: health(service)[0] == 503)
            [sentence] = complaints(service)
            assert sentence.startswith("the supervisor has been silent for ")
            assert not is_ready(service)
        finally:
            service.kill(signal.SIGCONT)
        wait_until(lambda: health(service)[0] == 200)
        wait_until(lambda: is_ready(service))

        # Its only worker hangs, is killed and replaced.
        (worker,) = service.children("worker")
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: complaints(service) == ["no worker is ready"])
        wait_until(lambda: complaints(service) == [])
        assert service.children("worker") != [worker]


def test_a_full_disk_is_said_while_pushes_are_refused(tmp_path: Path) -> None:
    settings = {"workers": 1, "heartbeat_timeout": "1s", "start_paused": True}
    with small_disk(tmp_path / "disk", "1m") as disk:
        service = Service(tmp_path, settings=settings)
        service.data_dir = disk.path / "data"
        with service:
            wait_until(lambda: is_ready(service))
            disk.fill()
            wait_until(lambda: ask(service.port, "POST", "/", PUSH).status == 503)
            wait_until(lambda: health(service)[0] == 503)
            assert complaints(service) == [
                "pushes are refused, because the disk has no room for them"
            ]
            disk.make_room()
            assert ask(service.port, "POST", "/", PUSH).status == 201
            wait_until(lambda: health(service)[0] == 200)
