"""Single pushes for ``tune``, cheaply: the same processors do the pushing and what
is measured."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from poussetaches.cli.own_service import HOST
from poussetaches.errors import Unavailable

#: Connections, with one push at a time on each: the service syncs once for all that
#: come at the same moment.
CONNECTIONS = 32
#: How long an answer may take, seconds.
TIMEOUT = 10.0

ACCEPTED = b"HTTP/1.1 201 "
END_OF_HEAD = b"\r\n\r\n"


class Pushed(NamedTuple):
    """What became of it."""

    tasks: int
    seconds: float

    @property
    def rate(self) -> float:
        """Pushes a second."""
        return self.tasks / self.seconds if self.tasks else 0.0


def push(
    port: int,
    task: Mapping[str, Any],
    count: int,
    *,
    seconds: float,
    tell: Callable[[int], object],
) -> Pushed:
    """Push ``task`` so many times, or as often as is possible in ``seconds``.

    ``tell`` hears now and then how many were accepted; what it raises ends it all.
    Raises Unavailable if the service does not accept one.
    """
    request = _request(task)
    try:
        return _pushed(port, request, count, seconds, tell)
    except OSError as error:
        raise Unavailable(f"pushing broke off: {error.strerror or error}") from error


def _pushed(
    port: int,
    request: bytes,
    count: int,
    seconds: float,
    tell: Callable[[int], object],
) -> Pushed:
    sent = accepted = 0
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        connections = [
            stack.enter_context(socket.create_connection((HOST, port), TIMEOUT))
            for _ in range(min(CONNECTIONS, count))
        ]
        began = time.monotonic()
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.sendall(request)
            sent += 1
        while accepted < sent:
            ready = selector.select(TIMEOUT)
            if not ready:
                raise Unavailable(f"no push was answered within {TIMEOUT:g} s")
            more = time.monotonic() - began < seconds
            for key, _ in ready:
                connection = key.data
                _read_answer(connection)
                accepted += 1
                if more and sent < count:
                    connection.sendall(request)
                    sent += 1
            tell(accepted)
        return Pushed(accepted, time.monotonic() - began)


def _request(task: Mapping[str, Any]) -> bytes:
    body = json.dumps(task).encode()
    return (
        b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (HOST.encode(), len(body), body)
    )


def _read_answer(connection: socket.socket) -> None:
    """Read a 201, which has no body. Raises Unavailable for anything else."""
    answer = b""
    while not answer.endswith(END_OF_HEAD):
        data = connection.recv(65536)
        if not data:
            raise Unavailable("the service ended a connection instead of an answer")
        answer += data
        if len(answer) >= len(ACCEPTED) and not answer.startswith(ACCEPTED):
            said = answer.partition(b"\r\n")[0].decode("latin-1")
            raise Unavailable(f"a push was answered with {said!r}")
