"""A full disk: pushes are refused, deliveries go on, and it heals by itself."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ledger import adds_up, settled
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.small_disk import SmallDisk, small_disk

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

#: Attempts at once. What they need to be handed back is more than the rest of a page.
SLOTS = 64
SETTINGS = {"workers": 1, "concurrency": SLOTS, "max_response": "1K"}
#: Seconds, from when there is room to when all is as it should be.
HEALED_WITHIN = 5.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "1m") as disk:
        yield disk


def on(disk: SmallDisk, folder: Path) -> Service:
    """A service that has its data on ``disk``, and its log elsewhere."""
    service = Service(folder, settings=SETTINGS)
    service.data_dir = disk.path / "data"
    return service


def pushed(service: Service, url: str, count: int) -> list[str]:
    """So many tasks, all accepted."""
    answers = [service.post("/", {"url": url}) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {201}
    return [answer.headers["Poussetaches-Task-Id"] for answer in answers]


def pushed_until_full(service: Service, url: str) -> list[str]:
    """As many tasks as are accepted; then one is refused as it should be."""
    accepted = []
    while True:
        answer = service.post("/", {"url": url})
        if answer.status_code != 201:
            break
        accepted.append(answer.headers["Poussetaches-Task-Id"])
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]["code"] == "store_full"
    return accepted


def in_flight(service: Service) -> int:
    found: int = service.get("/").json()["in_flight"]
    return found


def test_a_full_disk_refuses_pushes_and_nothing_else(
    tmp_path: Path, receiver: Receiver, disk: SmallDisk
) -> None:
    with on(disk, tmp_path) as service:
        accepted = pushed(service, receiver.url("/?delay=60"), SLOTS)
        receiver.wait_for(SLOTS)
        # These wait for the others.
        failing = receiver.url("/?status=500,200&body=no")
        accepted += pushed(service, failing, 5)
        disk.fill()
        accepted += pushed_until_full(service, receiver.url())
        assert in_flight(service) == SLOTS
        assert adds_up(service.get("/").json())
        assert service.get("/waiting").status_code == 200
        receiver.release()
        # Also second attempts, half a second or so later.
        receiver.wait_for(len(accepted) + 5, deadline=20)
        stats = settled(service)
        assert stats["succeeded"] == stats["accepted"] == len(accepted)
        assert stats["attempts"]["failed"] == 5
        disk.make_room()
        began = time.monotonic()
        accepted += wait_until(lambda: pushed(service, receiver.url(), 1), 5)
        receiver.wait_for(1, task=accepted[-1])
        healed_after = time.monotonic() - began
        assert healed_after < HEALED_WITHIN
        assert settled(service)["succeeded"] == len(accepted)
    assert {one.task for one in receiver.arrivals()} == set(accepted)
    assert "Traceback" not in service.log


@pytest.mark.parametrize("promised", ["kept", "lost"])
def test_a_start_on_a_full_disk_loses_nothing(
    tmp_path: Path, receiver: Receiver, disk: SmallDisk, promised: str
) -> None:
    """What was in flight at the kill has room to be handed back; or, as in a copy of
    the directory, it has none, and is handed back when there is."""
    with on(disk, tmp_path) as service:
        accepted = pushed(service, receiver.url("/?delay=60,0"), SLOTS)
        receiver.wait_for(SLOTS)
        accepted += pushed(service, receiver.url(), 5)
        disk.fill()
        accepted += pushed_until_full(service, receiver.url())
        service.kill(signal.SIGKILL)
        service.wait()
        if promised == "lost":
            (journal,) = service.data_dir.glob("journal-*")
            os.truncate(journal, len(journal.read_bytes().rstrip(b"\0")))
            disk.fill()
        service.start()
        wait_until(lambda: " INFO ready " in service.log.partition("recovered")[2])
        status = service.get("/").json()
        assert adds_up(status)
        assert status["accepted"] == len(accepted)
        began = time.monotonic()
        if promised == "lost":
            assert status["in_flight"] > 0
            assert pushed_until_full(service, receiver.url()) == []
            disk.make_room()
            began = time.monotonic()
        receiver.wait_for(SLOTS + len(accepted), deadline=HEALED_WITHIN)
        stats = settled(service)
        log.info("all delivered after %.2f s", time.monotonic() - began)
        assert time.monotonic() - began < HEALED_WITHIN
        assert stats["succeeded"] == stats["accepted"] == len(accepted)
        assert stats["accounting_difference"] == 0
        assert service.log.count("the disk is full: what was in flight") == (
            promised == "lost"
        )
        assert service.stop() == 0
        again = service.log.partition("recovered")[2]
        assert ("there was room to hand back" in again) == (promised == "lost")
    by_task: dict[str, list[int]] = {task: [] for task in accepted}
    for arrival in receiver.arrivals():
        by_task[arrival.task].append(arrival.attempt)
    assert [by_task[task] for task in accepted[:SLOTS]] == [[1, 2]] * SLOTS
    assert all(by_task[task] == [1] for task in accepted[SLOTS:])
    assert "Traceback" not in service.log
