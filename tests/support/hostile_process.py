"""A target for tests that does everything a target should not, in a process of its own:
what, the first word of the path says (see ``DEEDS``).

It prints two ports: its own, and one where nobody should ever come. It leaves when its
standard input ends. ``LOOK`` instead of a request tells what has arrived so far: JSON,
how many came to the second port, and one list per request (see ``Arrival``).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial

#: Seconds between two bytes of what drips.
DRIP = 0.5
#: Bytes of what has an end nobody should wait for.
GIGABYTE = 1_000_000_000
#: Has a socket that is closed send RST.
RESET = struct.pack("ii", 1, 0)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FAILED = b"HTTP/1.1 500 Oh\r\n"
MEGABYTE = bytes(1_000_000)

_length_of = re.compile(rb"\r\nContent-Length: *(\d+)").search
_task_of = re.compile(rb"\r\nPoussetaches-Task-Id: *(\w+)").search
_attempt_of = re.compile(rb"\r\nPoussetaches-Attempt: *(\d+)").search


class Hostile:
    """``nowhere``: the port where nobody should come."""

    def __init__(self, nowhere: int) -> None:
        self.nowhere = nowhere
        self.arrivals: list[tuple[float, str, int, str, str]] = []
        self.visitors = 0

    def serve(self, sock: socket.socket) -> None:
        """One connection, from beginning to end."""
        with sock:
            try:
                while self.exchange(sock):
                    pass
            except OSError:
                return  # the client hung up, as it should

    def exchange(self, sock: socket.socket) -> bool:
        """Whether the connection stays open."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        method, path, _ = head.decode("latin-1").split(" ", 2)
        if method == "LOOK":
            sock.sendall(json.dumps([self.visitors, *self.arrivals]).encode())
            return False
        deed = DEEDS[path.split("/")[1]]
        if deed is not deaf:
            length = _length_of(head)
            left = int(length[1]) - len(body) if length else 0
            while left > 0:
                left -= len(sock.recv(65536)) or left
        task, attempt = _task_of(head), _attempt_of(head)
        number = int(attempt[1]) if attempt else 0
        name = task[1].decode() if task else ""
        self.arrivals.append((time.time(), name, number, path, head.decode("latin-1")))
        deed(sock, self, number)
        return deed is honest

    def count(self, listener: socket.socket) -> None:
        while True:
            listener.accept()[0].close()
            self.visitors += 1


Deed = Callable[[socket.socket, Hostile, int], None]


def honest(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
    sock.sendall(OK)


def deaf(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
    """Reads no body."""
    time.sleep(3600)


def silent(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
    """Reads on, and never says a word."""
    while sock.recv(65536):
        pass


def dripping(before: bytes, drop: bytes) -> Deed:
    def deed(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
        sock.sendall(before)
        while True:
            sock.sendall(drop)
            time.sleep(DRIP)

    return deed


def pouring(before: bytes, again: bytes, total: int = GIGABYTE) -> Deed:
    def deed(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
        sock.sendall(before)
        for _ in range(total // len(again)):
            sock.sendall(again)

    return deed


def saying(data: bytes) -> Deed:
    """And closes then, whether that was an answer or not."""

    def deed(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
        sock.sendall(data)

    return deed


def resetting(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
    sock.sendall(OK[:-1])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def redirecting(status: int) -> Deed:
    def deed(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
        location = f"http://127.0.0.1:{hostile.nowhere}/stolen"
        sock.sendall(
            f"HTTP/1.1 {status} There\r\nLocation: {location}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )

    return deed


def busy(seconds: int, *, as_date: bool) -> Deed:
    """The first time; and then not any more."""

    def deed(sock: socket.socket, hostile: Hostile, attempt: int) -> None:
        if attempt > 1:
            sock.sendall(OK)
            return
        date = formatdate(time.time() + seconds, usegmt=True)
        asked = date if as_date else str(seconds)
        sock.sendall(
            f"HTTP/1.1 503 Busy\r\nRetry-After: {asked}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )

    return deed


def bomb() -> bytes:
    """A hundred megabytes in a hundred kilobytes."""
    packed = gzip.compress(bytes(100_000_000), 1)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    return FAILED + head + packed


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

DEEDS: dict[str, Deed] = {
    "honest": honest,
    "deaf": deaf,
    "silent": silent,
    "drip-head": dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "drip-body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"a"),
    "drip-interim": dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "gigabyte": pouring(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIGABYTE, MEGABYTE
    ),
    "endless-body": pouring(FAILED + b"\r\n", MEGABYTE),
    "endless-chunks": pouring(FAILED + CHUNKED, b"f4240\r\n" + MEGABYTE + b"\r\n"),
    "bomb": saying(bomb()),
    "headers": pouring(FAILED, b"X-A: 1\r\n" * 1000, 8 * 200_000),
    "long-header": pouring(FAILED + b"X-A: ", MEGABYTE.replace(b"\0", b"a")),
    "interim-100": pouring(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "interim-102": pouring(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 1000),
    "interim-103": pouring(b"", b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" * 1000),
    "close-after": saying(OK),
    "close-in-the-middle": saying(OK[:-1]),
    "close-at-once": saying(b""),
    "reset": resetting,
    "garbage": saying(bytes(range(256))),
    "mail": saying(b"220 mail.example ESMTP\r\n"),
    "busy-seconds": busy(3, as_date=False),
    "busy-date": busy(4, as_date=True),
    **{f"redirect-{n}": redirecting(n) for n in (301, 302, 303, 307, 308)},
}


def accepted(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        yield listener.accept()[0]


def main() -> None:
    elsewhere = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    hostile = Hostile(elsewhere.getsockname()[1])
    start(partial(hostile.count, elsewhere))
    start(partial(serve, listener, hostile))
    sys.stdout.write(f"{listener.getsockname()[1]} {hostile.nowhere}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


def serve(listener: socket.socket, hostile: Hostile) -> None:
    for sock in accepted(listener):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start(partial(hostile.serve, sock))


def start(run: Callable[[], None]) -> None:
    threading.Thread(target=run, daemon=True).start()


if __name__ == "__main__":
    main()
