"""An application that takes its time, on many ports, some of which never answer.

A process of its own: ``python -m bench.slow_receiver DELAY PORTS HANGING``. Answers
each POST with 200 after DELAY seconds; at the last HANGING of its PORTS, not at all.
Prints its first port, then answers each line of its standard input with JSON:
``ports``; ``counts``, what has arrived at each; ``arrivals``, for each task in their
order its payload, which port, and when (monotonic seconds, wall clock).
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import deque

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
READ = selectors.EVENT_READ
#: epoll sleeps whole milliseconds: half of one early is on time, on average. Seconds.
EARLY = 0.0005


class Connection:
    """One connection of a client that does not pipeline."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        #: Which of the ports, from 0.
        self.port = port
        self._buffer = b""

    def request(self) -> bytes | None:
        """The body that is complete now; None: not yet. Raises EOFError at its end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        start = head.lower().find(b"content-length:") + 15
        if len(body) < int(head[start : (head + b"\r\n").find(b"\r\n", start)]):
            return None
        self._buffer = b""
        return body


class Receiver:
    """All of its ports and connections, in one loop."""

    def __init__(self, delay: float, ports: int, hanging: int) -> None:
        self._delay = delay
        self._answering = ports - hanging
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, READ, None)
        self.ports = [self._listen(index) for index in range(ports)]
        self._counts = [0] * ports
        self._arrivals: list[tuple[str, int, float, float]] = []
        #: Whom to answer, and when (monotonic): all wait equally long.
        self._owed: deque[tuple[float, Connection]] = deque()

    def serve(self) -> None:
        """Until standard input ends."""
        while True:
            pause = None
            if self._owed:
                pause = max(0.0, self._owed[0][0] - EARLY - time.monotonic())
            for key, _ in self._selector.select(pause):
                if key.data is None:
                    if not (line := sys.stdin.readline()):
                        return
                    self._answer(line.strip())
                elif isinstance(key.data, Connection):
                    self._receive(key.data)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    sock, _ = key.fileobj.accept()
                    connection = Connection(sock, key.data)
                    self._selector.register(sock, READ, connection)
            now = time.monotonic() + EARLY
            while self._owed and self._owed[0][0] <= now:
                _, connection = self._owed.popleft()
                if connection.sock.fileno() >= 0:
                    connection.sock.send(ANSWER)

    def _listen(self, index: int) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._selector.register(listener, READ, index)
        port: int = listener.getsockname()[1]
        return port

    def _receive(self, connection: Connection) -> None:
        try:
            body = connection.request()
        except EOFError:
            self._selector.unregister(connection.sock)
            connection.sock.close()
            return
        if body is None:
            return
        now, wall = time.monotonic(), time.time()
        payload = body.split(b'"', 4)[3].decode()
        self._counts[connection.port] += 1
        self._arrivals.append((payload, connection.port, now, wall))
        if connection.port < self._answering:
            self._owed.append((now + self._delay, connection))

    def _answer(self, question: str) -> None:
        if question == "ports":
            say(self.ports)
        elif question == "counts":
            say(self._counts)
        else:
            say(self._arrivals)


def say(value: object) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    delay, ports, hanging = sys.argv[1:]
    receiver = Receiver(float(delay), int(ports), int(hanging))
    say(receiver.ports[0])
    receiver.serve()
