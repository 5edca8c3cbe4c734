"""A supervisor that hangs or is held up: seen, shown, and survived."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ledger import History, Load, settled
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.sites import with_site

pytestmark = pytest.mark.process

#: Seconds; the loop has as much patience with itself as with its children.
HEARTBEAT_TIMEOUT = 1.0
SETTINGS = {"heartbeat_timeout": f"{HEARTBEAT_TIMEOUT}s", "workers": 1}
#: Of systemd, seconds.
WATCHDOG = 0.4

#: Hangs for ever, as a bug in C code would make it, when it gets a signal.
HANGING = """
import signal
def hang_for_a_test(*_):
    while True:
        pass
signal.signal(signal.SIGUSR1, hang_for_a_test)
"""
#: Every sync takes as many seconds more as a file says, if it is there.
SLOW_DISK = """
import os, time
sync = os.fdatasync
def sync_slowly(fd):
    if os.path.exists({path!r}):
        with open({path!r}) as file:
            time.sleep(float(file.read()))
    sync(fd)
os.fdatasync = sync_slowly
"""


class Systemd:
    """What systemd hears of a service."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "systemd")
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(self._path)

    def environment(self) -> dict[str, str]:
        """As systemd would set it; the service's process id is not known here."""
        watchdog = str(int(WATCHDOG * 1e6))
        return {"NOTIFY_SOCKET": self._path, "WATCHDOG_USEC": watchdog}

    def next_word(self, patience: float) -> str:
        """What it is told next. Raises TimeoutError."""
        self._sock.settimeout(patience)
        return self._sock.recv(4096).decode()

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(tmp_path)
    yield systemd
    systemd.close()


def test_a_loop_that_hangs_is_seen_by_systemd_and_shows_where(
    tmp_path: Path, receiver: Receiver, systemd: Systemd
) -> None:
    environment = with_site(tmp_path, "supervisor", HANGING) | systemd.environment()
    with Service(tmp_path, settings=SETTINGS, environment=environment) as service:
        while not systemd.next_word(10).startswith("READY=1\n"):
            pass
        began = time.monotonic()
        for _ in range(4):
            assert systemd.next_word(WATCHDOG) == "WATCHDOG=1"
        # Twice in the time it has, also if there is nothing else to do.
        assert WATCHDOG < time.monotonic() - began < 4 * WATCHDOG
        pushed = service.post("/", {"url": receiver.url(), "countdown": 1})
        assert pushed.status_code == 201
        assert "File " not in service.log
        service.kill(signal.SIGUSR1)
        # It shows that by itself, and ends nothing.
        wait_until(lambda: "in hang_for_a_test" in service.log)
        with pytest.raises(TimeoutError):
            while systemd.next_word(2 * WATCHDOG) == "WATCHDOG=1":
                pass
        assert service.is_running()
        before = len(service.log)
        # Which is what systemd does then.
        service.kill(signal.SIGABRT)
        assert service.wait() == -signal.SIGABRT
        last_words = service.log[before:]
        assert "Fatal Python error: Aborted" in last_words
        assert "in hang_for_a_test" in last_words
        service.start()
        [arrival] = receiver.wait_for(1)
        assert arrival.task == pushed.headers["Poussetaches-Task-Id"]
        assert settled(service)["succeeded"] == 1


def test_a_slow_disk_slows_everything_down_and_ends_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    delay = tmp_path / "delay"
    site = with_site(tmp_path, "supervisor", SLOW_DISK.format(path=str(delay)))
    with Service(tmp_path, settings=SETTINGS, environment=site) as service:
        wait_until(lambda: " INFO ready " in service.log)
        children = service.children()
        delay.write_text("0.5")
        with Load(service, receiver.url(), connections=4, total=6) as load:
            assert load.finished_within(30)
        receiver.wait_for(6, deadline=30)
        # As long as the limit is kept there is nothing to say.
        assert re.findall("WARNING|ERROR|File ", service.log) == []
        delay.write_text(str(3 * HEARTBEAT_TIMEOUT))
        service.post("/", {"url": receiver.url()})
        delay.unlink()
        held_up = "the loop was held up: its stacks are above"
        wait_until(lambda: held_up in service.log)
        stacks, told = service.log.split(held_up)[:2]
        assert "in sync_slowly" in stacks
        assert re.match(r" seconds=\d\.\d longest=commit took=\d\.\d\n", told)
        assert settled(service)["succeeded"] == 7
        assert service.children() == children
        assert not load.unanswered
        history = History(load, receiver.arrivals())
        assert (history.lost(), history.repeats()) == ([], 0)
