"""The supervisor is killed: no child stays, whatever it is at, nor what it held."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.connection import Connection
from tests.support.processes import processes
from tests.support.scale import times
from tests.support.service import Service, wait_until
from tests.support.sites import with_sites

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

#: Seconds.
SOON = 2.0

#: Hangs for ever when it gets SIGUSR1: no message, and no end of a channel, is noticed.
HANGING = """
import signal
def hang(*_):
    while True:
        pass
signal.signal(signal.SIGUSR1, hang)
"""


def _is_free(service: Service) -> bool:
    """Whether another one could take lock and port."""
    with (service.data_dir / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    try:
        socket.create_server(("127.0.0.1", service.port)).close()
    except OSError:
        return False
    return True


def _left(pids: list[int]) -> list[int]:
    return [one.pid for one in processes() if one.pid in pids]


def test_no_child_outlives_the_supervisor_by_long(tmp_path: Path) -> None:
    """Running, stopped or hanging: all have gone soon, and a start finds all free."""
    dice = random.Random(4)
    environment = with_sites(tmp_path, {"api": HANGING, "worker": HANGING})
    settings = {"workers": 1}
    gone_after = []
    with Service(tmp_path, settings=settings, environment=environment) as service:
        for turn in range(times(3, 100)):
            signum = (None, signal.SIGSTOP, signal.SIGUSR1)[turn % 3]
            wait_until(lambda: service.log.count(" INFO ready ") == turn + 1)  # noqa: B023
            with Connection(service.port) as connection:
                for _ in range(dice.randrange(20)):
                    push = b'{"url":"http://127.0.0.1:9/","delay":60}'
                    assert connection.ask("POST", "/", push).status == 201
            children = service.children()
            assert len(children) == 2
            if signum is not None:
                for pid in children:
                    os.kill(pid, signum)
            killed_at = time.monotonic()
            service.kill(signal.SIGKILL)
            service.wait()
            wait_until(lambda: not _left(children), SOON)  # noqa: B023
            assert _is_free(service)
            gone_after.append(time.monotonic() - killed_at)
            service.start()
    log.info("gone after at most %.3f s", max(gone_after))


def test_a_dump_writer_that_is_stopped_does_not_keep_the_directory(
    tmp_path: Path,
) -> None:
    """It has the lock, for nobody else may write while it does."""
    settings = {"workers": 1, "dump_interval": "0.1s", "start_paused": True}
    with Service(tmp_path, settings=settings) as service:
        wait_until(lambda: " INFO ready " in service.log)
        others = service.children()
        with Connection(service.port) as connection:
            writers: list[int] = []
            while not writers:
                push = b'{"url":"http://127.0.0.1:9/"}'
                assert connection.ask("POST", "/", push).status == 201
                writers = [pid for pid in service.children() if pid not in others]
                for pid in writers:
                    # It may have been about to end.
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                writers = _left(writers)
                if writers and not [*service.data_dir.glob("*.tmp")]:
                    # It has hardly begun to live, and may not have heard yet that it is
                    # to die with its parent.
                    os.kill(writers[0], signal.SIGCONT)
                    writers = []
            service.kill(signal.SIGKILL)
            service.wait()
        wait_until(lambda: not _left([*others, *writers]), SOON)
        assert _is_free(service)
        service.start()
