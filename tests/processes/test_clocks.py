"""Clocks that are set, machines that sleep: nothing early, nothing lost, no bursts."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.ledger import History, Load, adds_up
from tests.support.receiver import Receiver
from tests.support.scale import times
from tests.support.service import Service, wait_until
from tests.support.sites import with_site

pytestmark = pytest.mark.process

HOUR = 3600.0
DAY = 24 * HOUR

#: The supervisor's wall clock, and the one that goes on while the machine sleeps, are
#: ahead by what the file says.
MOVED = """
import time
wall, gettime = time.time, time.clock_gettime
def ahead(which):
    with open({path!r}) as file:
        return float(file.read().split()[which])
time.time = lambda: wall() + ahead(0)
time.clock_gettime = lambda clock: gettime(clock) + ahead(1)
"""


class Clocks:
    """Those of the supervisor. They begin with the wall clock at half past an hour, so
    that no hour of its own ends during a test."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "clocks"
        self._wall = HOUR / 2 - time.time() % HOUR
        self._boot = 0.0
        self._write()

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._wall += seconds
        self._write()

    def sleep(self, seconds: float) -> None:
        """The machine is suspended for so long, and goes on."""
        self._wall += seconds
        self._boot += seconds
        self._write()

    def _write(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(f"{self._wall} {self._boot}")
        new.rename(self.path)


class Pushed:
    """A service with three schedules, and what has come of them."""

    def __init__(self, service: Service, receiver: Receiver) -> None:
        self._service = service
        self._receiver = receiver
        for path, schedule in (
            ("/interval", "@every 1s"),
            ("/secondly", "* * * * * *"),
            ("/hourly", "@hourly"),
        ):
            push = {"url": receiver.url(path), "schedule": schedule}
            assert service.post("/", push).status_code == 201
        self._began = time.monotonic()

    def runs(self) -> Counter[str]:
        """So far, by the path."""
        return Counter(one.path for one in self._receiver.arrivals())

    def delayed(self, seconds: float, path: str) -> str:
        """Push a task; its id."""
        push = {"url": self._receiver.url(path), "countdown": seconds}
        pushed = self._service.post("/", push)
        assert pushed.status_code == 201
        return pushed.headers["Poussetaches-Task-Id"]

    def seconds(self) -> float:
        """Since the schedules were pushed."""
        return time.monotonic() - self._began


def test_no_clock_that_moves_makes_a_task_early_or_late_or_run_twice(
    tmp_path: Path, receiver: Receiver
) -> None:
    clocks = Clocks(tmp_path)
    site = with_site(tmp_path, "supervisor", MOVED.format(path=str(clocks.path)))
    settings = {"workers": 1, "heartbeat_timeout": "2s"}
    with Service(tmp_path, settings=settings, environment=site) as service:
        wait_until(lambda: " INFO ready " in service.log)
        pushed = Pushed(service, receiver)
        with Load(service, receiver.url(), connections=2, rate=50) as load:
            # The machine sleeps for an hour.
            for _ in range(3):
                pushed.delayed(HOUR - 60, "/due")
            not_due = pushed.delayed(HOUR + 60, "/not-due")
            wait_until(lambda: pushed.runs()["/secondly"] >= 1)
            clocks.sleep(HOUR)
            wait_until(lambda: pushed.runs()["/due"] == 3)
            wait_until(lambda: pushed.runs()["/hourly"] == 1)
            # Somebody sets the wall clock, by an hour and by a day, forth and back. It
            # ends ahead of all slots: one that has been run does not come again.
            forward = 0
            pushed.delayed(HOUR / 2, "/not-due")
            for step in (HOUR, -HOUR, DAY, -DAY, 2 * DAY)[: times(2, 5)]:
                before = service.log.count("the wall clock was set")
                delayed = pushed.delayed(1.0, "/delayed")
                sent = time.monotonic()
                retried = pushed.delayed(0.0, "/retried?status=500,200")
                first = receiver.wait_for(1, task=retried)[0]
                clocks.set_wall(step)
                [arrival] = receiver.wait_for(1, task=delayed)
                # A moment more for a busy machine.
                assert 0.95 < arrival.at - sent < 4
                second = receiver.wait_for(2, task=retried)[1]
                assert 0.65 < second.at - first.at < 4
                assert service.log.count("the wall clock was set") == before + 1
                # What the clock has passed over is run once.
                forward += step > 0
                wait_until(lambda: pushed.runs()["/hourly"] == 1 + forward)  # noqa: B023
        runs, seconds = pushed.runs(), pushed.seconds()
        assert runs["/not-due"] == 0
        assert (runs["/due"], runs["/hourly"]) == (3, 1 + forward)
        # One each second, and one for each time that was slept or skipped.
        assert seconds / 2 < runs["/interval"] <= seconds + 2
        assert 0 < runs["/secondly"] <= seconds + 2 + forward
        # The schedules wait, and two tasks: of the load nothing is left.
        wait_until(lambda: service.get("/").json()["waiting"] <= 5)
        # The service is down for three periods of a schedule.
        service.kill(signal.SIGKILL)
        service.wait()
        clocks.sleep(3 * HOUR)
        service.start()
        receiver.wait_for(1, task=not_due)
        wait_until(lambda: pushed.runs()["/hourly"] == 2 + forward)
        wait_until(lambda: pushed.runs()["/interval"] >= runs["/interval"] + 3)
        runs = pushed.runs()
        assert (runs["/not-due"], runs["/hourly"]) == (2, 2 + forward)
        assert runs["/interval"] <= pushed.seconds() + 3
        wait_until(lambda: service.get("/").json()["in_flight"] == 0)
        assert service.get("/stats").json()["accounting_difference"] == 0
        assert adds_up(service.get("/").json())
    history = History(load, [one for one in receiver.arrivals() if one.path == "/"])
    assert (history.lost(), history.repeats()) == ([], 0)
