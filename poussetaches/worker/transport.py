"""One HTTP/1.1 exchange: a request out, its answer back, or a :class:`TransportError`.
Used by the worker process only, under gevent.

What a delivery relies on:

- One deadline covers all of it, from the resolver to the last byte of the answer.
- The request is on the wire at most once. It is sent again, on a new connection, only
  if a kept connection took none of its bytes.
- A connection that ends before a byte of the answer has come is told apart: if it ends
  by a reset, or did not take the whole request, the request is ``unread``. A server
  that goes away closes the connections it keeps, and the system resets those that it
  had not yet taken or not read to the end, also when a request crosses with their end;
  a process that had read all of a request and died is seen as a plain end (``reset``).
- Nothing is followed, inflated, or read from the environment: a redirect is an answer,
  a compressed body stays compressed, there are no proxies and no ``.netrc``.
- What a target can make us hold is bounded: by ``max_response``, by ``max_tasks`` if it
  answers with follow-up tasks, and in ``reply.py``.
- However it ends, by deadline, by kill or by error, its connection is closed or pooled.
"""

from __future__ import annotations

import gevent
from gevent.ssl import SSLContext, SSLError

from poussetaches.model.request_head import Headers, encode_head
from poussetaches.model.target import Target
from poussetaches.worker.connections import (
    Connection,
    Expired,
    IdlePool,
    TransportError,
)
from poussetaches.worker.dialer import Dialer, Resolve, resolve
from poussetaches.worker.reply import Answer, Reply

__all__ = ["Answer", "Transport", "TransportError"]

#: Bytes asked of the kernel at once. A whole TLS record (16 KiB) has to fit: what is
#: left of one waits in the TLS layer, where no event loop sees it.
_RECEIVE = 65536
#: Bytes of the body that leave together with the head.
_JOINED = 65536
#: Instead of a number of bytes: the connection was broken before it took the first one.
_NOT_TAKEN = -1


class Transport:
    """Sends requests, keeps connections for the next one. One per worker process."""

    def __init__(
        self,
        *,
        max_response: int,
        max_tasks: int = 0,
        idle_timeout: float = 10.0,
        connect_timeout: float = 10.0,
        max_idle: int = 256,
        resolve: Resolve = resolve,
        ssl_context: SSLContext | None = None,
    ) -> None:
        """*max_response* is in bytes, and so is *max_tasks*, which bounds an answer
        that is follow-up tasks, where it is more. The timeouts are in seconds
        (*connect_timeout* for each address of a host); *max_idle* connections are kept
        over all origins. TLS is verified with the system's certificates (or
        SSL_CERT_FILE, which OpenSSL reads) unless *ssl_context* says otherwise.
        """
        self._max_response = max_response
        self._max_tasks = max_tasks
        self._idle = IdlePool(idle_timeout=idle_timeout, max_idle=max_idle)
        self._dialer = Dialer(
            connect_timeout=connect_timeout, resolve=resolve, ssl_context=ssl_context
        )

    def request(
        self,
        target: Target,
        method: str,
        headers: Headers,
        body: bytes,
        *,
        timeout: float,
        fixed: bytes = b"",
    ) -> Answer:
        """One exchange with *target* within *timeout* seconds. *fixed*: more headers,
        as ``encode_headers`` has made them.

        Raises :class:`TransportError`; or :class:`InvalidInput` for a method or header
        that cannot be sent.
        """
        head = encode_head(method, target, headers, len(body), fixed)
        deadline = gevent.get_hub().loop.timer(timeout)
        # Counted from now, not from when the loop last looked at the clock: in a busy
        # worker that is long ago.
        deadline.start(gevent.getcurrent().throw, Expired(), update=True)
        try:
            return self._exchange(target, method, head, body, timeout)
        except Expired:
            raise TransportError(
                "timeout",
                f"no complete answer from {target.host_header} within {timeout:g} s",
            ) from None
        finally:
            deadline.close()

    def close(self) -> None:
        """Close the idle connections. Requests under way end as they would have."""
        self._idle.close()

    def _exchange(
        self, target: Target, method: str, head: bytes, body: bytes, timeout: float
    ) -> Answer:
        reply = Reply(
            target, self._max_response, self._max_tasks, has_body=method != "HEAD"
        )
        first = head + body[:_JOINED]
        all_sent = False
        connection, sent = self._begin(target, first, timeout)
        try:
            if sent == len(first) and len(body) <= _JOINED:
                all_sent = True
            elif sent == _NOT_TAKEN:
                pass  # an answer may still be in it
            else:
                rest = memoryview(body)[_JOINED:]
                all_sent = _send(connection, first[sent:], rest, reply)
            while not reply.finished:
                connection.wait_readable()
                _pull(connection, reply)
        except BaseException as error:
            is_unread = (
                isinstance(error, TransportError)
                and error.kind == "reset"
                and not reply.has_begun
                and (
                    not all_sent
                    or isinstance(error.__cause__, ConnectionError)
                    or connection.is_reset_soon()
                )
            )
            connection.close()
            if isinstance(error, TransportError) and error.kind == "reset":
                if sent == _NOT_TAKEN:
                    error.kind = "connect"
                elif is_unread:
                    error.kind = "unread"
                self._idle.distrust(connection)
            raise
        if all_sent and reply.keep_alive:
            self._idle.give(connection)
        else:
            connection.close()
        return reply.answer()

    def _begin(
        self, target: Target, first: bytes, timeout: float
    ) -> tuple[Connection, int]:
        """A connection, and how many bytes of *first* it has already taken, or
        ``_NOT_TAKEN``."""
        connection = self._idle.take(target.origin)
        if connection is not None:
            try:
                return connection, connection.send(first)
            except OSError as error:
                connection.close()
                # A failed TLS write may have passed some of it to the kernel.
                if target.scheme == "https":
                    raise _broken(target, error) from error
        connection = self._dialer.dial(target, timeout)
        try:
            return connection, connection.send(first)
        except OSError:
            # Again, what a failed TLS write has done nobody knows.
            return connection, _NOT_TAKEN if target.scheme == "http" else 0


def _send(connection: Connection, first: bytes, rest: memoryview, reply: Reply) -> bool:
    """Send all, taking in what comes back meanwhile: a target that waits for us to read
    before it reads on must not wait for ever. False if its answer made the rest
    needless, or if the connection takes no more; an answer may still be in it."""
    for piece in (memoryview(first), rest):
        left = piece
        while left:
            try:
                sent = connection.send(left)
            except OSError:
                return False
            left = left[sent:]
            if not sent:
                connection.wait_readable_or_writable()
                _pull(connection, reply)
                if reply.finished:
                    return False
    return True


def _pull(connection: Connection, reply: Reply) -> None:
    """Hand what has arrived, if anything has, to *reply*."""
    try:
        data = connection.receive(_RECEIVE)
    except OSError as error:
        raise _broken(reply.target, error) from error
    if data is None:
        return
    if data:
        reply.feed(data)
    else:
        reply.end()


def _broken(target: Target, error: OSError) -> TransportError:
    kind = "tls" if isinstance(error, SSLError) else "reset"
    return TransportError(
        kind,
        f"the connection to {target.host_header} broke before its answer was complete: "
        f"{error.strerror or error}",
    )
