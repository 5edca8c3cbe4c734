"""A target for tests, in a process of its own: fast, cheap, and scripted by the URL.

``/any/path?status=500,200&delay=0.1,0`` answers attempt 1 with 500 after 100 ms and all
further ones with 200 at once. ``location`` and ``body`` go into the answer as they are.
``end=close,reset,drip,answer`` spoils the first three answers: none at all, the
connection reset in the middle of it, and one that drips and never ends. The status of
such an attempt is 0.

It prints its port, and leaves when its standard input ends. ``LOOK /arrivals`` tells
what has arrived so far (JSON, one list per request, see ``Arrival``), ``LOOK /take``
the same and forgets it, ``LOOK /release`` answers everything that is delayed, now and
from now on. ``LOOK /leave/0.5`` is what a deploy does to an application: it listens no
more, closes what it keeps, ends what it is at, and is back after half a second.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_length_of = re.compile(rb"\r\ncontent-length: *(\d+)", re.I).search
_task_of = re.compile(rb"\r\nPoussetaches-Task-Id: *(\w+)").search
_attempt_of = re.compile(rb"\r\nPoussetaches-Attempt: *(\d+)").search

#: Seconds between two bytes of an answer that drips.
DRIP = 0.1
#: Has a socket that is closed send RST.
RESET = struct.pack("ii", 1, 0)

#: A request that arrived, in the order of tests.support.receiver.Arrival.
Row = list[object]
ANSWERED_AT = 1


class Script(NamedTuple):
    """What a URL asks to be done."""

    #: By attempt, the last one for all further attempts.
    statuses: list[int]
    #: Seconds, likewise.
    delays: list[float]
    #: How the answer ends, likewise.
    ends: list[str]
    #: Further header lines.
    headers: bytes
    body: bytes


@lru_cache(maxsize=10_000)
def script_of(path: str) -> Script:
    given = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    location = given.get("location")
    return Script(
        [int(one) for one in given.get("status", "200").split(",")],
        [float(one) for one in given.get("delay", "0").split(",")],
        given.get("end", "answer").split(","),
        b"Location: %b\r\n" % location.encode() if location else b"",
        given.get("body", "").encode(),
    )


class Answer(NamedTuple):
    """What one attempt is answered with."""

    #: 0 if the answer is no whole one.
    status: int
    data: bytes
    #: Seconds.
    delay: float
    #: "answer", "close", "reset" or "drip".
    end: str


@lru_cache(maxsize=10_000)
def answer_to(path: str, attempt: int) -> Answer:
    script = script_of(path)
    status = script.statuses[min(attempt, len(script.statuses)) - 1]
    delay = script.delays[min(attempt, len(script.delays)) - 1]
    end = script.ends[min(attempt, len(script.ends)) - 1]
    head = b"HTTP/1.1 %d Scripted\r\nContent-Length: %d\r\n" % (
        status,
        len(script.body),
    )
    data = head + script.headers + b"\r\n" + script.body
    return Answer(status if end == "answer" else 0, data, delay, end)


class Connection:
    """One client. It does not pipeline."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.buffer = b""
        #: A request of it is read and not answered yet.
        self.is_busy = False

    def read(self) -> tuple[bytes, bytes] | None:
        """Head and body of a request, once it is there. Raises ConnectionError."""
        data = self.sock.recv(262144)
        if not data:
            raise ConnectionResetError
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = _length_of(head)
        if len(body) < (int(length[1]) if length else 0):
            return None
        self.buffer = b""
        return head, body

    def send(self, data: bytes) -> bool:
        """Whether anybody is there to get it. Who has gone is noticed when read."""
        try:
            self.sock.send(data)
        except OSError:
            return False
        return True


class Receiver:
    """The loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.connections: set[Connection] = set()
        #: None: it is away.
        self.listener: socket.socket | None = None
        self.listen(0)
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        self.arrivals: list[Row] = []
        #: What to do later: when, a number that tells them apart, and what.
        self.later: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()
        self.released = False

    def run(self) -> None:
        while True:
            pause = None
            if self.later:
                pause = max(0.0, self.later[0][0] - time.monotonic())
            for key, _ in self.selector.select(pause):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is sys.stdin:
                    return
                else:
                    self.receive(key.data)
            now = time.monotonic()
            while self.later and (self.released or self.later[0][0] <= now):
                heapq.heappop(self.later)[2]()

    def listen(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)

    def leave(self, seconds: float) -> None:
        assert self.listener is not None
        self.selector.unregister(self.listener)
        self.listener.close()
        self.listener = None
        for connection in [one for one in self.connections if not one.is_busy]:
            self.hang_up(connection)
        self.do_later(seconds, lambda: self.listen(self.port))

    def accept(self) -> None:
        assert self.listener is not None
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        connection = Connection(sock)
        self.connections.add(connection)
        self.selector.register(sock, selectors.EVENT_READ, connection)

    def receive(self, connection: Connection) -> None:
        try:
            request = connection.read()
        except OSError:
            self.hang_up(connection)
            return
        if request is None:
            return
        head, body = request
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        if method == "LOOK":
            self.look(connection, path)
            return
        task, attempt = _task_of(head), _attempt_of(head)
        number = int(attempt[1]) if attempt else 1
        answer = answer_to(path, number)
        now = time.monotonic()
        row: Row = [
            now,
            None,
            task[1].decode() if task else "",
            number,
            answer.status,
            path,
            head.decode("latin-1"),
            body.decode("latin-1"),
        ]
        self.arrivals.append(row)
        connection.is_busy = True
        if answer.delay and not self.released:
            self.do_later(answer.delay, lambda: self.answer(row, connection, answer))
        else:
            self.answer(row, connection, answer)

    def do_later(self, seconds: float, deed: Callable[[], None]) -> None:
        moment = time.monotonic() + seconds
        heapq.heappush(self.later, (moment, next(self.numbers), deed))

    def answer(self, row: Row, connection: Connection, answer: Answer) -> None:
        if answer.end == "close":
            self.hang_up(connection)
        elif answer.end == "drip":
            self.drip(connection, answer.data)
        elif answer.end == "reset":
            linger = socket.SO_LINGER
            connection.sock.setsockopt(socket.SOL_SOCKET, linger, RESET)
            connection.send(answer.data[: len(answer.data) // 2])
            self.hang_up(connection)
        elif connection.send(answer.data):
            row[ANSWERED_AT] = time.monotonic()
            connection.is_busy = False
            if self.listener is None:
                self.hang_up(connection)

    def drip(self, connection: Connection, left: bytes) -> None:
        """A byte now, the next one a moment later; never the last one."""
        if self.released:
            self.hang_up(connection)
        elif connection.send(left[:1]):
            rest = left[1:] if len(left) > 2 else left
            self.do_later(DRIP, lambda: self.drip(connection, rest))

    def hang_up(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection.sock.fileno() >= 0:
            self.selector.unregister(connection.sock)
            connection.sock.close()

    def look(self, connection: Connection, path: str) -> None:
        answer = b""
        if path in ("/arrivals", "/take"):
            answer = json.dumps(self.arrivals).encode()
            if path == "/take":
                self.arrivals.clear()
        elif path == "/release":
            self.released = True
        connection.sock.setblocking(True)
        connection.sock.sendall(b"%d\n" % len(answer) + answer)
        connection.sock.setblocking(False)
        if path.startswith("/leave/"):
            self.leave(float(path.removeprefix("/leave/")))


if __name__ == "__main__":
    receiver = Receiver()
    sys.stdout.write(f"{receiver.port}\n")
    sys.stdout.flush()
    receiver.run()
