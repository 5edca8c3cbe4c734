"""A client that sends just the bytes it is told, and a server to send them to.

Both live in the test's own thread, as greenlets: the client's sockets are gevent's.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import gevent
from gevent.socket import socket as GeventSocket

from poussetaches.api.request import admit_all
from poussetaches.api.server import Server
from poussetaches.errors import PousseTachesError
from tests.api.corpus import LIMITS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from poussetaches.api.request import Admit, Limits

#: Seconds after which something that should have happened has not.
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

    def __init__(self, address: tuple[str, int] | str) -> None:
        # Connected as a blocking socket: gevent's would start a thread for the address.
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        with socket.socket(family) as plain:
            plain.connect(address)
            self.socket = GeventSocket(family, fileno=plain.detach())
        self.socket.settimeout(PATIENCE)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, byte: bytes, pause: float) -> None:
        """Send the same byte again and again, until the connection is closed."""
        with suppress(OSError):
            while True:
                self.send(byte)
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
            assert line.endswith("\r\n")
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
        with suppress(EOFError):
            while True:
                replies.append(self.read())
        return replies

    def is_closed(self) -> bool:
        """Waits; true if the server closes without another word."""
        return not self._file.read(1)

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Recorder:
    """An application that tells what it was asked, and remembers."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> list[bytes]:
        self.calls.append(environ["PATH_INFO"])
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        told = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} "
        return [told.encode("latin-1"), body]


def render(error: PousseTachesError) -> bytes:
    told = {"code": error.code, "message": error.message, "field": error.field}
    return json.dumps({"error": told}).encode()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def eventually(condition: Callable[[], bool]) -> None:
    """Let the others run until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        gevent.sleep(0.002)


class Site(NamedTuple):
    """A running server."""

    server: Server
    address: tuple[str, int] | str

    def client(self) -> Client:
        return Client(self.address)


@contextmanager
def serving(
    app: WSGIApplication,
    limits: Limits = LIMITS,
    path: str | None = None,
    admit: Admit = admit_all,
) -> Iterator[Site]:
    """Serve ``app`` at a free port, or at a Unix socket; nothing may be left over."""
    # Its own sockets, once, before they are counted.
    gevent.sleep(0)
    before = open_files()
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.bind(path or ("127.0.0.1", 0))
    listener.listen(1000)
    address = listener.getsockname()
    server = Server(listener, app, limits, render=render, admit=admit)
    server.start()
    try:
        yield Site(server, address)
    finally:
        server.stop(PATIENCE)
    assert not server.idle
    eventually(lambda: open_files() <= before)
