"""Telling systemd how we are: one datagram to the socket it names (``man sd_notify``)."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(*lines: str) -> None:
    """Send ``lines`` (such as ``READY=1``) to systemd; nothing if it did not start us."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    # A leading @ stands for the zero byte of Linux's abstract socket names.
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(address)
            sock.sendall("\n".join(lines).encode())
    except OSError as error:
        log.warning("systemd cannot be told %s: %s", lines[0], error)
