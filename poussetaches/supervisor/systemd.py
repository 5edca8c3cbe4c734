"""Telling systemd how we are: a datagram to its socket (``man sd_notify``)."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)

NEVER = float("inf")
#: How long systemd may be too busy to take a word of ours, seconds.
PATIENCE = 5.0


def notify(*lines: str) -> None:
    """Send ``lines`` (such as ``READY=1``), if it was systemd that started us."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    # A leading @ stands for the zero byte of Linux's abstract socket names.
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(address)
            sock.sendall("\n".join(lines).encode())
    except OSError as error:
        log.warning("systemd cannot be told %s: %s", lines[0], error)


class Keepalive:
    """Tells systemd's watchdog that the loop turns (``WatchdogSec`` in the unit).

    Twice in the time after which it would end us. ``now``: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self._interval = _patience() / 2
        #: When systemd is to be told next; infinity if it does not listen.
        self.due_at = now + self._interval

    def beat(self, now: float) -> None:
        """Tell systemd, if it is time to."""
        if self.due_at <= now:
            notify("WATCHDOG=1")
            self.due_at = now + self._interval


def _patience() -> float:
    """Seconds without a word after which systemd ends this process; or never."""
    if os.environ.get("WATCHDOG_PID") not in (None, str(os.getpid())):
        return NEVER  # it is meant for whoever started us
    text = os.environ.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or int(text) == 0:
        return NEVER
    return int(text) / 1e6
