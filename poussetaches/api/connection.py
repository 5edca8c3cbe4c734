"""One connection of the HTTP server: its requests, its deadlines. Runs in the api."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import gevent
from gevent.socket import wait as wait_for

from poussetaches.api.answer import Answer
from poussetaches.api.environ import base_environ
from poussetaches.api.refusal import Refused, failed, no_room, too_slow
from poussetaches.api.request import Phase, Request, RequestReader
from poussetaches.api.request_id import HEADER, given_id, request_id
from poussetaches.log import fields

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from gevent.socket import socket as GeventSocket

    from poussetaches.api.server import Server

log = logging.getLogger(__name__)

#: Bytes asked of the kernel at once.
_CHUNK = 65536
#: Seconds and bytes for which a closing connection is read on, see ``_linger``.
_LINGER_TIME = 2.0
_LINGER_BYTES = 64 * 1024 * 1024
#: What is read then: by all of them into the same place, as nobody looks at it.
_TRASH = bytearray(_CHUNK)


class Connection:
    """One client, from accept to close."""

    def __init__(self, server: Server, sock: GeventSocket, peer: object) -> None:
        self._server = server
        self._sock = sock
        self._peer = peer
        self._reader = RequestReader(
            base_environ(server.address, peer),
            server.limits,
            server.budget,
            server.admit,
        )
        #: Bytes of the server's budget.
        self._held = 0
        self._readable = gevent.get_hub().loop.io(sock.fileno(), 1)

    def run(self) -> None:
        sock = self._sock
        try:
            # For sending: an answer must be taken within this time, too.
            sock.settimeout(self._server.limits.body_timeout)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._converse():
                self._forget()
                self._linger()
        except OSError as error:
            log.debug("the connection of %s is gone: %s", self._peer, error)
        finally:
            self._forget()
            self._readable.close()
            sock.close()

    def interrupt(self) -> None:
        """End the wait for a next request; one that has arrived by now is still read.

        So nothing needs to be thrown into a greenlet that may have gone on meanwhile.
        """
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def _converse(self) -> bool:
        """Answer request after request; true if the last word was ours."""
        limits = self._server.limits
        reader = self._reader
        # A new connection has as long to begin its first request as to end its head.
        patience: float | None = limits.header_timeout
        end = 0.0
        while True:
            phase = reader.phase
            try:
                if phase is Phase.IDLE:
                    self._await_request(patience)
                else:
                    self._await_rest(end)
            except TimeoutError:
                if phase is Phase.IDLE:
                    return False
                self._refuse(too_slow(phase.name.lower()))
                return True
            data = self._sock.recv(_CHUNK)
            if not data:
                return False
            requests = reader.feed(data)
            del data
            answered = len(requests)
            size = reader.unfinished
            for request in requests:
                size += request.size
            if not self._hold(size):
                self._refuse(no_room())
                return True
            while requests:
                request = requests.pop(0)
                if not self._answer(request, is_last=not requests):
                    return True
                # bottle remembers the last one, body and all, until the next one comes.
                request.environ.clear()
                self._hold(self._held - request.size)
                if requests:
                    # A pipeline holds a thousand requests: let others have a turn.
                    self._server.take_turn()
            if reader.refused is not None:
                self._refuse(reader.refused)
                return True
            if reader.expects_continue:
                reader.expects_continue = False
                self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            patience = None
            if answered or reader.phase is not phase:
                is_head = reader.phase is Phase.HEAD
                seconds = limits.header_timeout if is_head else limits.body_timeout
                end = time.monotonic() + seconds

    def _await_request(self, patience: float | None) -> None:
        """Wait for the first byte of a request, at most ``patience`` seconds if given.

        The idle timeout costs no timer of its own here, where most waits are.
        """
        server = self._server
        if server.stopping:
            self.interrupt()
        server.idle[self] = time.monotonic() + server.limits.idle_timeout
        try:
            wait_for(self._readable, patience)
        finally:
            server.idle.pop(self, None)

    def _await_rest(self, end: float) -> None:
        """Wait for more of a request until ``end`` (monotonic), however much comes."""
        seconds = end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        wait_for(self._readable, seconds)

    def _answer(self, request: Request, *, is_last: bool) -> bool:
        """Run the application and send its answer; whether the connection lives on."""
        server = self._server
        environ = request.environ
        head_only = environ["REQUEST_METHOD"] == "HEAD"
        connection: str | None = None
        try:
            answer = Answer.of(server.app, environ)
            if "HTTP_X_REQUEST_ID" in environ or answer.status >= "4":
                _name(answer, environ)
            # What was begun is answered, so only the very last answer may say close.
            is_end = server.stopping and is_last and self._reader.phase is Phase.IDLE
            keep = request.keep_alive and not is_end
            if not keep:
                connection = "close"
            elif environ["SERVER_PROTOCOL"] == "HTTP/1.0":
                connection = "keep-alive"
            data = answer.encode(
                time.time(), head_only=head_only, connection=connection
            )
        except (Exception, gevent.Timeout):
            log.exception(
                "%s %r failed",
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                extra=fields(request=request_id(environ)),
            )
            self._refuse(failed(), environ)
            return False
        if log.isEnabledFor(logging.DEBUG):
            _tell(answer, environ)
        sent = self._sock.send(data)
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:])
        return keep

    def _hold(self, size: int) -> bool:
        """Have ``size`` bytes of the budget; false if so many are not left."""
        held = self._held
        if size != held:
            budget = self._server.budget
            if size > held and not budget.has_room(size, held=held):
                return False
            budget.held += size - held
            self._held = size
        return True

    def _forget(self) -> None:
        """Nothing is read any more: what was read has to go, from memory, too."""
        self._reader.end()
        self._hold(0)

    def _send_rest(self, data: memoryview) -> None:
        """Send what the client is slow to take, for as long as others need no room."""
        budget = self._server.budget
        if budget.is_spent():
            raise ConnectionAbortedError("there is no room for slow readers")
        budget.held += len(data)
        try:
            self._sock.sendall(data)
        finally:
            budget.held -= len(data)

    def _refuse(self, refused: Refused, environ: WSGIEnvironment | None = None) -> None:
        """Say no to the request of ``environ``, or to what is there of the next one."""
        environ = self._reader.head if environ is None else environ
        id = request_id(environ)
        log.debug(
            "%s for %s: %s",
            refused.status,
            self._peer,
            refused.error,
            extra=fields(request=id),
        )
        head_only = environ.get("REQUEST_METHOD") == "HEAD"
        self._sock.sendall(
            self._server.refusal(refused, head_only=head_only, request=id)
        )

    def _linger(self) -> None:
        """Read on for a moment before closing.

        The kernel answers close() on a socket with unread bytes with a reset, which can
        destroy our answer before a client that is still sending has read it.
        """
        self._sock.shutdown(socket.SHUT_WR)
        total = 0
        with gevent.Timeout(_LINGER_TIME, TimeoutError("it would not end")):
            while total < _LINGER_BYTES and (size := self._sock.recv_into(_TRASH)):
                total += size


def _name(answer: Answer, environ: WSGIEnvironment) -> None:
    """Have the answer say which request it is to: who gave its id looks for it, and who
    is told no may want to ask about it."""
    if answer.status >= "4" or given_id(environ):
        answer.headers = [*answer.headers, (HEADER, request_id(environ))]


def _tell(answer: Answer, environ: WSGIEnvironment) -> None:
    """All requests, for who wants to know it that exactly. Without the query, in which
    anything may stand."""
    told: dict[str, object] = {
        "status": int(answer.status[:3]),
        "request": request_id(environ),
    }
    for name, value in answer.headers:
        if name == "Poussetaches-Task-Id":
            told["task"] = value
    log.debug(
        "%s %r",
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        extra=fields(**told),
    )
