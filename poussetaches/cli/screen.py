"""A terminal as a whole screen: drawn anew each time, and given back as it was."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Sequence
from types import FrameType
from typing import Any

#: Another screen than the one with the shell's history, no cursor on it, and a line
#: that is too long ends at the edge.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
HOME = "\x1b[H"
#: What was there before, after the end of a line and below the last one.
REST_OF_LINE = "\x1b[K"
REST_BELOW = "\x1b[J"


class Screen:
    """The terminal, from ``with`` to its end. Ctrl-C and SIGTERM raise
    KeyboardInterrupt; Ctrl-Z gives the terminal back meanwhile."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._modes: list[Any] = []
        #: What has happened, as bytes: the numbers of signals.
        self._happened, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Screen:
        self._handlers = {
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, _wake),
            signal.SIGTERM: signal.signal(signal.SIGTERM, _end),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._stop),
        }
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        self._take()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._give_back()
        signal.set_wakeup_fd(-1)
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        os.close(self._happened)
        os.close(self._wakeup)

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        found = shutil.get_terminal_size()
        return found.columns, found.lines

    def draw(self, lines: Sequence[str]) -> None:
        """Have these lines on the screen, and nothing else."""
        height = self.size()[1]
        shown = f"{REST_OF_LINE}\n".join(lines[:height])
        # In one write: nobody sees half of it.
        sys.stdout.write(f"{HOME}{shown}{REST_OF_LINE}{REST_BELOW}")
        sys.stdout.flush()

    def key(self, until: float) -> str | None:
        """The key that was pressed, "" when the screen has another size now, or None
        when neither has happened until then (monotonic)."""
        while True:
            left = until - time.monotonic()
            watched = [self._happened]
            if self._input is not None:
                watched.append(self._input)
            ready, _, _ = select.select(watched, [], [], max(0.0, left))
            if self._happened in ready:
                signals = os.read(self._happened, 1024)
                if {signal.SIGWINCH, signal.SIGTSTP} & set(signals):
                    return ""
            elif ready:
                data = os.read(ready[0], 1024)
                if data:
                    return data.decode("ascii", "replace")
                self._input = None  # whoever typed has gone
            elif left <= 0:
                return None

    def _take(self) -> None:
        if self._input is not None:
            self._modes = termios.tcgetattr(self._input)
            tty.setcbreak(self._input)
        sys.stdout.write(ENTER)
        sys.stdout.flush()

    def _give_back(self) -> None:
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        if self._modes and self._input is not None:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._modes)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Here it goes on when the shell says so.
        signal.signal(signal.SIGTSTP, self._stop)
        self._take()


def _wake(signum: int, frame: FrameType | None) -> None:
    """Its number has gone to the wakeup descriptor: nothing else is to be done."""


def _end(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
