"""Calls a WSGI application for one request, puts its answer into bytes. In the api.

The answer is gathered whole before its first byte is sent: so its length is known, an
application that fails half-way still gives a clean 500, and it goes out in one send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING
from wsgiref.util import is_hop_by_hop

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_is_status = re.compile(r"[2-5]\d\d( [\x20-\x7e]*)?").fullmatch
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
#: Answers that have no body, and so no length either.
_BODILESS = frozenset({"204", "304"})
#: Headers that are the server's to say.
_OURS = frozenset({"content-length", "date", "server"})


class BadAnswer(Exception):
    """The application broke the rules of WSGI or HTTP: a bug in it."""


@lru_cache(maxsize=64)
def _status_line(status: str) -> str:
    if not _is_status(status):
        raise BadAnswer(f"not a status: {status!r}")
    return f"HTTP/1.1 {status}"


@lru_cache(maxsize=256)
def _header_key(name: str) -> str:
    if not _is_token(name) or is_hop_by_hop(name):
        raise BadAnswer(f"not a header an application may set: {name!r}")
    return name.lower()


@lru_cache(maxsize=1)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"


class Answer:
    """Status, headers and body of one answer; ``start`` is WSGI's start_response."""

    def __init__(
        self,
        status: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._written: list[bytes] = []

    @classmethod
    def of(cls, app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
        """Call ``app``; raises whatever it raises, and BadAnswer."""
        answer = cls()
        parts = app(environ, answer.start)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        if not answer.status:
            raise BadAnswer("start_response was not called")
        if answer._written:
            body = b"".join(answer._written) + body
        answer.body = body
        return answer

    def start(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: OptExcInfo | None = None,
        /,
    ) -> Callable[[bytes], object]:
        if self.status and exc_info is None:
            raise BadAnswer("start_response was called twice")
        # With exc_info, an error answer takes the place of all there was: nothing is
        # sent yet, so there is never a reason to raise it again.
        self._written.clear()
        self.status = status
        self.headers = headers
        return self._written.append

    def encode(self, now: float, *, head_only: bool, connection: str | None) -> bytes:
        """The bytes to send at ``now`` (posix seconds).

        ``connection`` is what to say of the connection's future, if it must be said.
        Raises BadAnswer, TypeError or ValueError if the answer cannot be sent.
        """
        body = self.body
        lines = [
            _status_line(self.status),
            "Server: poussetaches",
            _date_line(int(now)),
        ]
        length = None
        for name, value in self.headers:
            key = _header_key(name)
            if key not in _OURS:
                lines.append(name + ": " + value)
            elif key == "content-length":
                length = value
        if self.status[:3] in _BODILESS:
            body = b""
        elif head_only:
            # The length a GET would have brought: only the application may know it.
            if length is not None or body:
                lines.append(f"Content-Length: {length or len(body)}")
            body = b""
        elif length is None or length == str(len(body)):
            lines.append(f"Content-Length: {len(body)}")
        else:
            raise BadAnswer(f"Content-Length is {length}, the body has {len(body)}")
        if connection is not None:
            lines.append(f"Connection: {connection}")
        head = "\r\n".join(lines)
        # One check for all values: whoever smuggles in a line makes one too many.
        ends = len(lines) - 1
        if head.count("\n") != ends or head.count("\r") != ends or "\0" in head:
            raise BadAnswer(f"line end or NUL in a header: {self.headers!r}")
        return head.encode("latin-1") + b"\r\n\r\n" + body
