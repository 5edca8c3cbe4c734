"""A command of ours on a terminal: its screen read, keys typed, its size changed.

with Terminal("top", environment=...) as terminal:
    terminal.wait_for("QUEUE")
    terminal.type("q")
    assert terminal.end() == 0
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from typing import Any

from tests.support.service import CHECKOUT

#: Seconds that anything may take to be shown.
DEADLINE = 30.0


class Terminal:
    """``columns``, ``lines``: its size at first."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        columns: int = 100,
        lines: int = 30,
    ) -> None:
        self._arguments = arguments
        inherited = dict(os.environ)
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            inherited.pop(name, None)
        self._environment = {
            **inherited,
            "TERM": "xterm",
            "PYTHONPATH": str(CHECKOUT),
            **environment,
        }
        self._master, self._slave = pty.openpty()
        self.resize(columns, lines)
        #: Everything that was written to it.
        self.output = ""

    def __enter__(self) -> Terminal:
        self.modes = self._modes()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "poussetaches", *self._arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=self._environment,
            start_new_session=True,
            # So that Ctrl-C goes to it, and to nobody else.
            preexec_fn=_own_terminal,
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def resize(self, columns: int, lines: int) -> None:
        """The terminal has another size from now on; who is in it is told."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, text: str, *, since: int = 0) -> int:
        """Read until ``text`` has been written after ``since``; where it ends."""
        ends = time.monotonic() + DEADLINE
        while (found := self.output.find(text, since)) < 0:
            left = ends - time.monotonic()
            assert left > 0, f"{text!r} was not written: {self.output[since:]!r}"
            self._read(left)
        return found + len(text)

    def end(self) -> int:
        """The exit status, when it has left by itself."""
        ends = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < ends, f"it did not leave: {self.output[-2000:]!r}"
            self._read(0.05)
        self._read(0.0)
        return self.process.wait()

    def is_as_before(self) -> bool:
        """Whether the terminal does what it did before the command came."""
        return self._modes() == self.modes

    def _modes(self) -> list[Any]:
        return termios.tcgetattr(self._slave)

    def _read(self, seconds: float) -> None:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if ready:
            self.output += os.read(self._master, 65536).decode("utf-8", "replace")


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A shell that runs the tests in its background has them ignore it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
