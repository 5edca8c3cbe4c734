"""A port at every address of this machine where nobody is to come."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listening_anywhere() -> Iterator[socket.socket]:
    """Takes connections at any address of this machine, if anybody makes one."""
    try:
        sock = socket.create_server(
            ("::", 0), family=socket.AF_INET6, dualstack_ipv6=True
        )
    except OSError:
        sock = socket.create_server(("0.0.0.0", 0))
    with sock:
        sock.setblocking(False)
        yield sock
