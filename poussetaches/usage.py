"""What this process uses of the machine."""

from __future__ import annotations

import os
import resource

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
# Opened once: a process that has run out of descriptors must still be able to look.
_STATM = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def memory() -> int:
    """Resident memory, bytes."""
    return int(os.pread(_STATM, 256, 0).split()[1]) * PAGE_SIZE


def cpu() -> float:
    """Processor time so far, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
