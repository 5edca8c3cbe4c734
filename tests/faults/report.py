"""What people see: a line per fault that fills in, and the table at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.faults.trial import Trial

HEAD = ("fault", "times injected", "accepted", "lost", "repeated", "verdict")
#: Anomalies of one fault that are shown; the others are like them.
MOST = 10
LONGEST = 1000


class Progress:
    """On standard error: one line for each fault, alive on a terminal."""

    def __init__(self, names: Sequence[str]) -> None:
        self._width = max(map(len, names))
        self._alive = sys.stderr.isatty()

    def say(self, sentence: str) -> None:
        """A line of its own."""
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()

    def show(self, trial: Trial) -> None:
        """How far it has come."""
        if self._alive:
            sys.stderr.write(f"\r\x1b[K{self._begin(trial)}  ...")
            sys.stderr.flush()

    def finish(self, trial: Trial, seconds: float) -> None:
        """It has ended."""
        clear = "\r\x1b[K" if self._alive else ""
        self.say(f"{clear}{self._begin(trial)}  {seconds:6.1f} s  {trial.verdict}")

    def _begin(self, trial: Trial) -> str:
        counts = f"{trial.injected:7,} times {trial.accepted:9,} accepted"
        return f"{trial.name:<{self._width}} {counts}"


def table(trials: Sequence[Trial]) -> str:
    """Markdown, aligned to be read as it is."""
    rows = [HEAD, *map(_row, trials)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    ruler = [
        "-" * width if _is_text(column) else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    lines = [_line(HEAD, widths), _line(ruler, widths)]
    lines += [_line(row, widths) for row in rows[1:]]
    return "\n".join(lines)


def anomalies(trials: Sequence[Trial]) -> str:
    """A list of what must not have been; empty if all was well."""
    lines = []
    for trial in trials:
        if not trial.anomalies:
            continue
        lines += ["", f"{trial.name} (what is left of it: {trial.folder}):"]
        lines += [f"- {one:.{LONGEST}}" for one in trial.anomalies[:MOST]]
        if more := len(trial.anomalies) - MOST:
            lines += [f"- and {more} more"] if more > 0 else []
    return "\n".join(lines)


def _row(trial: Trial) -> Sequence[str]:
    repeated = "-" if trial.repeated is None else f"{trial.repeated:,}"
    return (
        trial.name,
        f"{trial.injected:,}",
        f"{trial.accepted:,}",
        f"{trial.lost:,}",
        repeated,
        trial.verdict,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if _is_text(column) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _is_text(column: int) -> bool:
    return HEAD[column] in ("fault", "verdict")
