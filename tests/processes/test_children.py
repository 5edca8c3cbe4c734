"""Children that cannot start, that keep dying, that hang: one bad thing stays one."""

from __future__ import annotations

import logging
import os
import re
import signal
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.ledger import settled
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.sites import with_site

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

#: Seconds; a child beats four times in it.
HEARTBEAT_TIMEOUT = 1.0
SHORT = {"heartbeat_timeout": f"{HEARTBEAT_TIMEOUT}s"}

BROKEN_IMPORT = """
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "poussetaches.{role}.{module}":
            raise ImportError("this module is broken")
sys.meta_path.insert(0, Broken())
"""
#: Has lost the socket it is to serve.
DEAF = """
import os
os.close(int(sys.orig_argv[-1]))
"""
#: Dies at once while a file is there.
MORTAL = """
import os
if os.path.exists({path!r}):
    os._exit(7)
"""
#: Hangs for ever, as a bug in C code would make it, when it gets a signal.
HANGING = """
import signal, time
def hang_for_a_test(*_):
    while True:
        pass
signal.signal(signal.SIGUSR1, hang_for_a_test)
"""


@pytest.mark.parametrize(
    ("role", "module"), [("api", "service"), ("worker", "transport")]
)
def test_a_child_that_cannot_start_ends_the_service(
    tmp_path: Path, role: str, module: str
) -> None:
    code = BROKEN_IMPORT.format(role=role, module=module)
    service = Service(tmp_path, environment=with_site(tmp_path, role, code))
    with service.launched():
        assert service.wait(10) == 1
    lines = service.log.splitlines()
    sentence = f"poussetaches: {role}-[12] cannot start: exit status 1"
    assert re.fullmatch(sentence, lines[-1])
    # Why, the child itself has said.
    assert "ImportError: this module is broken" in lines


def test_a_child_that_can_say_why_it_cannot_start_is_quoted(tmp_path: Path) -> None:
    environment = with_site(tmp_path, "api", DEAF)
    service = Service(tmp_path, environment=environment)
    with service.launched():
        assert service.wait(10) == 1
    last = service.log.splitlines()[-1]
    assert re.fullmatch(r"poussetaches: api-1 cannot start: \[Errno \d+\] .+", last)
    assert "Traceback" not in service.log


def test_a_child_that_keeps_dying_later_is_replaced_ever_more_slowly(
    tmp_path: Path, receiver: Receiver
) -> None:
    fatal = tmp_path / "fatal"
    environment = with_site(tmp_path, "worker", MORTAL.format(path=str(fatal)))
    two = {"workers": 2}
    with Service(tmp_path, settings=two, environment=environment) as service:
        wait_until(lambda: " INFO ready " in service.log)
        fatal.touch()
        os.kill(service.children("worker")[0], signal.SIGKILL)
        wait_until(lambda: len(_deaths(service.log)) >= 5, 20)
        # The other one goes on meanwhile.
        service.post("/", {"url": receiver.url()})
        receiver.wait_for(1)
        fatal.unlink()
        wait_until(lambda: service.get("/").json()["workers"] == 2)
        _, *deaths = _deaths(service.log)
    # What is above 0.1 s, 0.2 s, 0.4 s, ... is the time of a start.
    for n, (one, following) in enumerate(pairwise(deaths)):
        assert following - one > timedelta(seconds=0.1 * 2**n)


def _deaths(log: str) -> list[datetime]:
    """When children ended, as the log has it."""
    found = re.findall(r"^(.+) supervisor\[\d+\] WARNING child ended", log, re.M)
    return [datetime.fromisoformat(one) for one in found]


@pytest.mark.parametrize("role", ["worker", "api"])
def test_a_stopped_child_is_killed_and_replaced(
    tmp_path: Path, receiver: Receiver, role: str
) -> None:
    with Service(tmp_path, settings=SHORT | {"workers": 1}) as service:
        wait_until(lambda: " INFO ready " in service.log)
        (child,) = service.children(role)
        task = service.post("/", {"url": receiver.url("/?delay=60,0")})
        id = task.headers["Poussetaches-Task-Id"]
        receiver.wait_for(1, task=id)
        os.kill(child, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: f"child ended child={role}-1" in service.log)
        gone_after = time.monotonic() - began
        log.info("%s gone after %.2f s", role, gone_after)
        assert gone_after < 2 * HEARTBEAT_TIMEOUT
        # A stopped process cannot write its stacks; that it was asked to is told.
        assert f"its stacks follow, then it is killed child={role}-1" in service.log
        if role == "worker":
            arrivals = receiver.wait_for(2, task=id)
            assert [one.attempt for one in arrivals] == [1, 2]
            stats = settled(service)
            assert (stats["attempts"]["lost"], stats["restarts"]) == (1, 1)
        else:
            assert service.get("/").json()["in_flight"] == 1
            receiver.release()
            assert settled(service)["attempts"]["lost"] == 0


def test_a_hanging_child_shows_where_it_hangs(tmp_path: Path) -> None:
    environment = with_site(tmp_path, "worker", HANGING)
    settings = SHORT | {"workers": 1}
    with Service(tmp_path, settings=settings, environment=environment) as service:
        wait_until(lambda: " INFO ready " in service.log)
        os.kill(service.children("worker")[0], signal.SIGUSR1)
        wait_until(lambda: "child ended child=worker-1" in service.log)
        _, _, stacks = service.log.partition("its stacks follow")
        assert "in hang_for_a_test" in stacks
        wait_until(lambda: service.get("/").json()["workers"] == 1)


@pytest.mark.parametrize("frozen", ["all", "the supervisor"])
def test_children_are_not_blamed_for_a_time_in_which_nobody_could_hear_them(
    tmp_path: Path, frozen: str
) -> None:
    """As when a container is frozen and thawed."""
    with Service(tmp_path, settings=SHORT | {"workers": 1}) as service:
        wait_until(lambda: " INFO ready " in service.log)
        children = service.children()
        stopped_ones = [service.pid, *(children if frozen == "all" else [])]
        for pid in stopped_ones:
            os.kill(pid, signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() > stopped + 2 * HEARTBEAT_TIMEOUT)
        for pid in stopped_ones:
            os.kill(pid, signal.SIGCONT)
        continued = time.monotonic()
        wait_until(lambda: time.monotonic() > continued + 1.5 * HEARTBEAT_TIMEOUT)
        assert service.get("/").status_code == 200
        assert service.children() == children
        assert "the loop was not woken in time" in service.log


def test_a_start_may_take_longer_than_a_heartbeat(tmp_path: Path) -> None:
    settings = {"heartbeat_timeout": "0.2s", "workers": 1}
    with Service(tmp_path, settings=settings) as service:
        wait_until(lambda: " INFO ready " in service.log)
