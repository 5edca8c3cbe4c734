"""Ports of this machine's own address, for services of the command line's own."""

from __future__ import annotations

import socket

from poussetaches.cli.own_service import HOST
from poussetaches.errors import StartupError


def free_port(*wanted: int) -> int:
    """The first of ``wanted`` that nobody listens on; 0 stands for any such port.

    Raises StartupError.
    """
    for port in wanted:
        with socket.socket() as probe:
            # As the service does: what connections of the past left does not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                # Two may bind one port like that, but only one can listen.
                probe.listen()
            except OSError as error:
                reason = error.strerror
                continue
            return int(probe.getsockname()[1])
    raise StartupError(f"port {wanted[-1]} of {HOST} cannot be used: {reason}")
