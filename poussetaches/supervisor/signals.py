"""Signals become bytes that the loop reads. Handlers do nothing else."""

from __future__ import annotations

import signal
import socket

#: What the supervisor reacts to.
HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGCHLD,
    signal.SIGHUP,
)


class Signals:
    """Made once, in the supervisor's main thread."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, _do_nothing)
        # A peer that is gone shows as an error of the write, not as a death of ours.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def fileno(self) -> int:
        """For the selector."""
        return self._reader.fileno()

    def arrived(self) -> set[int]:
        """The numbers of the signals that came since the last call."""
        numbers: set[int] = set()
        while True:
            try:
                numbers.update(self._reader.recv(4096))
            except BlockingIOError:
                return numbers

    def close(self) -> None:
        """Take no more notice of signals: the process is about to end."""
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    @staticmethod
    def reset_in_child() -> None:
        """In a forked child: signals are its own again, and do not reach our loop."""
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        # Ctrl-C reaches the whole process group; it is for the supervisor to act on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _do_nothing(number: int, frame: object) -> None:
    """A Python handler must exist for the wake-up byte to be written."""
