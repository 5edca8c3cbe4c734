"""The HTTP server of the api: who is let in, and nothing about tasks.

A WSGI server on gevent sockets: one greenlet per connection (``connection.py``), a
request read completely before the application sees it, the answer sent in one piece.
What is a request is ``request.py``'s business, what is an answer ``answer.py``'s.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool
from gevent.socket import socket as GeventSocket
from gevent.socket import wait as wait_for

from poussetaches.api.answer import Answer
from poussetaches.api.budget import Budget
from poussetaches.api.connection import Connection
from poussetaches.api.refusal import Refused, too_many_connections
from poussetaches.api.request import Admit, Limits, admit_all
from poussetaches.api.request_id import HEADER
from poussetaches.errors import PousseTachesError, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

#: Connections accepted beyond the limit, while idle ones are on their way out.
_OVERLAP = 8
#: Connections that are gone already and are let go of at once, one after the other.
_GONE = 64
#: Seconds after which a timer is due at the next turn of the loop, and not in this one.
_NEXT_TURN = 1e-6
#: Seconds for which nothing is accepted when the system has no descriptor for it.
_PAUSE = 0.1
#: Seconds between two warnings that say so.
_SILENCE = 60.0

#: Says an error in the api's own form, as a JSON body.
Render = Callable[[PousseTachesError], bytes]


class Server:
    """Serves ``app`` on a listening socket, which is the server's from now on.

    ``admit`` sees the head of each request, and raises Refused for those whose body is
    not even to be read.
    """

    def __init__(
        self,
        listener: socket.socket,
        app: WSGIApplication,
        limits: Limits,
        *,
        render: Render,
        admit: Admit = admit_all,
    ) -> None:
        self.app = app
        self.admit = admit
        self.limits = limits
        self.render = render
        self.address = listener.getsockname()
        #: Connections between two requests, and until when they may be (monotonic).
        #: All are given as much time, so they stand in the order of their ends.
        self.idle: dict[Connection, float] = {}
        self.budget = Budget(limits.max_held)
        #: Connections that were turned away because there were too many.
        self.refused = 0
        #: Whether a connection ends with the request it is at.
        self.stopping = False
        self._listener = GeventSocket(fileno=listener.detach())
        # Another api process may take the connection that woke this one.
        self._listener.setblocking(False)
        self._pool = Pool()
        self._turns = BoundedSemaphore(1)

    def start(self) -> None:
        """Begin to accept, in the background."""
        self._acceptor = gevent.spawn(self._accept)
        self._reaper = gevent.spawn(self._reap)

    def stop(self, timeout: float) -> None:
        """Stop accepting, close what is idle, wait until what was begun is answered.

        Connections still busy after ``timeout`` seconds are cut off.
        """
        self.stopping = True
        self._acceptor.kill()
        self._listener.close()
        for connection in self.idle:
            connection.interrupt()
        self._pool.join(timeout)
        self._pool.kill(timeout=1)
        self._reaper.kill()

    def gauges(self) -> dict[str, int]:
        """How busy it is: for the supervisor, which shows it."""
        return {
            "connections": len(self._pool),
            "refused": self.refused,
            "held": self.budget.held,
        }

    def take_turn(self) -> None:
        """Wait for a turn of the loop in which nobody else has been let go on here.

        ``gevent.sleep(0)`` would not do: those that wait so are run by the dozen before
        the loop looks at any socket, and a new connection needs several looks.
        """
        with self._turns:
            gevent.sleep(_NEXT_TURN)

    def _accept(self) -> None:
        """One connection a turn: the other api processes accept from the same socket,
        and this leaves them their share. What has left meanwhile does not count, or a
        flood of connections that are closed at once would keep all others waiting."""
        readable = gevent.get_hub().loop.io(self._listener.fileno(), 1)
        silent_until = 0.0
        try:
            while True:
                wait_for(readable)
                try:
                    for _ in range(_GONE):
                        sock, peer = self._listener.accept()
                        if not _is_gone(sock):
                            break
                        sock.close()
                    else:
                        continue
                except BlockingIOError:
                    continue
                except OSError as error:
                    # As a rule there are too few descriptors, in us or in the system.
                    if time.monotonic() >= silent_until:
                        log.warning("no connection can be taken: %s", error.strerror)
                        silent_until = time.monotonic() + _SILENCE
                    self._dismiss_idle()
                    gevent.sleep(_PAUSE)
                    continue
                self._admit(sock, peer)
        finally:
            readable.close()

    def _admit(self, sock: GeventSocket, peer: object) -> None:
        beyond = len(self._pool) - self.limits.max_connections
        if beyond < 0 or (beyond < _OVERLAP and self._dismiss_idle()):
            self._pool.spawn(Connection(self, sock, peer).run)
            return
        self.refused += 1
        with suppress(OSError):
            # Nothing waits here: there is room for the answer to what is not even read.
            sock.settimeout(0)
            sock.send(self.refusal(too_many_connections()))
        sock.close()

    def _dismiss_idle(self) -> bool:
        """Have the connection leave that was idle for the longest time, if one is."""
        for connection in self.idle:
            del self.idle[connection]
            connection.interrupt()
            return True
        return False

    def refusal(
        self, refused: Refused, *, head_only: bool = False, request: str = ""
    ) -> bytes:
        """The whole answer that says no; the connection is of no use after it.
        ``request``: the id of what is refused."""
        error = refused.error
        headers = [("Content-Type", "application/json"), *refused.headers]
        if isinstance(error, Unavailable):
            headers.append(("Retry-After", str(error.retry_after)))
        if request:
            headers.append((HEADER, request))
        answer = Answer(refused.status, headers, self.render(error))
        return answer.encode(time.time(), head_only=head_only, connection="close")

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


def _is_gone(sock: GeventSocket) -> bool:
    """Whether the other side has closed it, or reset it, without a word."""
    sock.settimeout(0)
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
