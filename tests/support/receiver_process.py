"""A target for tests, in a process of its own: fast, cheap, and scripted by the URL.

``/any/path?status=500,200&delay=0.1,0`` answers attempt 1 with 500 after 100 ms and all
further ones with 200 at once. ``location`` and ``body`` go into the answer as they are.

It prints its port, and leaves when its standard input ends. ``LOOK /arrivals`` tells
what has arrived so far (JSON, one list per request, see ``Arrival``), ``LOOK /release``
answers everything that is delayed, now and from now on.
"""

from __future__ import annotations

import heapq
import json
import re
import selectors
import socket
import sys
import time
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_length_of = re.compile(rb"\r\ncontent-length: *(\d+)", re.I).search
_task_of = re.compile(rb"\r\nPoussetaches-Task-Id: *(\w+)").search
_attempt_of = re.compile(rb"\r\nPoussetaches-Attempt: *(\d+)").search


class Script(NamedTuple):
    """What a URL asks to be done."""

    #: By attempt, the last one for all further attempts.
    statuses: list[int]
    #: Seconds, likewise.
    delays: list[float]
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
        b"Location: %b\r\n" % location.encode() if location else b"",
        given.get("body", "").encode(),
    )


@lru_cache(maxsize=10_000)
def answer_to(path: str, attempt: int) -> tuple[int, bytes, float]:
    """Status, bytes and delay (seconds) of the answer."""
    script = script_of(path)
    status = script.statuses[min(attempt, len(script.statuses)) - 1]
    delay = script.delays[min(attempt, len(script.delays)) - 1]
    head = b"HTTP/1.1 %d Scripted\r\nContent-Length: %d\r\n" % (
        status,
        len(script.body),
    )
    return status, head + script.headers + b"\r\n" + script.body, delay


class Connection:
    """One client. It does not pipeline."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.buffer = b""

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


class Receiver:
    """The loop."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        #: In the order of tests.support.receiver.Arrival.
        self.arrivals: list[list[object]] = []
        #: When to answer, whom, what, and its row.
        self.delayed: list[tuple[float, int, Connection, bytes]] = []
        self.released = False

    def run(self) -> None:
        while True:
            pause = None
            if self.delayed:
                pause = max(0.0, self.delayed[0][0] - time.monotonic())
            for key, _ in self.selector.select(pause):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is sys.stdin:
                    return
                else:
                    self.receive(key.data)
            now = time.monotonic()
            while self.delayed and (self.released or self.delayed[0][0] <= now):
                _, index, connection, answer = heapq.heappop(self.delayed)
                self.answer(index, connection, answer)

    def accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        connection = Connection(sock)
        self.selector.register(sock, selectors.EVENT_READ, connection)

    def receive(self, connection: Connection) -> None:
        try:
            request = connection.read()
        except OSError:
            self.selector.unregister(connection.sock)
            connection.sock.close()
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
        status, answer, delay = answer_to(path, number)
        index = len(self.arrivals)
        now = time.monotonic()
        self.arrivals.append(
            [
                now,
                None,
                task[1].decode() if task else "",
                number,
                status,
                path,
                head.decode("latin-1"),
                body.decode("latin-1"),
            ]
        )
        if delay and not self.released:
            heapq.heappush(self.delayed, (now + delay, index, connection, answer))
        else:
            self.answer(index, connection, answer)

    def answer(self, index: int, connection: Connection, answer: bytes) -> None:
        try:
            connection.sock.send(answer)
        except OSError:
            return  # the client has gone; its connection is closed when it is read
        self.arrivals[index][1] = time.monotonic()

    def look(self, connection: Connection, path: str) -> None:
        answer = b""
        if path == "/arrivals":
            answer = json.dumps(self.arrivals).encode()
        elif path == "/release":
            self.released = True
        connection.sock.setblocking(True)
        connection.sock.sendall(b"%d\n" % len(answer) + answer)
        connection.sock.setblocking(False)


if __name__ == "__main__":
    receiver = Receiver()
    sys.stdout.write(f"{receiver.listener.getsockname()[1]}\n")
    sys.stdout.flush()
    receiver.run()
