"""A stop: what is in flight is finished or handed back, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.support.connection import Connection
from tests.support.ledger import adds_up, settled
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until

pytestmark = pytest.mark.process

#: A start costs processor time for each process.
FEW = {"workers": 1, "concurrency": 20}


def in_flight(service: Service, count: int) -> None:
    """Returns once so many attempts are under way."""
    wait_until(lambda: service.get("/").json()["in_flight"] == count)


def stop_after(service: Service, *signals: int) -> float:
    """Send the signals; how long the service took to leave, and well, in seconds."""
    began = time.monotonic()
    for signum in signals:
        before = service.log.count(" stopping")
        service.kill(signum)
        wait_until(lambda: service.log.count(" stopping") > before)  # noqa: B023
    assert service.wait() == 0
    assert service.log.rstrip().splitlines()[-1].count(" INFO stopped ") == 1
    return time.monotonic() - began


def test_a_stop_waits_for_what_is_in_flight(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path, settings=FEW) as service:
        for turn, signum in enumerate((signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)):
            done = 20 * turn
            service.post("/pause")
            for _ in range(20):
                service.post("/", {"url": receiver.url("/?delay=0.8")})
            service.post("/resume")
            in_flight(service, 20)
            stop_after(service, signum)
            arrivals = receiver.arrivals()
            assert len(arrivals) == done + 20
            assert all(one.answered_at is not None for one in arrivals)
            service.start()
            status = service.get("/").json()
            assert (status["waiting"], status["in_flight"]) == (0, 0)
            assert status["succeeded"] == status["accepted"] == done + 20
    assert len(receiver.arrivals()) == done + 20


def test_a_push_during_a_stop_is_kept_for_the_next_start(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings=FEW) as service:
        service.post("/", {"url": receiver.url("/slow?delay=60")})
        in_flight(service, 1)
        service.kill(signal.SIGTERM)
        wait_until(lambda: " stopping " in service.log)
        answer = service.post("/", {"url": receiver.url("/late")})
        assert answer.status_code == 201
        status = service.get("/").json()
        assert (status["waiting"], status["in_flight"]) == (1, 1)
        receiver.release()
        assert service.wait() == 0
        assert [one.path for one in receiver.arrivals()] == ["/slow?delay=60"]
        service.start()
        (late,) = receiver.wait_for(1, task=answer.headers["Poussetaches-Task-Id"])
        assert late.attempt == 1
        assert settled(service)["succeeded"] == 2


def test_what_does_not_end_in_time_is_handed_back(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = {"workers": 2, "concurrency": 25, "drain_timeout": "1.5s"}
    with Service(tmp_path, settings=settings) as service:
        service.post("/pause")
        for path in ("/?delay=1", "/?delay=60,0"):
            for _ in range(25):
                service.post("/", {"url": receiver.url(path)})
        service.post("/resume")
        in_flight(service, 50)
        assert 1.5 <= stop_after(service, signal.SIGTERM) < 4
        assert "handing back what is unfinished attempts=25" in service.log
        service.start()
        arrivals = receiver.wait_for(75)
        again = [one.task for one in arrivals[50:]]
        cut_off = [one for one in arrivals if one.answered_at is None]
        assert sorted(again) == sorted(one.task for one in cut_off)
        assert {one.attempt for one in arrivals[50:]} == {2}
        stats = settled(service)
        assert (stats["succeeded"], stats["accounting_difference"]) == (50, 0)
        tasks = service.get("/success").json()["tasks"]
        # What became of the first attempt is told, too.
        told = [(task["tries"], task["last_error_status_code"]) for task in tasks]
        assert sorted(told) == [(1, 0)] * 25 + [(2, -1)] * 25


def test_a_second_signal_stops_now(tmp_path: Path, receiver: Receiver) -> None:
    with Service(tmp_path, settings=FEW) as service:
        service.post("/", {"url": receiver.url("/?delay=60,0")})
        in_flight(service, 1)
        assert stop_after(service, signal.SIGTERM, signal.SIGINT) < 3
        service.start()
        assert [one.attempt for one in receiver.wait_for(2)] == [1, 2]
        assert settled(service)["succeeded"] == 1


def test_an_idle_service_stops_at_once(tmp_path: Path) -> None:
    with Service(tmp_path, settings=FEW) as service:
        wait_until(lambda: " INFO ready " in service.log)
        assert stop_after(service, signal.SIGTERM) < 1


def test_clients_that_say_nothing_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    with Service(tmp_path, settings=FEW) as service:
        wait_until(lambda: " INFO ready " in service.log)
        with Connection(service.port) as kept, Connection(service.port):
            assert kept.ask("GET", "/").status == 200
            assert stop_after(service, signal.SIGTERM) < 1


def test_a_request_that_never_ends_does_not_hold_up_a_stop_for_long(
    tmp_path: Path,
) -> None:
    with Service(tmp_path, settings=FEW) as service:
        wait_until(lambda: " INFO ready " in service.log)
        with Connection(service.port) as half:
            half.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{")
            assert service.get("/").status_code == 200
            assert stop_after(service, signal.SIGTERM) < 5


def test_ctrl_c_on_a_terminal_reaches_nobody_but_the_supervisor(
    tmp_path: Path, receiver: Receiver
) -> None:
    """It goes to the whole process group; the attempt under way ends as it should."""
    with Service(tmp_path, settings=FEW | {"dump_interval": "0.1s"}) as service:
        service.post("/", {"url": receiver.url("/?delay=0.8")})
        in_flight(service, 1)
        os.killpg(service.pid, signal.SIGINT)
        assert service.wait() == 0
        assert "child ended" not in service.log
        (arrival,) = receiver.arrivals()
        assert arrival.answered_at is not None


def test_a_stop_in_the_middle_of_a_start_is_clean(tmp_path: Path) -> None:
    dice = random.Random(3)
    service = Service(tmp_path, settings=FEW)
    for _ in range(5):
        with service.launched():
            with pytest.raises(AssertionError, match="did not leave"):
                service.wait(dice.uniform(0.1, 1.0))
            signum = dice.choice([signal.SIGTERM, signal.SIGKILL])
            service.kill(signum)
            # Before it listens to signals it just ends.
            assert service.wait(5) in (0, -signum)
    assert "Traceback" not in service.log
    with service:
        assert adds_up(service.get("/").json())
