"""A client that sends just the bytes it is told, and a server to send them to.

Both live in the test's own thread, as greenlets: the sockets of the client are gevent's.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import gevent
from gevent.socket import socket as GeventSocket

from poussetaches.api.request import Limits
from poussetaches.api.server import Server
from poussetaches.errors import PousseTachesError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Seconds until something that should happen is taken to have failed.
PATIENCE = 5.0


class Reply(NamedTuple):
    """An answer of the server."""

    #: As in its first line.
    status: int
    #: Names in small letters.
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection."""

    def __init__(self, address: object) -> None:
        # Connected by a blocking socket: gevent's would start a thread to look up the
        # address.
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        plain = socket.socket(family)
        plain.connect(address)
        self.socket = GeventSocket(family, fileno=plain.detach())
        self.socket.settimeout(PATIENCE)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        """Send byte after byte, until the server has had enough of it."""
        for n in range(len(data)):
            try:
                self.socket.sendall(data[n : n + 1])
            except ConnectionError:
                return
            gevent.sleep(pause)

    def read(self, *, head_only: bool = False) -> Reply:
        """The next answer; EOFError if the server has closed the connection."""
        first = self._file.readline()
        if not first:
            raise EOFError
        version, status, _ = first.decode("latin-1").split(" ", 2)
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        while (line := self._file.readline().decode("latin-1")) != "\r\n":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = 0 if head_only else int(headers.get("content-length", 0))
        return Reply(int(status), headers, self._file.read(size))

    def ask(self, data: bytes) -> Reply:
        self.send(data)
        return self.read()

    def read_all(self) -> list[Reply]:
        """All answers until the server closes the connection."""
        replies = []
        with contextlib_eof():
            while True:
                replies.append(self.read())
        return replies

    def is_closed(self) -> bool:
        """Whether the server closes, or has closed, without another word."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextmanager
def contextlib_eof() -> Iterator[None]:
    try:
        yield
    except EOFError:
        pass
