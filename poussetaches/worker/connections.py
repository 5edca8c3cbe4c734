"""Connections to targets: one socket each, and the pool of those that wait for more
work. Used by the worker process only.

There is no limit of connections here, so there are no slots that could be lost: a
connection is owned by the one delivery that uses it, which either closes it or gives it
to the pool. The credit of the worker limits how many there are.
"""

from __future__ import annotations

import select
from time import monotonic
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.socket import socket
from gevent.ssl import SSLWantReadError, SSLWantWriteError

from poussetaches.errors import PousseTachesError
from poussetaches.model.target import Origin

#: Raised by a socket, plain or TLS, that would have to wait.
_WOULD_BLOCK = (BlockingIOError, SSLWantReadError, SSLWantWriteError)

_READ, _WRITE = 1, 2

#: The system's own, whether or not this process is patched.
_poll = get_original("select", "poll")


class TransportError(PousseTachesError):
    """An exchange that brought no complete answer."""

    code = "transport"

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        #: ``dns``, ``connect``: the target has seen nothing of the request. ``tls``: no
        #: secure connection. ``timeout``, ``reset`` (broken off), ``protocol`` (what it
        #: sent is no proper HTTP): the target may have acted on it.
        self.kind = kind


class Connection:
    """A connected socket that never blocks, and what is needed to wait for it."""

    __slots__ = ("_hub", "_poll", "_readable", "idle_since", "origin", "sock")

    def __init__(self, sock: socket, origin: Origin) -> None:
        sock.settimeout(0.0)
        self.sock = sock
        self.origin = origin
        #: Monotonic seconds; only meaningful in the pool.
        self.idle_since = 0.0
        self._hub = gevent.get_hub()
        # Kept over the connection's life: making one for each wait costs as much again.
        self._readable = self._hub.loop.io(sock.fileno(), _READ)
        # Not select(), which knows no descriptor above 1023; not gevent's: it yields.
        self._poll = _poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def send(self, data: bytes | memoryview) -> int:
        """Send what fits without waiting; the number of bytes, perhaps 0."""
        try:
            return self.sock.send(data)
        except _WOULD_BLOCK:
            return 0

    def receive(self, size: int) -> bytes | None:
        """What has arrived, b"" at the end of the stream, None if nothing has."""
        try:
            return self.sock.recv(size)
        except _WOULD_BLOCK:
            return None

    def wait_readable(self) -> None:
        self._hub.wait(self._readable)

    def wait_readable_or_writable(self) -> None:
        """For the rare request that does not fit into the socket's buffer at once."""
        watcher = self._hub.loop.io(self.sock.fileno(), _READ | _WRITE)
        try:
            self._hub.wait(watcher)
        finally:
            watcher.close()

    def is_stale(self) -> bool:
        """Whether an idle connection is of no use any more: it was closed, it broke, or
        bytes came that nobody asked for. Each makes it readable. Never waits."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        self._readable.close()
        self.sock.close()


class IdlePool:
    """Connections between two exchanges: the last one given is the first one taken."""

    def __init__(self, *, idle_timeout: float, max_idle: int) -> None:
        #: Seconds after which an unused connection is closed.
        self._idle_timeout = idle_timeout
        #: Connections, over all origins; beyond it the one idle longest is closed.
        self._max_idle = max_idle
        #: The one idle longest first. Empty lists are left for the timer to remove.
        self._idle: dict[Origin, list[Connection]] = {}
        self._count = 0
        # Exists only while something is idle: an idle worker is not woken for nothing.
        # Not a greenlet, as what it does never waits.
        self._timer: Any = None
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def take(self, origin: Origin) -> Connection | None:
        """A connection to *origin* that looks alive, which the caller now owns."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            self._count -= 1
            if not connection.is_stale():
                return connection
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Keep *connection*, which has nothing under way, for another exchange."""
        if self._closed:
            connection.close()
            return
        if self._count >= self._max_idle:
            self._drop(min(filter(None, self._idle.values()), key=_oldest))
        connection.idle_since = monotonic()
        self._idle.setdefault(connection.origin, []).append(connection)
        self._count += 1
        if self._timer is None:
            self._start_timer(self._idle_timeout)

    def close(self) -> None:
        """Close all that is idle, and from now on keep nothing."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                self._drop(idle)
        self._stop_timer()

    def _start_timer(self, delay: float) -> None:
        self._timer = gevent.get_hub().loop.timer(delay, ref=False)
        self._timer.start(self._drop_expired)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _drop_expired(self) -> None:
        # Runs in the hub.
        self._stop_timer()
        horizon = monotonic() - self._idle_timeout
        for idle in self._idle.values():
            while idle and _oldest(idle) <= horizon:
                self._drop(idle)
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle}
        if self._idle:
            self._start_timer(min(map(_oldest, self._idle.values())) - horizon)

    def _drop(self, idle: list[Connection]) -> None:
        self._count -= 1
        idle.pop(0).close()


def _oldest(idle: list[Connection]) -> float:
    return idle[0].idle_since
