"""What was, is still so after a restart; and the dumps that make a restart quick."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from poussetaches.store.format import HEADER_SIZE
from tests.support.connection import Connection
from tests.support.ledger import History, Load, adds_up, settled
from tests.support.receiver import Receiver
from tests.support.scale import times
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

FEW = {"workers": 1}


def test_what_waits_and_a_pause_survive_a_restart_as_they_are(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings=FEW) as service:
        service.post("/pause")
        for push in (
            {"url": receiver.url("/now")},
            {"url": receiver.url("/tomorrow"), "payload": "AAEC", "delay": 24 * 60},
            {
                "url": receiver.url("/next-month"),
                "expected": 204,
                "delay": 30 * 24 * 60,
            },
            {"url": receiver.url("/hourly"), "schedule": "@every 1h"},
            {"url": receiver.url("/newyear"), "schedule": "0 0 1 1 *"},
        ):
            assert service.post("/", push).status_code == 201
        waiting = service.get("/waiting").json()
        cron = service.get("/cron").json()
        assert (len(waiting["tasks"]), len(cron["tasks"])) == (5, 2)
        for signum in (signal.SIGTERM, signal.SIGKILL):
            service.kill(signum)
            service.wait()
            service.start()
            wait_until(lambda: service.log.endswith("paused=True\n"))
            assert service.get("/").json()["paused"] is True
            assert service.get("/waiting").json() == waiting
            assert service.get("/cron").json() == cron
        assert receiver.arrivals() == []
        service.post("/resume")
        wait_until(lambda: service.get("/").json()["succeeded"] == 1)
        service.kill(signal.SIGKILL)
        service.wait()
        service.start()
        assert service.get("/").json()["paused"] is False
        assert len(receiver.arrivals()) == 1


def test_a_pause_and_its_end_are_safe_once_they_are_answered(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings=FEW) as service:
        assert service.post("/pause").status_code == 200
        service.post("/", {"url": receiver.url()})
        paused = True
        for _ in range(times(3, 20)):
            service.kill(signal.SIGKILL)
            service.wait()
            service.start()
            assert service.get("/").json()["paused"] is paused
            paused = not paused
            answer = service.post("/pause" if paused else "/resume")
            assert answer.status_code == 200
        service.post("/resume")
        # A kill may have cut an attempt off, which is then made again.
        assert settled(service)["succeeded"] == 1


def test_a_service_can_start_paused(tmp_path: Path, receiver: Receiver) -> None:
    settings = FEW | {"start_paused": True}
    with Service(tmp_path, settings=settings) as service:
        service.post("/", {"url": receiver.url()})
        wait_until(lambda: service.log.endswith("paused=True\n"))
        assert service.get("/").json()["paused"] is True
        assert receiver.arrivals() == []
        service.post("/resume")
        receiver.wait_for(1)


def test_a_task_that_waits_for_its_next_attempt_is_not_early_after_a_restart(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings=FEW) as service:
        pushed = service.post("/", {"url": receiver.url("/?status=500,500,200")})
        id = pushed.headers["Poussetaches-Task-Id"]
        receiver.wait_for(2)
        wait_until(lambda: service.log.count("attempt failed") == 2)
        (task,) = service.get("/waiting").json()["tasks"]
        assert (task["id"], task["tries"]) == (id, 2)
        due = task["next_run"] / 1e9 - time.time() + time.monotonic()
        service.kill(signal.SIGKILL)
        service.wait()
        service.start()
        _, second, third = receiver.wait_for(3)
        assert third.attempt == 3
        assert third.at >= due - 0.001
        # Four seconds, give or take 30 %; and what a restart takes, if that is more.
        assert 2.8 <= third.at - second.at < 8


def test_dumps_let_old_files_go_while_work_goes_on(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"dump_interval": "0.2s"}
    with Service(tmp_path, settings=settings) as service:
        with Load(service, receiver.url(), rate=500) as load:
            generation = 0
            while generation < 6:
                assert not load.finished_within(0.05)
                found = service.get("/stats").json()["store"]["generation"]
                assert found >= generation
                generation = found
        stats = settled(service)
        assert stats["store"]["last_dump_seconds"] is not None
        # Whoever keeps up has one dump, and the journal since; here a dump may be
        # under way at this moment.
        wait_until(lambda: len(_store_files(service)) <= 4)
        service.restart()
        again = service.get("/stats").json()
        for name in ("accepted", "succeeded", "waiting", "kept"):
            assert again[name] == stats[name]
        wait_until(lambda: len(_store_files(service)) == 2)
        assert again["accounting_difference"] == 0
    history = History(load, receiver.arrivals())
    assert (history.lost(), history.strangers()) == ([], [])
    assert history.repeats() == 0


def test_a_service_that_has_nothing_new_writes_no_dump(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = FEW | {"dump_interval": "0.1s"}
    with Service(tmp_path, settings=settings) as service:
        service.post("/", {"url": receiver.url()})
        settled(service)
        wait_until(lambda: _journal_size(service) == HEADER_SIZE)
        wait_until(lambda: _is_dumped(service))
        files = _store_files(service)
        later = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > later)
        assert _store_files(service) == files


def test_a_kill_in_the_middle_of_a_dump_loses_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"dump_interval": "0.1s", "start_paused": True}
    total = 4000
    with Service(tmp_path, settings=settings) as service:
        with Load(service, receiver.url("/"), total=total) as load:
            assert load.finished_within(60)
        for _ in range(2):
            with Connection(service.port) as connection:
                # Each push is news, and so the reason for another dump.
                while not list(service.data_dir.glob("dump-*.tmp")):
                    push = b'{"url":"http://localhost/","delay":60}'
                    assert connection.ask("POST", "/", push).status == 201
                    total += 1
                service.kill(signal.SIGKILL)
                service.wait()
            service.start()
            status = service.get("/").json()
            assert status["waiting"] == total
            assert adds_up(status)
        assert not list(service.data_dir.glob("*.tmp"))
        service.post("/resume")
        history = History(load, receiver.wait_for(4000, deadline=30))
    assert (history.lost(), history.strangers()) == ([], [])
    assert re.findall("Traceback|damaged", service.log) == []


def _journal_size(service: Service) -> int:
    """Bytes since the last dump was begun."""
    size: int = service.get("/stats").json()["store"]["journal_bytes"]
    return size


def _is_dumped(service: Service) -> bool:
    """Whether a dump has taken the place of all there was, and not just begun."""
    kinds = [name.partition("-")[0] for name in _store_files(service)]
    return kinds == ["dump", "journal"]


def _store_files(service: Service) -> list[str]:
    return sorted(one.name for one in service.data_dir.iterdir() if one.suffix)
