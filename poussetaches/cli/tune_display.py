"""What ``tune`` shows while it measures: a table that grows, and how far it is."""

from __future__ import annotations

import shutil
import sys

import click

#: Characters of the bar.
WIDTH = 24
#: Erases the line that the cursor is in.
ERASE = "\r\x1b[K"


class Display:
    """Rows go to standard output; progress to standard error, where a terminal has a
    bar in its last line, and anything else a line for every setting."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._share = 0.0
        #: How much of the whole what is being done will be.
        self._step = 0.0
        self._said = ""

    def begin(self, left: int, name: str) -> None:
        """Something is begun, after which ``left`` more like it may follow."""
        self._step = (1.0 - self._share) / (left + 1)
        if not self._is_terminal:
            click.echo(f"measuring {name}", err=True)

    def tell(self, text: str, share: float) -> None:
        """What is being done, and how far that is, 0 to 1."""
        if not self._is_terminal:
            return
        filled = int(WIDTH * (self._share + share * self._step))
        bar = "#" * filled + "." * (WIDTH - filled)
        line = f"[{bar}] {text}"[: shutil.get_terminal_size().columns - 1]
        if line != self._said:
            self._said = line
            click.echo(f"{ERASE}{line}", err=True, nl=False)

    def end(self) -> None:
        """It is done."""
        self._share += self._step

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        click.echo(text)

    def clear(self) -> None:
        """Take the bar away."""
        if self._said:
            self._said = ""
            click.echo(ERASE, err=True, nl=False)
