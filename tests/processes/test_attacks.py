"""Many hostile clients at once: honest ones are served as if they were not there.

How much they notice is measured by ``python -m bench attack``; here it may be much
more, as the machine is also the attacker's.
"""

from __future__ import annotations

import json
import socket as plain
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import gevent
import pytest
from gevent import socket

from bench.attack import pairs
from bench.attacker import KINDS
from bench.figure import Figure
from tests.support.connection import ask
from tests.support.service import Service

pytestmark = [pytest.mark.process, pytest.mark.alone]

#: Of the server, seconds; and how much later something may happen.
HEADER, BODY, SLACK = 10.0, 30.0, 3.0
EACH = 200
#: Seconds between two bytes of who drips.
PAUSE = 2.0
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
WITH_BODY = HEAD + b"Content-Length: 1000\r\n\r\n"


class Slow(NamedTuple):
    """A way to be slow, and what becomes of it."""

    begin: bytes
    drips: bytes
    #: Seconds that it may take.
    limit: float
    #: What the answer begins with.
    answer: bytes


TIMEOUT = b"HTTP/1.1 408 Request Timeout"
SLOW = {
    "silent": Slow(b"", b"", HEADER, b""),
    "head that stops": Slow(HEAD, b"", HEADER, TIMEOUT),
    "head that drips": Slow(HEAD + b"X: ", b"a", HEADER, TIMEOUT),
    "body that stops": Slow(WITH_BODY + b" ", b"", BODY, TIMEOUT),
    "body that drips": Slow(WITH_BODY, b" ", BODY, TIMEOUT),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("service")
    with Service(folder, settings={"workers": 1, "durability": "off"}) as service:
        (api,) = service.children("api")
        yield service
        assert service.children("api") == [api]
        assert "Traceback" not in service.log


def suffer(port: int, slow: Slow) -> tuple[float, bytes]:
    """How long the service bears it, and what it says then."""
    with plain.create_connection(("127.0.0.1", port)) as connected:
        sock = socket.socket(fileno=connected.detach())
    began = time.monotonic()
    sock.sendall(slow.begin)

    def drip() -> None:
        while True:
            gevent.sleep(PAUSE)
            sock.sendall(slow.drips)

    dripping = gevent.spawn(drip) if slow.drips else None
    try:
        said = b"".join(iter(lambda: sock.recv(65536), b""))
        return time.monotonic() - began, said
    finally:
        if dripping is not None:
            dripping.kill()
        sock.close()


@pytest.mark.timeout(180)
def test_a_thousand_slow_clients_are_borne_as_long_as_they_may_and_disturb_nobody(
    service: Service,
) -> None:
    all_of = {
        name: [gevent.spawn(suffer, service.port, slow) for _ in range(EACH)]
        for name, slow in SLOW.items()
    }
    # In a process of its own: this one is busy with being slow.
    command = [sys.executable, "-m", "bench.honest", str(service.port), "5", "40"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as honest:
        gevent.joinall([one for many in all_of.values() for one in many], timeout=60)
        assert honest.stdout is not None
        found = json.load(honest.stdout)
    took = sorted([*found["kept"], *found["new"]])
    assert took[int(0.99 * (len(took) - 1))] < 0.5
    for name, many in all_of.items():
        limit, answer = SLOW[name].limit, SLOW[name].answer
        for one in many:
            seconds, said = one.get(block=False)
            assert limit - 0.5 <= seconds <= limit + SLACK, name
            assert said.startswith(answer) if answer else said == b"", name


def test_a_thousand_idle_connections_disturb_nobody(service: Service) -> None:
    """Each has been answered, and says nothing more."""
    idle = []
    for _ in range(1000):
        sock = plain.create_connection(("127.0.0.1", service.port), 10)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        idle.append(sock)
    took = []
    for _ in range(100):
        began = time.monotonic()
        assert ask(service.port, "GET", "/").status == 200
        took.append(time.monotonic() - began)
    assert sorted(took)[98] < 0.25
    for sock in idle:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answers = Counter(sock.recv(65536)[:13] for sock in idle)
    assert answers == {b"HTTP/1.1 200 ": 1000}
    for sock in idle:
        sock.close()


@pytest.mark.parametrize("kind", KINDS)
def test_honest_pushes_are_accepted_in_time_during_an_attack(
    service: Service, kind: str
) -> None:
    found = {
        one.key: one.value
        for one in pairs(service.port, kind, rounds=1, seconds=1.5)
        if isinstance(one, Figure)
    }
    assert found[f"attack.{kind}.extra"] < 1000
