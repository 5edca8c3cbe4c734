"""What this process uses of the machine."""

from __future__ import annotations

import os
import resource

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


def memory() -> int:
    """Resident memory, bytes."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGE_SIZE


def cpu() -> float:
    """Processor time so far, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
