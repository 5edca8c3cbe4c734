"""Targets that are away, and come back: with the real program and real receivers."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from poussetaches.cli.main import cli
from tests.support.application import Application
from tests.support.receiver import Arrival, Receiver
from tests.support.service import Service, free_port, wait_until
from tests.support.target import Peer, ScriptedTarget

pytestmark = pytest.mark.process

TASKS = 100
WORKERS, CONCURRENCY = 2, 8
SETTINGS = {"workers": WORKERS, "concurrency": CONCURRENCY}
#: What one target gets at once, and so what may be under way when it goes away; and the
#: probes of the few seconds that an outage here takes.
ROUND = WORKERS * CONCURRENCY
COST = ROUND + 5
#: A status is believed after another round of the same.
STATUS_COST = ROUND + COST


class Proxy:
    """Answers for an application that is there or not."""

    def __init__(self, *absent: int) -> None:
        #: The statuses of its answers while it is not, in turn; none: it is there.
        self._absent = absent
        self.is_there = not absent
        self._answered = 0

    def __call__(self, peer: Peer) -> None:
        while peer.read_request() is not None:
            self._answered += 1
            absent = 0 if self.is_there else self._answered % len(self._absent)
            peer.answer(200 if self.is_there else self._absent[absent])


def push(service: Service, url: str, count: int = TASKS, **given: object) -> list[str]:
    """The ids of so many tasks."""
    answer = service.post("/batch", [{"url": url} | given] * count)
    assert answer.status_code == 201, answer.text
    ids: list[str] = answer.json()["ids"]
    return ids


def origin(service: Service) -> dict[str, Any]:
    """The first that is told of: nothing if there is none."""
    told: list[dict[str, Any]] = service.get("/origins").json()["origins"]
    return told[0] if told else {}


def is_held(service: Service) -> bool:
    return origin(service).get("state") == "held"


def rests(service: Service, seconds: float) -> bool:
    """Whether the only target is held, and not tried for so long."""
    told = origin(service)
    next_probe = told.get("next_probe") or 0.0
    return told.get("state") == "held" and next_probe > time.time() + seconds


def is_idle(service: Service) -> bool:
    told = service.get("/").json()
    return not told["waiting"] and not told["in_flight"]


def has_done(service: Service, count: int) -> bool:
    return is_idle(service) and service.get("/").json()["succeeded"] == count


def not_counted(service: Service) -> int:
    return service.log.count("attempt does not count")


def run(service: Service, *arguments: str) -> str:
    """What a command that must succeed says."""
    environment = {"POUSSETACHES_URL": service.url}
    result = CliRunner().invoke(
        cli, arguments, env=environment, catch_exceptions=False, standalone_mode=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_for_an_application_that_is_stopped_waits_and_costs_nothing(
    tmp_path: Path,
) -> None:
    application = Application(tmp_path / "app", "--threads", "4")
    with application, Service(tmp_path, settings=SETTINGS) as service:
        application.stop()
        ids = push(service, application.url("/task"))
        wait_until(lambda: is_held(service))
        told = origin(service)
        assert told["origin"] == application.url("")
        assert time.time() - 10 < told["since"] < time.time()
        assert told["waiting"] == TASKS
        assert service.get("/").json()["held_origins"] == 1
        assert service.get("/stats").json()["held_origins"] == 1
        # That they wait is no fault of the service.
        health = service.get("/health")
        assert (health.status_code, health.json()["complaints"]) == (200, [])
        wait_until(lambda: rests(service, 1))
        application.start()
        wait_until(lambda: has_done(service, TASKS), 15)
        done = [deed for deed in application.deeds() if deed.what == "done"]
        assert sorted(deed.task for deed in done) == sorted(ids)
        assert {deed.tries for deed in done} == {1}
        assert not_counted(service) <= COST
        assert service.get("/").json()["held_origins"] == 0


def test_so_does_what_is_for_one_behind_a_proxy(tmp_path: Path) -> None:
    proxy = Proxy(502, 503, 504)
    with ScriptedTarget(proxy) as target, Service(tmp_path, settings=SETTINGS) as s:
        ids = push(s, target.url("/task"))
        wait_until(lambda: rests(s, 1))
        asked = len(target.requests)
        assert asked <= STATUS_COST
        proxy.is_there = True
        wait_until(lambda: has_done(s, TASKS), 15)
        assert len(target.requests) <= TASKS + STATUS_COST
        done = target.requests[-TASKS:]
        assert {one.headers["poussetaches-attempt"] for one in done} == {"1"}
        assert {one.headers["poussetaches-task-id"] for one in done} == {*ids}


def test_a_target_that_asks_for_less_gets_less(tmp_path: Path) -> None:
    """429: nobody bothers it before the time that it named, and then only a few."""
    pause = 2.0

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            if len(target.requests) == 1:
                peer.answer(429, headers=[("Retry-After", f"{pause:.0f}")])
            else:
                peer.answer()

    with ScriptedTarget(script) as target, Service(tmp_path, settings=SETTINGS) as s:
        [first] = push(s, target.url("/task"), 1)
        wait_until(lambda: origin(s).get("state") == "slowed")
        told = origin(s)
        assert (told["limit"], told["since"]) == (1, None)
        assert 0 < told["next_probe"] - time.time() <= pause
        push(s, target.url("/task"), 20)
        wait_until(lambda: has_done(s, 21), 15)
        asked, *others = target.requests
        assert len(others) == 21
        assert min(one.at for one in others) - asked.at >= pause
        # It had enough of one attempt, which counts; the others are at their first.
        attempts = {
            one.headers["poussetaches-task-id"]: one.headers["poussetaches-attempt"]
            for one in others
        }
        assert attempts.pop(first) == "2"
        assert {*attempts.values()} == {"1"}


def test_a_hold_is_lifted_by_hand(tmp_path: Path) -> None:
    proxy = Proxy(503)
    with ScriptedTarget(proxy) as target, Service(tmp_path, settings=SETTINGS) as s:
        push(s, target.url("/task"), 10)
        wait_until(lambda: rests(s, 1.5))
        said = run(s, "origin", "ls").splitlines()[1]
        assert said.startswith(target.url("").rstrip("/")) and "held" in said
        proxy.is_there = True
        next_probe = origin(s)["next_probe"]
        assert run(s, "origin", "lift", target.url("/any")) == "1 let go on\n"
        wait_until(lambda: has_done(s, 10), 5)
        assert time.time() < next_probe
        assert json.loads(run(s, "status", "--json"))["held_origins"] == 0
        refused = s.post("/origins/lift", {"origin": target.url()})
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            404,
            "not_found",
        )
        assert run(s, "origin", "lift") == "0 let go on\n"


def most_at_once(arrivals: Sequence[Arrival]) -> int:
    starts = [(one.at, 1) for one in arrivals]
    ends = [(one.answered_at, -1) for one in arrivals if one.answered_at is not None]
    assert len(starts) == len(ends)
    at_once = most = 0
    for _, step in sorted([*starts, *ends]):
        at_once += step
        most = max(most, at_once)
    return most


def test_a_fixed_concurrency_of_a_target_holds_over_all_workers(
    tmp_path: Path,
) -> None:
    with Receiver() as small, Receiver() as other:
        caps = f"5, {small.url('')}=3"
        settings = SETTINGS | {"origin_concurrency": caps}
        with Service(tmp_path, settings=settings) as service:
            wait_until(lambda: " INFO ready " in service.log)
            push(service, small.url("/task?delay=0.05"), 60)
            push(service, other.url("/task?delay=0.05"), 60)
            told = service.get("/origins").json()["origins"]
            assert [one["cap"] for one in told] == [3, 5]
            wait_until(lambda: has_done(service, 120), 15)
            assert most_at_once(small.arrivals()) == 3
            assert most_at_once(other.arrivals()) == 5


@pytest.mark.parametrize("hold_limit", [0.0, 1.5])
def test_what_is_not_waited_for_any_longer_fails_as_ever(
    tmp_path: Path, hold_limit: float
) -> None:
    url = f"http://127.0.0.1:{free_port()}/task"
    settings = SETTINGS | {"hold_limit": f"{hold_limit}s"}
    with Service(tmp_path, settings=settings) as service:
        began = time.monotonic()
        push(service, url, 1, max_retries=0)
        wait_until(lambda: service.get("/").json()["dead"] == 1)
        assert time.monotonic() - began > hold_limit
        [dead] = service.get("/dead").json()["tasks"]
        assert dead["tries"] == 1
        assert not_counted(service) == (0 if hold_limit == 0 else 2)


def test_a_crash_of_the_service_during_a_hold_costs_nothing_either(
    tmp_path: Path,
) -> None:
    """It forgets the hold, and finds out anew, by attempts that do not count."""
    application = Application(tmp_path / "app", "--threads", "4")
    with application, Service(tmp_path, settings=SETTINGS) as service:
        application.stop()
        ids = push(service, application.url("/task"))
        for _ in range(2):
            wait_until(lambda: rests(service, 0.4))
            service.kill(signal.SIGKILL)
            service.wait()
            service.start()
        wait_until(lambda: is_held(service))
        application.start()
        wait_until(lambda: is_idle(service), 15)
        done = [deed for deed in application.deeds() if deed.what == "done"]
        assert sorted(deed.task for deed in done) == sorted(ids)
        assert {deed.tries for deed in done} == {1}
        assert service.get("/stats").json()["accounting_difference"] == 0
