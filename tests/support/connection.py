"""A client that does as little as one can, on one connection it keeps."""

from __future__ import annotations

import json
import re
import socket
from types import TracebackType
from typing import Any, NamedTuple

_length_of = re.compile(rb"\r\nContent-Length: *(\d+)", re.I).search


class Answer(NamedTuple):
    """What a request was answered with."""

    status: int
    #: As they came.
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, head: bytes, body: bytes) -> Answer:
        """From its bytes, without the blank line."""
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        status = int(first.split(" ")[1])
        return cls(status, [(name, value) for name, value in pairs], body)

    def header(self, name: str) -> str:
        """The only header of that name; its spelling does not matter."""
        (found,) = [v for n, v in self.headers if n.lower() == name.lower()]
        return found

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def task(self) -> str:
        """The id of the task that a push made."""
        assert self.status == 201, self
        return self.header("Poussetaches-Task-Id")

    @property
    def error(self) -> dict[str, Any]:
        """What the caller did wrong: every error of that kind has the same form."""
        assert 400 <= self.status < 500, self
        assert self.header("Content-Type") == "application/json"
        assert list(self.json) == ["error"]
        found: dict[str, Any] = self.json["error"]
        assert list(found) == ["code", "message", "field"]
        assert found["message"]
        return found


class Connection:
    """To a port of this machine."""

    def __init__(self, port: int, *, timeout: float = 10.0) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        #: What came with the answer before.
        self._ahead = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.sock.close()

    def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Raises OSError if there is no whole answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n"
        self.send(head.encode() + b"\r\n" + body)
        return self.answer()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self) -> Answer:
        """The next one. Raises OSError if it does not come whole."""
        data = self._ahead
        while True:
            head, separator, body = data.partition(b"\r\n\r\n")
            if separator:
                found = _length_of(head)
                length = int(found[1]) if found else 0
                if len(body) >= length:
                    self._ahead = body[length:]
                    return Answer.of(head, body[:length])
            piece = self.sock.recv(262144)
            if not piece:
                raise ConnectionResetError("the service hung up")
            data += piece


def ask(port: int, method: str, path: str, body: bytes = b"") -> Answer:
    """Over a connection of its own."""
    with Connection(port) as connection:
        return connection.ask(method, path, body)
