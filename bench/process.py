"""What a process has used of the machine, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Processor seconds so far, to a hundredth."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / TICKS


def resident(pid: int) -> int:
    """Resident memory, bytes; pages shared with others count in full."""
    return _kilobytes(f"/proc/{pid}/status", "VmRSS:")


def peak(pid: int) -> int:
    """The most resident memory it ever had, bytes."""
    return _kilobytes(f"/proc/{pid}/status", "VmHWM:")


def proportional(pid: int) -> int:
    """Memory, bytes; pages shared by n processes count as an n-th. 0 if it has
    ended."""
    try:
        return _kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:")
    except (FileNotFoundError, ProcessLookupError):
        return 0


def wakeups(pid: int) -> int:
    """How often it has gone to sleep, and so was woken, with all its threads."""
    return sum(
        int(_line(str(status), "voluntary_ctxt_switches:"))
        for status in Path(f"/proc/{pid}/task").glob("*/status")
    )


def children(pid: int) -> set[int]:
    """Its children that have not been reaped."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in text.split()}


def _kilobytes(path: str, name: str) -> int:
    return int(_line(path, name).split()[0]) * 1024


def _line(path: str, name: str) -> str:
    with open(path) as file:
        for line in file:
            if line.startswith(name):
                return line.removeprefix(name).strip()
    raise ProcessLookupError(f"{path} has no {name}")
