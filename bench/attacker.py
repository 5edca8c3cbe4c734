"""A hostile client: does one bad thing to a port, as much as one process can.

A process of its own: ``python -m bench.attacker PORT KIND``. Prints a number when it
has begun, and for a line on its standard input what it did so far, as JSON.
"""

from __future__ import annotations

import json
import socket as plain
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import gevent
from gevent import socket
from gevent.event import Event

#: Sockets that are slow, together.
SLOW = 1000
#: Seconds between two pieces of a slow request.
PAUSE = 1.0
#: Connections that do what they do as fast as they can.
FAST = 16
#: Connections that each send a large body, and the size of that.
BODIES, BODY = 200, 8_000_000
#: Requests in one piece.
PIPELINE = 500

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"

done: Counter[str] = Counter()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection; what befalls it is no concern of whoever uses it."""
    with closing(socket.socket()) as sock:
        # Of a service that is slow to accept there is more to see than an error.
        sock.settimeout(60)
        try:
            sock.connect(("127.0.0.1", port))
            done["connections"] += 1
            yield sock
        except OSError:
            done["cut off"] += 1


def drain(sock: socket.socket) -> None:
    """Read until the other side closes."""
    while data := sock.recv(65536):
        done["answers"] += data.count(b"HTTP/1.1 ")


def drip(sock: socket.socket, piece: bytes) -> None:
    """Send the same now and then until the other side closes."""
    while True:
        sock.sendall(piece)
        gevent.sleep(PAUSE)


def silent(port: int) -> None:
    with connected(port) as sock:
        drain(sock)


def slow_head(port: int) -> None:
    with connected(port) as sock:
        sock.sendall(HEAD + b"X: ")
        drip(sock, b"a")


def slow_body(port: int) -> None:
    with connected(port) as sock:
        sock.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        drip(sock, b" ")


def large_body(port: int) -> None:
    with connected(port) as sock:
        sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % BODY)
        drip(sock, bytes(50_000))


def refused(port: int) -> None:
    """A head with two lengths, and garbage behind it."""
    with connected(port) as sock:
        sock.sendall(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" * 2)
        drain(sock)


def pipelined(port: int) -> None:
    """Many requests for nothing at once, which end in garbage."""
    with connected(port) as sock:
        sock.sendall(
            b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" * PIPELINE + b"\0" * 99
        )
        drain(sock)


def churn(port: int) -> None:
    """There, and gone again, with a reset."""
    with connected(port) as sock:
        sock.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))


#: By name: how many at once of what.
KINDS: dict[str, list[tuple[int, Callable[[int], None]]]] = {
    "slow": [(SLOW // 4, silent), (SLOW // 4, slow_head), (SLOW // 2, slow_body)],
    "refused": [(FAST, refused)],
    "pipelined": [(FAST, pipelined)],
    "bodies": [(BODIES, large_body)],
    "churn": [(FAST, churn)],
}


def again(deed: Callable[[int], None], port: int, begun: Event) -> None:
    """Do it for ever."""
    begun.set()
    while True:
        deed(port)
        # An endless loop that never waits would keep the others from it.
        gevent.sleep(0)


def main(port: int, kind: str) -> None:
    for count, deed in KINDS[kind]:
        for _ in range(count):
            begun = Event()
            gevent.spawn(again, deed, port, begun)
            begun.wait()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    pool = gevent.get_hub().threadpool
    while pool.apply(sys.stdin.readline):
        sys.stdout.write(json.dumps(done) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
