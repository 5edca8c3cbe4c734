"""Two applications under load; one is redeployed, three times, and nobody notices."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.application import Application, Deed
from tests.support.connection import Connection
from tests.support.service import Service, wait_until

pytestmark = [pytest.mark.process, pytest.mark.alone]

#: Pushes a second, to each application.
RATE = 150.0
REDEPLOYS = 3
#: Seconds: before the first one and after the last one, between a stop and the start
#: after it, and between two of them.
QUIET, GONE, BETWEEN = 1.5, 0.3, 1.2
#: Who is not redeployed may be this much slower meanwhile: a hold would show as half a
#: second, the processor time of the starts as some milliseconds.
SLOWER, LATER = 5.0, 0.25


class Pusher:
    """Pushes tasks for one URL, at an even rate, until it is stopped."""

    def __init__(self, service: Service, url: str) -> None:
        self._port = service.port
        self._push = json.dumps({"url": url, "payload": "e30="}).encode()
        #: When each task was pushed, by its id; monotonic seconds.
        self.pushed: dict[str, float] = {}
        self._faults: list[BaseException] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Pusher:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping.set()
        self._thread.join()
        assert not self._faults, self._faults

    def _run(self) -> None:
        try:
            with Connection(self._port) as connection:
                began, count = time.monotonic(), 0
                while not self._stopping.wait(
                    max(0.0, began + count / RATE - time.monotonic())
                ):
                    count += 1
                    at = time.monotonic()
                    self.pushed[connection.ask("POST", "/", self._push).task] = at
        except BaseException as fault:
            self._faults.append(fault)


def let_pass(seconds: float) -> None:
    """Have the load go on for so long."""
    ends = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= ends, seconds + 10)


def p99(values: Sequence[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


def done(deeds: Sequence[Deed]) -> Counter[str]:
    """How often each task was done."""
    return Counter(deed.task for deed in deeds if deed.what == "done")


def settled(service: Service) -> dict[str, int]:
    """The statistics, once nothing waits and nothing is in flight."""

    def idle() -> dict[str, int] | None:
        told: dict[str, int] = service.get("/stats").json()
        return None if told["waiting"] or told["in_flight"] else told

    return wait_until(idle, 20, lambda: service.log[-500:])


@pytest.mark.parametrize(
    "workers",
    [
        # What is in the listener's line when it closes is reset.
        ("--workers", "2"),
        # Connections are kept.
        ("--worker-class", "gthread", "--threads", "8", "--workers", "2"),
    ],
    ids=["sync", "gthread"],
)
def test_a_deploy_spends_no_attempt_loses_nothing_and_disturbs_nobody(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    deployed = Application(tmp_path / "deployed", *workers)
    other = Application(tmp_path / "other", "--threads", "8")
    with deployed, other, Service(tmp_path, settings={"workers": 2}) as service:
        wait_until(lambda: " INFO ready " in service.log)
        with (
            Pusher(service, deployed.url("/task")) as for_deployed,
            Pusher(service, other.url("/task")) as for_other,
        ):
            let_pass(QUIET)
            began = time.monotonic()
            for _ in range(REDEPLOYS):
                deployed.stop()
                let_pass(GONE)
                deployed.start()
                let_pass(BETWEEN)
            ended = time.monotonic()
            let_pass(QUIET)
        told = settled(service)
        for application, pusher in ((deployed, for_deployed), (other, for_other)):
            deeds = application.deeds()
            assert done(deeds) == Counter([*pusher.pushed])
            assert {deed.tries for deed in deeds} == {1}
        assert told["succeeded"] == len(for_deployed.pushed) + len(for_other.pushed)
        assert (told["dead"], told["accounting_difference"]) == (0, 0)
        assert service.log.count("target is away") >= REDEPLOYS

        before: list[float] = []
        during: list[float] = []
        for deed in other.deeds():
            pushed = for_other.pushed[deed.task]
            if deed.what == "began" and pushed < ended:
                (before if pushed < began else during).append(deed.at - pushed)
        sys.stdout.write(
            f"{len(for_deployed.pushed)} tasks for who was redeployed,"
            f" {service.log.count('attempt does not count')} attempts did not count;"
            f" p99 of the other one: {p99(before) * 1e3:.1f} ms before,"
            f" {p99(during) * 1e3:.1f} ms meanwhile\n"
        )
        assert p99(during) < SLOWER * p99(before) + LATER


def test_an_application_that_is_killed_is_given_again_only_what_it_was_at(
    tmp_path: Path,
) -> None:
    """Its processes are gone in the middle of tasks. Those may have been done, so they
    come again; only for them an attempt may be spent."""
    workers = ("--worker-class", "gthread", "--threads", "8", "--workers", "2")
    application = Application(tmp_path / "app", *workers)
    with application, Service(tmp_path, settings={"workers": 2}) as service:
        with Pusher(service, application.url("/task")) as pusher:
            for _ in range(REDEPLOYS):
                let_pass(BETWEEN)
                application.kill()
                let_pass(GONE)
                application.start()
        settled(service)
        deeds = application.deeds()
        begun = Counter(deed.task for deed in deeds if deed.what == "began")
        assert {*done(deeds)} == {*pusher.pushed}
        tries = {deed.task: deed.tries for deed in deeds if deed.what == "began"}
        # What the server had read, and not handed to the application yet, counts, too.
        ahead = sum(tries[task] > begun[task] for task in begun)
        assert ahead <= REDEPLOYS * 4
        assert sum(begun.values()) - len(begun) <= REDEPLOYS * 16
