"""What this process uses of the machine, and may use."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

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


def memory_limit() -> int:
    """Memory that this process may use, bytes: the machine's, or less if a control
    group of it is limited."""
    machine = os.sysconf("SC_PHYS_PAGES") * PAGE_SIZE
    limits = [machine]
    for file in _limit_files():
        # A group that is not limited says "max", or a number beyond any machine.
        with suppress(OSError, ValueError):
            limits.append(int(file.read_text()))
    return min(limits)


def _limit_files() -> Iterator[Path]:
    """Where the limits of our control groups stand: ``man 7 cgroups``, versions 1 and
    2; those of the groups above count, too."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                root, name = Path("/sys/fs/cgroup"), "memory.max"
            elif "memory" in controllers.split(","):
                root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
            else:
                continue
            group = root / path.lstrip("/")
            for one in (group, *group.parents):
                if one.is_relative_to(root):
                    yield one / name
