"""Bytes of HTTP/1.x in, complete requests out. Runs in the api; no socket, no clock.

llhttp, through httptools, does the grammar, and is strict: it refuses by itself a body
with two lengths or in two ways, a length that is not plain digits, bare line feeds,
folded headers, control characters and spaces where none belong. What it lets pass and a
careful server must not is refused when the headers are complete, before anything runs.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from poussetaches.api.budget import Budget
from poussetaches.api.environ import fill_environ
from poussetaches.api.refusal import (
    Refused,
    bad_request,
    body_too_large,
    head_too_large,
    no_room,
    not_implemented,
    unexpected,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the server."""

    #: Bytes of one request body, after de-chunking.
    max_body: int
    #: Seconds from the first byte of a request to the end of its headers.
    header_timeout: float = 10.0
    #: Seconds for the body of one request; as much again for taking the answer.
    body_timeout: float = 30.0
    #: Seconds a connection may be kept between two requests.
    idle_timeout: float = 75.0
    #: Header lines of one request.
    max_headers: int = 100
    #: Bytes of request line and headers together.
    max_header_bytes: int = 65536
    #: Connections open at once: one more takes the place of an idle one, or is refused.
    max_connections: int = 10000
    #: Bytes that all requests being read or handled, and all answers being sent, may
    #: have in memory. What the application makes of a body comes on top.
    max_held: int = 64 * 1024 * 1024


class Phase(enum.Enum):
    """Where in a request the bytes read so far end."""

    IDLE = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class Request(NamedTuple):
    """A request read completely."""

    #: As the WSGI application gets it; the body is in ``wsgi.input``.
    environ: WSGIEnvironment
    #: Whether the client lets the connection live on.
    keep_alive: bool
    #: Bytes of the body.
    size: int


#: Sees the head of a request; raises Refused if its body is not even to be read.
Admit = Callable[["WSGIEnvironment"], None]


def admit_all(environ: WSGIEnvironment) -> None:
    """Everybody is let in."""


#: A parser that knows nobody.
_ENDED = HttpRequestParser(object())


class RequestReader:
    """Reads the requests of one connection; the ``on_`` methods are for httptools."""

    def __init__(
        self,
        base: WSGIEnvironment,
        limits: Limits,
        budget: Budget,
        admit: Admit = admit_all,
    ) -> None:
        #: Where the bytes fed so far end.
        self.phase = Phase.IDLE
        #: Whether the client waits for "100 Continue" before it sends the body.
        self.expects_continue = False
        #: Why nothing more can be read, if so.
        self.refused: Refused | None = None
        #: Bytes kept of the request that is not complete yet.
        self.unfinished = 0
        self._base = base
        self._limits = limits
        self._budget = budget
        self._admit = admit
        self._parser = HttpRequestParser(self)
        self._complete: list[Request] = []
        #: Bytes fed since the parser last had something to tell: what it may be
        #: hoarding of an endless header, trailer or chunk extension.
        self._hoard = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._environ: WSGIEnvironment = {}
        self._has_body = False
        # Not a list of pieces: a hostile client makes them tiny, and each costs its
        # own overhead.
        self._body = BytesIO()
        self._body_size = 0
        self._upgrade = False

    def feed(self, data: bytes) -> list[Request]:
        """Read on; the requests complete by now. Look at ``refused`` afterwards."""
        complete: list[Request] = []
        self._complete = complete
        self._hoard += len(data)
        try:
            while data:
                data = self._parse(data)
            if self._hoard > self._limits.max_header_bytes:
                raise head_too_large(self._limits.max_header_bytes, "bytes")
        except Refused as refused:
            self.refused = refused
        if self.phase is Phase.IDLE and not complete:
            # Blank lines, which llhttp skips: they count as the start of a request,
            # or they could keep a connection open for ever.
            self.phase = Phase.HEAD
        in_head = self.phase is Phase.HEAD
        self.unfinished = self._hoard if in_head else self._body_size
        self._complete = []
        return complete

    @property
    def head(self) -> WSGIEnvironment:
        """Of the request that is not complete yet, if its headers are."""
        return self._environ

    def end(self) -> None:
        """Let go of everything. Nothing can be fed any more."""
        # We and the parser know each other: nobody else would part us for a long time.
        self._parser = _ENDED
        self._body = BytesIO()
        self._headers = []
        self._environ = {}

    def _parse(self, data: bytes) -> bytes:
        """Let llhttp read; what it must be given next, if anything."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            # We stay with HTTP/1.1, as one may; but llhttp would not read the body.
            # A fresh parser gets the same head again, without the wish.
            head = self._head_without_upgrade()
            self._parser = HttpRequestParser(self)
            return head + data[upgrade.args[0] :]
        except HttpParserCallbackError as error:
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            raise
        except HttpParserError as error:
            raise bad_request(f"This is not valid HTTP/1.1: {error}.") from None
        return b""

    def _head_without_upgrade(self) -> bytes:
        method = self._parser.get_method()
        version = self._parser.get_http_version().encode("ascii")
        lines = [b"%s %s HTTP/%s" % (method, self._url, version)]
        lines += [
            b"%s: %s" % (name, value)
            for name, value in self._headers
            if name.lower() != b"upgrade"
        ]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        self.phase = Phase.HEAD
        self._url = b""
        self._headers = []

    def on_url(self, piece: bytes) -> None:
        self._url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come this way too, after the headers were read: nobody needs them.
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._check_size()
        self._environ = environ = self._base.copy()
        fill_environ(
            environ,
            parser.get_method().decode("ascii"),
            self._url,
            parser.get_http_version(),
            self._headers,
        )
        self._admit(environ)
        self._check_framing(environ)
        self._upgrade = "HTTP_UPGRADE" in environ and parser.should_upgrade()
        self._hoard = 0
        self.phase = Phase.BODY

    def _check_size(self) -> None:
        limits = self._limits
        if len(self._headers) > limits.max_headers:
            raise head_too_large(limits.max_headers, "lines")
        size = len(self._url)
        for name, value in self._headers:
            size += len(name) + len(value)
        if size > limits.max_header_bytes:
            raise head_too_large(limits.max_header_bytes, "bytes")

    def _check_framing(self, environ: WSGIEnvironment) -> None:
        """Where the body ends, in one meaning only; llhttp has refused having two."""
        # The application gets the body de-chunked and must not do it again.
        coding = environ.pop("HTTP_TRANSFER_ENCODING", None)
        length = environ.get("CONTENT_LENGTH")
        self._has_body = coding is not None or length is not None
        if coding is not None:
            if environ["SERVER_PROTOCOL"] == "HTTP/1.0":
                raise bad_request("HTTP/1.0 has no Transfer-Encoding.")
            if coding.lower() != "chunked":
                raise not_implemented("The only Transfer-Encoding here is chunked.")
        elif length is not None and (
            # int() itself refuses thousands of digits, with a ValueError.
            len(length) > 18 or int(length) > self._limits.max_body
        ):
            raise body_too_large(self._limits.max_body)
        elif length is not None and not self._budget.has_room(int(length)):
            raise no_room()
        expect = environ.get("HTTP_EXPECT")
        # A client of HTTP/1.0 cannot mean it.
        if expect is not None and environ["SERVER_PROTOCOL"] == "HTTP/1.1":
            if expect.lower() != "100-continue":
                raise unexpected()
            self.expects_continue = True

    def on_body(self, piece: bytes) -> None:
        self._hoard = 0
        self.expects_continue = False
        self._body_size += len(piece)
        if self._body_size > self._limits.max_body:
            raise body_too_large(self._limits.max_body)
        self._body.write(piece)

    def on_message_complete(self) -> None:
        if self._upgrade:
            return
        environ = self._environ
        if self._has_body:
            environ["CONTENT_LENGTH"] = str(self._body_size)
        body, size = self._body, self._body_size
        body.seek(0)
        # Cuts off what was allocated ahead; so reading it all makes no copy.
        body.getvalue()
        environ["wsgi.input"] = body
        keep_alive = self._parser.should_keep_alive()
        self._complete.append(Request(environ, keep_alive, size))
        # An idle connection keeps nothing of its last request.
        self._headers = []
        self._environ = {}
        self._body = BytesIO()
        self._body_size = 0
        self._hoard = 0
        self.expects_continue = False
        self.phase = Phase.IDLE
