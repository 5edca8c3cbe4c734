"""The parts of ``tune`` that touch the world: a disk, a service that takes pushes."""

from __future__ import annotations

import socketserver
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from poussetaches.cli import tune_disk
from poussetaches.cli.inbox import Interrupted
from poussetaches.cli.tune_display import Display
from poussetaches.cli.tune_plan import Plan
from poussetaches.cli.tune_pusher import Pushed, push
from poussetaches.cli.tune_report import machine, pushes
from poussetaches.cli.tune_session import Session
from poussetaches.cli.tune_trial import last_error
from poussetaches.errors import StartupError, Unavailable

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Server(socketserver.ThreadingTCPServer):
    """Gives every push the same answer; ends the connection after an empty one."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.bodies: list[bytes] = []


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        # A client that was interrupted resets its connections.
        with suppress(ConnectionError):
            while self.rfile.readline():
                self._take()

    def _take(self) -> None:
        length = 0
        while (line := self.rfile.readline()) != b"\r\n":
            if line.startswith(b"Content-Length: "):
                length = int(line.split()[1])
        self.server.bodies.append(self.rfile.read(length))
        if not self.server.answer:
            raise ConnectionAbortedError
        self.wfile.write(self.server.answer)


@contextmanager
def answering(answer: bytes) -> Iterator[Server]:
    """A server while it runs."""
    with Server(answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def pushed(server: Server, count: int, seconds: float = 30.0) -> Pushed:
    """The outcome of pushing so many."""
    task = {"url": "http://x/"}
    port = server.server_address[1]
    return push(port, task, count, seconds=seconds, tell=lambda accepted: None)


@pytest.mark.parametrize("count", [1, 31, 100])
def test_as_many_are_pushed_as_were_asked_for(count: int) -> None:
    with answering(CREATED) as server:
        outcome = pushed(server, count)
    assert outcome.tasks == count
    assert outcome.rate > 0
    assert server.bodies == [b'{"url": "http://x/"}'] * count


def test_pushing_ends_when_the_time_is_over() -> None:
    with answering(CREATED) as server:
        outcome = pushed(server, 1_000_000, seconds=0.05)
    assert 0 < outcome.tasks == len(server.bodies) < 1_000_000


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (FULL, "a push was answered with 'HTTP/1.1 503 Service Unavailable'"),
        (b"", "the service ended a connection instead of an answer"),
    ],
)
def test_a_push_that_is_not_accepted_ends_it(answer: bytes, fault: str) -> None:
    with answering(answer) as server, pytest.raises(Unavailable) as caught:
        pushed(server, 5)
    assert caught.value.message == fault


def test_a_service_that_is_gone_is_one_line() -> None:
    with Server(CREATED) as server:
        port = server.server_address[1]
    with pytest.raises(Unavailable, match="pushing broke off: Connection refused"):
        push(port, {}, 1, seconds=30, tell=lambda accepted: None)


def test_who_is_told_may_end_it() -> None:
    def tell(accepted: int) -> None:
        raise Interrupted

    with answering(CREATED) as server, pytest.raises(Interrupted):
        push(server.server_address[1], {}, 1000, seconds=30, tell=tell)
    assert len(server.bodies) < 1000


def test_the_disk_is_left_as_it_was(tmp_path: Path) -> None:
    found = tune_disk.measure(tmp_path, seconds=0.05, check=lambda: None)
    assert found.syncs >= 1
    assert 0 < found.median <= found.p99
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    session = Session(Plan(1, 1), Display())
    with pytest.raises(StartupError, match=f"{tmp_path} cannot be written to"):
        session.measure_disk(tmp_path / "gone", 0.1, lambda seconds: None)


def test_a_disk_that_is_none_is_said() -> None:
    [_, hint] = machine(tune_disk.SyncTimes(500, 2e-6, 3e-6), "/dev/shm")
    assert "--data-dir" in hint
    [line] = machine(tune_disk.SyncTimes(500, 0.002, 0.025), "/data")
    assert line == "a sync of /data takes 2.00 ms in the median, 25 ms at 99 %"
    assert pushes(Pushed(5000, 2.0)).startswith("2,500 single pushes/s are taken")


def test_what_a_target_said_last_is_a_sentence() -> None:
    body = b64encode(b" no such route\n").decode()
    dead = {"last_error_status_code": 404, "last_error_body": body}
    assert last_error(dead) == "status 404 no such route"
    dead = {"last_error_status_code": 0, "last_error_body": body}
    assert last_error(dead) == "no such route"
    assert last_error(None) == "no attempt ended within 10 s"
