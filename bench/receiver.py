"""A cheap application: answers every POST with 200 and remembers how late it came.

A process of its own: ``python -m bench.receiver``. Prints its port, then on each line
of its standard input the figures since the line before, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from base64 import b64decode

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Figures:
    """What arrived since the last report."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.last_at = 0.0

    def take(self, body: bytes) -> None:
        """Note a request; its payload is the sender's monotonic clock as text."""
        now = time.monotonic()
        start = body.find(b'"payload":"') + 11
        sent = float(b64decode(body[start : body.find(b'"', start)]))
        self.latencies.append(now - sent)
        self.last_at = now

    def report(self) -> dict[str, object]:
        """The figures, and a new start."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        report = {
            "count": len(self.latencies),
            "last_at": self.last_at,
            "latencies": sorted(self.latencies),
            "cpu": used.ru_utime + used.ru_stime,
        }
        self.latencies = []
        return report


class Connection(asyncio.Protocol):
    """One connection of a client that does not pipeline."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[: head_end + 2].lower()
        start = head.find(b"content-length:") + 15
        length = int(head[start : head.find(b"\r\n", start)])
        body = self._buffer[head_end + 4 :]
        if len(body) < length:
            return
        self._buffer = b""
        self._figures.take(body)
        self._transport.write(ANSWER)


async def serve() -> None:
    """Receive until standard input ends."""
    loop = asyncio.get_running_loop()
    figures = Figures()
    server = await loop.create_server(lambda: Connection(figures), "127.0.0.1", 0)
    _say(server.sockets[0].getsockname()[1])
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while command := await commands.readline():
        if command == b"count\n":
            _say(len(figures.latencies))
        else:
            _say(figures.report())


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
