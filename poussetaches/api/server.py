"""The HTTP server of the api: connections and deadlines, and nothing about tasks.

A WSGI server on gevent sockets: one greenlet per connection, a request read completely
before the application sees it, the answer sent in one piece. What is a request is
``request.py``'s business, what is an answer ``answer.py``'s.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import wait as wait_for

from poussetaches.api.answer import Answer
from poussetaches.api.environ import base_environ
from poussetaches.api.refusal import Refused, failed, too_slow
from poussetaches.api.request import Limits, Phase, Request, RequestReader
from poussetaches.errors import PousseTachesError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from gevent.socket import socket as GeventSocket

log = logging.getLogger(__name__)

#: Bytes asked of the kernel at once.
_CHUNK = 65536
#: Seconds and bytes for which a closing connection is read on, see ``_linger``.
_LINGER_TIME = 2.0
_LINGER_BYTES = 64 * 1024 * 1024

#: Says an error in the api's own form, as a JSON body.
Render = Callable[[PousseTachesError], bytes]


class Server:
    """Serves ``app`` on a listening socket, which is the server's from now on."""

    def __init__(
        self,
        listener: socket.socket,
        app: WSGIApplication,
        limits: Limits,
        *,
        render: Render,
    ) -> None:
        # Another api process may take the connection that woke this one.
        listener.setblocking(False)
        self.app = app
        self.limits = limits
        self.render = render
        self.address = listener.getsockname()
        #: Connections between two requests, and until when they may be (monotonic).
        #: All are given as much time, so they stand in the order of their ends.
        self.idle: dict[_Connection, float] = {}
        #: Whether a connection ends with the request it is at.
        self.stopping = False
        self._stream = StreamServer(
            listener, self._serve, spawn=Pool(limits.max_connections)
        )
        # The other api processes accept from the same socket: leave them their share.
        self._stream.max_accept = 1

    def start(self) -> None:
        """Begin to accept, in the background."""
        self._stream.start()
        self._reaper = gevent.spawn(self._reap)

    def stop(self, timeout: float) -> None:
        """Stop accepting, close what is idle, wait until what was begun is answered.

        Connections still busy after ``timeout`` seconds are cut off.
        """
        self.stopping = True
        for connection in self.idle:
            connection.interrupt()
        self._stream.stop(timeout)
        self._reaper.kill()

    def _serve(self, sock: GeventSocket, peer: object) -> None:
        _Connection(self, sock, peer).run()

    def _reap(self) -> None:
        """Close connections that were idle for too long; one timer for all of them."""
        while True:
            now = time.monotonic()
            pause = self.limits.idle_timeout
            for connection, end in self.idle.items():
                if end > now:
                    pause = end - now
                    break
                connection.interrupt()
            gevent.sleep(pause)


class _Connection:
    """One client, from accept to close."""

    def __init__(self, server: Server, sock: GeventSocket, peer: object) -> None:
        self._server = server
        self._sock = sock
        self._peer = peer
        self._reader = RequestReader(base_environ(server.address, peer), server.limits)
        self._readable = gevent.get_hub().loop.io(sock.fileno(), 1)

    def run(self) -> None:
        sock = self._sock
        try:
            # For sending: an answer must be taken within this time, too.
            sock.settimeout(self._server.limits.body_timeout)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._converse():
                self._linger()
        except OSError as error:
            log.debug("the connection of %s is gone: %s", self._peer, error)
        finally:
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
            for request in requests:
                is_last = request is requests[-1]
                if not self._answer(request, is_last=is_last):
                    return True
                if not is_last:
                    # A pipeline holds a thousand requests: let others have a turn.
                    gevent.sleep(0)
            if reader.refused is not None:
                self._refuse(reader.refused)
                return True
            if reader.expects_continue:
                reader.expects_continue = False
                self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            patience = None
            if requests or reader.phase is not phase:
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
            del server.idle[self]

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
                "%s %r failed", environ["REQUEST_METHOD"], environ["PATH_INFO"]
            )
            self._refuse(failed(), head_only=head_only)
            return False
        sent = self._sock.send(data)
        if sent < len(data):
            self._sock.sendall(memoryview(data)[sent:])
        return keep

    def _refuse(self, refused: Refused, *, head_only: bool = False) -> None:
        """Answer with an error of ours; the connection is of no use after it."""
        log.debug("%s for %s: %s", refused.status, self._peer, refused.error)
        body = self._server.render(refused.error)
        answer = Answer(refused.status, [("Content-Type", "application/json")], body)
        self._sock.sendall(
            answer.encode(time.time(), head_only=head_only, connection="close")
        )

    def _linger(self) -> None:
        """Read on for a moment before closing.

        The kernel answers close() on a socket with unread bytes with a reset, which can
        destroy our answer before a client that is still sending has read it.
        """
        self._sock.shutdown(socket.SHUT_WR)
        trash = bytearray(_CHUNK)
        total = 0
        with gevent.Timeout(_LINGER_TIME, TimeoutError("it would not end")):
            while total < _LINGER_BYTES and (size := self._sock.recv_into(trash)):
                total += size
