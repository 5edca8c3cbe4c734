"""Honest clients: some keep their connection, some make a new one every time.

A process of its own: ``python -m bench.honest PORT SECONDS RATE``. Each pushes at its
part of the rate, and counts from the moment at which a push was to be sent: an answer
that comes late makes the next ones late, too. Prints seconds, as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

#: Clients of each kind.
EACH = 5

BODY = b'{"url":"http://127.0.0.1:9/","countdown":86400}'
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def push(sock: socket.socket) -> None:
    """Raises RuntimeError if the task was not accepted."""
    sock.sendall(REQUEST)
    answer = sock.recv(65536)
    if not answer.startswith(b"HTTP/1.1 201 "):
        raise RuntimeError(f"not accepted: {answer[:100]!r}")


def keeping(port: int) -> Callable[[], None]:
    sock = connect(port)
    return lambda: push(sock)


def renewing(port: int) -> Callable[[], None]:
    def once() -> None:
        with closing(connect(port)) as sock:
            push(sock)

    return once


def at_rate(deed: Callable[[], None], rate: float, seconds: float) -> list[float]:
    """How long each took, from the moment that was meant for it."""
    began = time.monotonic()
    took = []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        deed()
        took.append(time.monotonic() - due)
    return took


def main(port: int, seconds: float, rate: float) -> dict[str, list[float]]:
    """The figures of both kinds."""
    kinds = {"kept": keeping, "new": renewing}
    each = rate / (EACH * len(kinds))
    with ThreadPoolExecutor(EACH * len(kinds)) as pool:
        running = {
            name: [pool.submit(at_rate, kind(port), each, seconds) for _ in range(EACH)]
            for name, kind in kinds.items()
        }
    return {
        name: [one for client in clients for one in client.result()]
        for name, clients in running.items()
    }


if __name__ == "__main__":
    port, seconds, rate = sys.argv[1:]
    sys.stdout.write(json.dumps(main(int(port), float(seconds), float(rate))))
