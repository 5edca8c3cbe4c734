"""A cheap client: pushes tasks over keep-alive connections, one at a time on each.

A process of its own: ``python -m bench.generator PORT TARGET COUNT CONNECTIONS
[RATE [SCHEDULE]]``. Prints its figures as JSON. Exits 1 if any push was not answered
with the status of the first.
"""

from __future__ import annotations

import json
import resource
import selectors
import socket
import sys
import time
from base64 import b64encode
from collections import deque

PAYLOAD_SIZE = 150


class Client:
    """One connection, and what it is waiting for."""

    def __init__(self, port: int, target: str, schedule: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._target = target
        self._schedule = f',"schedule":"{schedule}"' if schedule else ""
        self.sent_at = 0.0

    def send(self) -> None:
        """Push a task whose payload says when it was sent."""
        self.sent_at = time.monotonic()
        text = f"{self.sent_at:.6f}"
        payload = b64encode(text.rjust(PAYLOAD_SIZE).encode()).decode()
        body = f'{{"url":"{self._target}","payload":"{payload}"{self._schedule}}}'
        self.sock.sendall(
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body.encode())
        )

    def receive(self) -> tuple[bytes, float]:
        """The status line of the answer, and how long it took."""
        data = self.sock.recv(65536)
        return data[:12], time.monotonic() - self.sent_at


def push(
    port: int,
    target: str,
    count: int,
    connections: int,
    rate: float | None = None,
    schedule: str = "",
) -> dict[str, object]:
    """Push ``count`` tasks; at most ``rate`` a second if one is given."""
    selector = selectors.DefaultSelector()
    clients = [Client(port, target, schedule) for _ in range(connections)]
    for client in clients:
        selector.register(client.sock, selectors.EVENT_READ, client)
    statuses: set[bytes] = set()
    #: When each was sent, and how long its answer took.
    timeline: list[tuple[float, float]] = []
    # In turn: the service closes a connection on which nothing is asked for long.
    idle = deque(clients)
    sent = 0
    began = time.monotonic()
    while len(timeline) < count:
        while idle and sent < count:
            if rate is not None and time.monotonic() - began < sent / rate:
                break
            idle.popleft().send()
            sent += 1
        patience = None
        if rate is not None and idle and sent < count:
            patience = max(0.0, began + sent / rate - time.monotonic())
        for key, _ in selector.select(patience):
            status, latency = key.data.receive()
            statuses.add(status)
            timeline.append((key.data.sent_at, latency))
            idle.append(key.data)
    ended = time.monotonic()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "began": began,
        "ended": ended,
        "statuses": sorted(status.decode() for status in statuses),
        "latencies": sorted(latency for _, latency in timeline),
        "timeline": timeline,
        "cpu": used.ru_utime + used.ru_stime,
    }


if __name__ == "__main__":
    port, target, count, connections, *more = sys.argv[1:]
    figures = push(
        int(port),
        target,
        int(count),
        int(connections),
        float(more[0]) if more else None,
        *more[1:],
    )
    sys.stdout.write(json.dumps(figures))
    sys.exit(len(figures["statuses"]) != 1)  # type: ignore[arg-type]
