"""The answer of a target while it arrives: bytes in, an :class:`Answer` out. Used by
the worker process only; the parser is llhttp (httptools). No I/O here.

What a target can make us hold is bounded, whatever it sends: see the constants.
"""

from __future__ import annotations

from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from poussetaches.model.target import Target
from poussetaches.worker.connections import TransportError
from poussetaches.worker.steering import steering

#: Bytes in a row without any of a body among them: status line and headers, with those
#: of interim answers; trailers; chunk extensions.
MAX_HEAD = 65536
#: Header lines, with those of interim answers and trailers.
MAX_HEADER_LINES = 200
#: Interim (1xx) answers before the final one.
MAX_INTERIM = 10
#: Bytes on the wire per wanted byte of a body: chunks of one byte take six.
_MAX_FRAMING = 8


class Answer(NamedTuple):
    """What a target answered, whatever the status."""

    #: 200 to 999.
    status: int
    #: Names and values as received.
    headers: tuple[tuple[bytes, bytes], ...]
    #: As received (not inflated), at most as many bytes as were wanted.
    body: bytes
    #: There was more of the body.
    truncated: bool

    def header(self, name: str) -> str | None:
        """The value of a header, in any case; several are joined by commas."""
        wanted = name.lower().encode("ascii")
        found = [value for key, value in self.headers if key.lower() == wanted]
        return b", ".join(found).decode("latin-1") if found else None


class Reply:
    """One answer; the parser calls the ``on_`` methods, from within ``feed``."""

    __slots__ = (
        "_body",
        "_has_body",
        "_header_lines",
        "_headers",
        "_interim",
        "_max_body",
        "_max_tasks",
        "_parser",
        "_received",
        "_since_body",
        "_status",
        "_stopped_by",
        "_truncated",
        "finished",
        "keep_alive",
        "target",
    )

    def __init__(
        self, target: Target, max_body: int, max_tasks: int, *, has_body: bool
    ) -> None:
        self.target = target
        #: The answer is complete, or as much of it as is wanted.
        self.finished = False
        #: The connection can carry another exchange.
        self.keep_alive = False
        #: Bytes of a body to keep; of one that has tasks in it, where that is more.
        self._max_body = max_body
        self._max_tasks = max_tasks
        #: False for the answer to a HEAD, which has none whatever its headers say.
        self._has_body = has_body
        self._parser = HttpResponseParser(self)
        #: Of the final answer; 0 until its headers are complete.
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_lines = 0
        self._interim = 0
        self._body = bytearray()
        self._truncated = False
        #: Bytes: in all, and since the last one of a body.
        self._received = 0
        self._since_body = 0
        #: Why a callback stopped the parser; "" if none did.
        self._stopped_by = ""

    @property
    def has_begun(self) -> bool:
        """Whether anything has arrived."""
        return self._received > 0

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises :class:`TransportError` (``response``) for what is
        no HTTP, or too much of it."""
        body_before = len(self._body)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            # Stray bytes after a complete answer cost the connection, not the answer.
            if not self.finished:
                raise self._refusal(self._stopped_by or str(error)) from error
            self.keep_alive = False
        self._received += len(data)
        if len(self._body) > self._max_body and not self._may_have_more():
            del self._body[self._max_body :]
            self._truncated = self.finished = True
        elif not self.finished:
            self._bound(grown=len(self._body) > body_before, length=len(data))

    def end(self) -> None:
        """The target closed its side, which may be how it ends its answer. Raises
        :class:`TransportError` (``reset``) if it is not."""
        if self._status and self._ends_with_connection():
            self.finished = True
            return
        where = f"after status {self._status} but before the end of its answer"
        raise TransportError(
            "reset",
            f"{self.target.host_header} closed the connection "
            f"{where if self._status else 'without an answer'}",
        )

    def answer(self) -> Answer:
        """What arrived; the reply has to be finished, and is of no use afterwards."""
        # The parser holds methods of this object: without the cycle, no garbage for the
        # collector at every delivery.
        del self._parser
        return Answer(
            self._status, tuple(self._headers), bytes(self._body), self._truncated
        )

    def _bound(self, *, grown: bool, length: int) -> None:
        self._since_body = 0 if grown else self._since_body + length
        if self._since_body > MAX_HEAD:
            raise self._refusal(f"more than {MAX_HEAD} bytes of headers")
        if (
            self._received > MAX_HEAD + _MAX_FRAMING * self._max_body
            and not self._may_have_more()
        ):
            self._truncated = self.finished = True

    def _may_have_more(self) -> bool:
        """Whether what is too much for most answers is not too much for this one: of
        tasks, all are wanted. Asked only then, so that the others need not be looked
        at."""
        if self._max_body >= self._max_tasks or not steering(self._headers).tasks:
            return False
        self._max_body = self._max_tasks
        return len(self._body) <= self._max_body

    def _ends_with_connection(self) -> bool:
        for name, value in self._headers:
            match name.lower():
                case b"content-length":
                    return False
                case b"transfer-encoding" if value.lower().endswith(b"chunked"):
                    return False
        return True

    def _refusal(self, reason: str) -> TransportError:
        return TransportError(
            "response",
            f"{self.target.host_header} did not answer in proper HTTP: {reason}",
        )

    def _stop(self, reason: str) -> None:
        """Make the parser, whose callback we are in, give up."""
        self._stopped_by = reason
        raise ValueError(reason)

    def on_message_begin(self) -> None:
        if self.finished:
            self._stop("another answer after the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_lines += 1
        if self._header_lines > MAX_HEADER_LINES:
            self._stop(f"more than {MAX_HEADER_LINES} headers")
        # Trailers are no headers: a proxy may have let through what it would not there.
        if not self._status:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
            # The parser does not know of the HEAD, and goes on to read a body.
            self.finished = not self._has_body
            return
        if status < 100 or status == 101:
            self._stop(f"status {status}")
        self._interim += 1
        if self._interim > MAX_INTERIM:
            self._stop(f"more than {MAX_INTERIM} interim answers")
        self._headers.clear()

    def on_body(self, data: bytes) -> None:
        if self._has_body:
            self._body += data

    def on_message_complete(self) -> None:
        if self._status and self._has_body:
            self.finished = True
            self.keep_alive = self._parser.should_keep_alive()
