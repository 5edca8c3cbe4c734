"""A service on what the ``store`` commands have made."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from poussetaches.store import format
from tests.support.ancestor_directory import AncestorDirectory
from tests.support.receiver import Receiver
from tests.support.service import CHECKOUT, Service, wait_until

pytestmark = pytest.mark.process

SETTINGS = {"workers": 1, "drain_timeout": "0.1s"}
DAY = 24 * 60


def store(*arguments: object, stdin: bytes = b"", status: int = 0) -> bytes:
    """Run a command to its end; returns what it wrote to standard output."""
    command = [sys.executable, "-m", "poussetaches", "store", *map(str, arguments)]
    done = subprocess.run(
        command, input=stdin, cwd=CHECKOUT, capture_output=True, timeout=30
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr == b""
    return done.stdout


def folder(parent: Path, name: str) -> Path:
    """A new one, for a service."""
    (parent / name).mkdir()
    return parent / name


def lists(service: Service) -> dict[str, Any]:
    return {
        which: service.get(f"/{which}").json()
        for which in ("waiting", "success", "dead", "cron")
    }


def pushed(service: Service, **push: object) -> str:
    answer = service.post("/", push)
    assert answer.status_code == 201, answer.text
    return answer.headers["Poussetaches-Task-Id"]


def fill(service: Service, receiver: Receiver) -> dict[str, str]:
    """Tasks of all kinds, by what becomes of them; then the service is paused."""
    failing = receiver.url("/?status=500&body=no")
    ids = {
        "delayed": pushed(service, url=receiver.url(), payload="AP8=", delay=DAY),
        "done": pushed(service, url=receiver.url("/done"), payload="AAEC"),
        "dead": pushed(service, url=failing, max_retries=0),
        "retried": pushed(service, url=failing, max_retries=-1),
        "cut off": pushed(service, url=receiver.url("/slow?delay=60")),
        "every": pushed(service, url=receiver.url(), schedule="@every 1h"),
        "yearly": pushed(service, url=receiver.url(), schedule="0 0 1 1 *"),
    }
    receiver.wait_for(4)
    wait_until(lambda: service.get("/").json()["succeeded"] == 1)
    wait_until(lambda: service.get("/").json()["dead"] == 1)
    service.post("/pause")
    return ids


def test_a_service_goes_on_in_another_directory_by_export_and_import(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(folder(tmp_path, "one"), settings=SETTINGS) as service:
        ids = fill(service, receiver)
        service.restart()
        before = lists(service)
        assert {task["id"] for task in before["waiting"]["tasks"]} == {
            ids[name] for name in ("delayed", "retried", "cut off", "every", "yearly")
        }
        service.stop()
        exported = store("export", "--data-dir", service.data_dir)
    two = Service(folder(tmp_path, "two"), settings=SETTINGS)
    store("import", "-", "--data-dir", two.data_dir, stdin=exported)
    assert b"whole" in store("check", "--data-dir", two.data_dir)
    with two as service:
        assert lists(service) == before
        stats = service.get("/stats").json()
        assert (stats["accounting_difference"], stats["accepted"]) == (0, 7)
        assert stats["paused"] is True
        service.post("/resume")
        # Its first attempt was under way when the service stopped.
        *_, again = receiver.wait_for(2, task=ids["cut off"])
        assert again.attempt == 2
        receiver.release()
        in_use = f"by a service (process {service.pid})".encode()
        assert in_use in store("check", "--data-dir", service.data_dir)


def test_a_damaged_service_is_repaired_and_goes_on(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(folder(tmp_path, "one"), settings=SETTINGS) as service:
        ids = fill(service, receiver)
        service.restart()
        before = lists(service)
        service.stop()
        (journal,) = service.data_dir.glob("journal-*")
        begin = block_of(journal, ids["delayed"])
        data = bytearray(journal.read_bytes())
        data[begin + format.BLOCK.size] ^= 1
        journal.write_bytes(data)
        service.launch()
        assert service.wait() == 1
        refusal = service.log.splitlines()[-1]
        for part in (str(journal), f"byte {begin}:", "`poussetaches store repair`"):
            assert part in refusal
        assert b"DAMAGED" in store("check", "--data-dir", service.data_dir, status=1)
        new = tmp_path / "new"
        told = store("repair", new, "--data-dir", service.data_dir)
        assert f"byte {begin} to ".encode() in told
        # As it advises.
        service.data_dir.rename(f"{service.data_dir}.damaged")
        new.rename(service.data_dir)
        service.start()
        after = lists(service)
        assert service.get("/stats").json()["accounting_difference"] == 0
        for which in ("success", "dead", "cron"):
            assert after[which] == before[which]
        assert after["waiting"]["tasks"] == [
            task for task in before["waiting"]["tasks"] if task["id"] != ids["delayed"]
        ]
        receiver.release()


def test_a_service_goes_on_where_its_ancestor_stopped(
    tmp_path: Path, receiver: Receiver
) -> None:
    old = AncestorDirectory(tmp_path / "poussetaches_data")
    now = time.time()
    old.put("waiting", "a" * 32, url=receiver.url("/a"), next_run=now - 60, tries=3)
    old.put("waiting", "b" * 32, url=receiver.url("/b"), next_run=now + 3600)
    old.put("success", "c" * 32, last_run=now - 60)
    url = receiver.url("/cleanup")
    hourly = old.schedule("@every 1h", slot=now + 1800, url=url)
    seconds = old.schedule("*/1 * * * *", slot=now - 60, url=url)
    service = Service(folder(tmp_path, "one"), settings=SETTINGS)
    told = store("adopt", old.path, "--data-dir", service.data_dir)
    assert b"adopted      4 waiting" in told
    with service:
        (arrival,) = receiver.wait_for(1, task="a" * 32)
        assert (arrival.attempt, arrival.envelope["payload"]) == (4, "Ingi")
        # Five fields go on as they ran: every second.
        receiver.wait_for(2, task=seconds)
        # And so they do after a start of the application.
        again = {"url": url, "payload": "Ingi", "schedule": "*/1 * * * *"}
        assert pushed(service, **again) == seconds
        cron = {task["id"]: task for task in service.get("/cron").json()["tasks"]}
        assert set(cron) == {hourly, seconds}
        assert cron[seconds]["schedule"] == "*/1 * * * * *"
        assert service.get("/stats").json()["accounting_difference"] == 0


def block_of(journal: Path, id: str) -> int:
    """Where the block begins in which ``id`` is heard of first."""
    data = journal.read_bytes()
    marks = [mark.start() for mark in re.finditer(re.escape(format.MARK), data)]
    at = data.index(id.encode())
    return max(mark for mark in marks if mark < at)
