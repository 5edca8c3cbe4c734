"""Connections to targets: one socket each, and the pool of those that wait for more
work. Used by the worker process only.

There is no limit of connections here, so there are no slots that could be lost: a
connection is owned by the one delivery that uses it, which either closes it or gives it
to the pool. The credit of the worker limits how many there are.
"""

from __future__ import annotations

import math
import select
from time import monotonic
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.socket import SO_ERROR, SOL_SOCKET, socket
from gevent.ssl import SSLWantReadError, SSLWantWriteError

from poussetaches.errors import PousseTachesError
from poussetaches.model.target import Origin

#: Raised by a socket, plain or TLS, that would have to wait.
_WOULD_BLOCK = (BlockingIOError, SSLWantReadError, SSLWantWriteError)

#: Seconds a connection has to rest, and to be still open then, to show that its origin
#: keeps connections. Far longer than a busy server takes from an answer to its close().
PROBATION = 0.1

_READ, _WRITE = 1, 2

#: The system's own, whether or not this process is patched.
_system_poll = get_original("select", "poll")


class TransportError(PousseTachesError):
    """An exchange that brought no complete answer."""

    code = "transport"

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        #: One of those in ``model/attempt.py``. ``dns``, ``connect``: the target has
        #: seen nothing of the request. ``unread``: not all of it, see ``transport.py``.
        #: ``tls``: no secure connection. ``timeout``, ``reset`` (broken off),
        #: ``response`` (what it sent is no proper HTTP): the target may have acted on
        #: it. ``refused``: by us, see ``guard.py``.
        self.kind = kind


#: A reset follows the end of the stream by the time that a packet takes to the target
#: and back: seconds between looks, half a second in all.
_RESET_WITHIN = (0.0, 0.01, 0.04, 0.15, 0.3)


class Expired(BaseException):
    """Thrown into a request whose time is up. What gevent.Timeout is, at a third of its
    cost; no ``except Exception`` on the way may stop it."""


class Connection:
    """A connected socket that never blocks, and what is needed to wait for it."""

    __slots__ = ("_hub", "_poll", "_readable", "idle_since", "origin", "rested", "sock")

    def __init__(self, sock: socket, origin: Origin) -> None:
        sock.settimeout(0.0)
        self.sock = sock
        self.origin = origin
        #: Monotonic seconds; only meaningful in the pool.
        self.idle_since = 0.0
        #: Seconds that it was idle before it was taken; 0.0 if it is new.
        self.rested = 0.0
        self._hub = gevent.get_hub()
        # Kept over the connection's life: making one for each wait costs as much again.
        self._readable = self._hub.loop.io(sock.fileno(), _READ)
        # Not select(), which knows no descriptor above 1023; not gevent's: it yields.
        self._poll = _system_poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    @property
    def is_kept(self) -> bool:
        """Whether it has carried an exchange before this one."""
        return self.rested > 0.0

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

    def is_reset_soon(self) -> bool:
        """Whether the other end, which has closed the connection, lets us know that it
        had not read all that was sent. Waits for that, not long."""
        for patience in _RESET_WITHIN:
            gevent.sleep(patience)
            if self.sock.getsockopt(SOL_SOCKET, SO_ERROR):
                return True
        return False

    def close(self) -> None:
        self._readable.close()
        self.sock.close()


class _Idle:
    """What the pool knows of one origin."""

    __slots__ = ("connections", "given_at", "longest_rest", "proven")

    def __init__(self) -> None:
        #: The one idle longest first.
        self.connections: list[Connection] = []
        #: When the last one was given, monotonic seconds.
        self.given_at = 0.0
        #: The origin was seen to keep connections open.
        self.proven = False
        #: Seconds; a connection that rested longer is not used any more.
        self.longest_rest = math.inf

    def learn(self, rest: float) -> None:
        """A connection was closed, or lost a request, after it rested so long: do not
        come near that again. What is shorter than a probation is no limit of the
        origin's, rather its end."""
        if rest >= PROBATION:
            self.longest_rest = min(self.longest_rest, rest / 2)

    def oldest(self) -> float:
        """Since when the one idle longest is; there has to be one."""
        return self.connections[0].idle_since


class IdlePool:
    """Connections between two exchanges: the last one given is the first one taken.

    Some servers close after each answer without a word about it (uWSGI's http-socket:
    unbit/uwsgi#2133). Whoever sends a next request at that very moment loses it, and
    cannot know whether it may be sent again. So an origin has to prove that it keeps
    connections: until one has rested for a while and was still open, no other is kept.

    Those that keep them do so for a time of their own, and to send at the end of it is
    the same loss. So what was found closed shows how long not to let the others rest.
    """

    def __init__(self, *, idle_timeout: float, max_idle: int) -> None:
        #: Seconds after which an unused connection is closed.
        self._idle_timeout = idle_timeout
        #: Connections, over all origins; beyond it the one idle longest is closed.
        self._max_idle = max_idle
        self._by_origin: dict[Origin, _Idle] = {}
        self._count = 0
        # Exists only while something is idle: an idle worker is not woken for nothing.
        # Not a greenlet, as what it does never waits.
        self._timer: Any = None
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def take(self, origin: Origin) -> Connection | None:
        """A connection to *origin* that looks alive, which the caller now owns."""
        idle = self._by_origin.get(origin)
        if idle is None or not (idle.proven or self._prove(idle)):
            return None
        now = monotonic()
        while idle.connections:
            connection = idle.connections.pop()
            self._count -= 1
            connection.rested = now - connection.idle_since
            if connection.rested <= idle.longest_rest:
                if not connection.is_stale():
                    return connection
                idle.learn(connection.rested)
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Keep *connection*, which has nothing under way, for another exchange."""
        idle = self._by_origin.get(connection.origin)
        if idle is None:
            idle = self._by_origin[connection.origin] = _Idle()
        if self._closed or (idle.connections and not idle.proven):
            connection.close()
            return
        if self._count >= self._max_idle:
            kept = [one for one in self._by_origin.values() if one.connections]
            self._drop(min(kept, key=_Idle.oldest))
        idle.given_at = connection.idle_since = monotonic()
        idle.connections.append(connection)
        self._count += 1
        if self._timer is None:
            self._start_timer(self._idle_timeout)

    def distrust(self, connection: Connection) -> None:
        """An exchange over it was broken off: its origin has to prove anew what it
        keeps."""
        if (idle := self._by_origin.get(connection.origin)) is not None:
            idle.proven = False
            idle.learn(connection.rested)

    def close(self) -> None:
        """Close all that is idle, and from now on keep nothing."""
        self._closed = True
        for idle in self._by_origin.values():
            while idle.connections:
                self._drop(idle)
        self._stop_timer()

    def _prove(self, idle: _Idle) -> bool:
        if not idle.connections or monotonic() - idle.oldest() < PROBATION:
            return False
        if idle.connections[0].is_stale():
            self._drop(idle)
            return False
        idle.proven = True
        return True

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
        for origin, idle in list(self._by_origin.items()):
            while idle.connections and idle.oldest() <= horizon:
                self._drop(idle)
            if not idle.connections and idle.given_at <= horizon:
                del self._by_origin[origin]
        if self._count:
            since = [
                one.oldest() for one in self._by_origin.values() if one.connections
            ]
            self._start_timer(min(since) - horizon)

    def _drop(self, idle: _Idle) -> None:
        self._count -= 1
        idle.connections.pop(0).close()
