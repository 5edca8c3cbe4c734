"""``tune``'s application: answers every POST with 200, after a given time.

A program of its own, to have a processor of its own as an application has:
``python -m poussetaches.cli.tune_receiver SECONDS`` prints its port, and serves until
its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys

HOST = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#: Connections that may wait to be taken: all attempts may begin at once.
BACKLOG = 4096


class Connection(asyncio.Protocol):
    """One connection of the service, which asks for nothing before it is answered."""

    def __init__(self, answer_time: float) -> None:
        self._answer_time = answer_time
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._received = b""
        if self._answer_time:
            loop = asyncio.get_running_loop()
            loop.call_later(self._answer_time, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)


def _content_length(head: bytes) -> int:
    """As the service sends it: always, and only once."""
    start = head.lower().index(b"\r\ncontent-length:") + 17
    return int(head[start:].partition(b"\r\n")[0])


async def serve(answer_time: float) -> None:
    """Receive until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(answer_time), HOST, 0, backlog=BACKLOG
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    await ended.read()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
