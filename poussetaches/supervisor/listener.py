"""The listening socket: opened by the supervisor, served by the api."""

from __future__ import annotations

import errno
import socket
import time

from poussetaches.errors import StartupError

#: How often a taken port is tried again, seconds. Only at start, for a bounded time.
RETRY = 0.05
BACKLOG = 1024


def listen(host: str, port: int, *, patience: float) -> socket.socket:
    """A socket that listens there.

    Waits up to ``patience`` seconds if the port is taken: right after a crash it may be
    by an api that has yet to notice. Raises StartupError.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return _listen(family, kind, protocol, address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise StartupError(
                    f"bind: cannot listen on {host}:{port}: {error.strerror}"
                ) from error
        time.sleep(RETRY)


def _listen(
    family: int, kind: int, protocol: int, address: tuple[object, ...]
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
