"""What a sync of a disk costs: the least that a push waits for with ``durability =
always``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

#: What is added to a file before each sync, bytes: about a task in the journal.
PIECE = 256
#: Enough syncs to know 99 %.
MOST = 500
#: Syncs as fast as this reach no disk, seconds.
NO_DISK = 20e-6


class SyncTimes(NamedTuple):
    """Seconds that a write and its fdatasync took."""

    syncs: int
    median: float
    #: 99 % took no longer.
    p99: float

    @property
    def is_no_disk(self) -> bool:
        """Whether what is written lies in memory only."""
        return self.median < NO_DISK


def measure(folder: Path, *, seconds: float, check: Callable[[], object]) -> SyncTimes:
    """Sync a new file in ``folder`` again and again for so long, then remove it.

    What ``check`` raises ends it. Raises OSError.
    """
    path = folder / "sync"
    piece = b"\0" * PIECE
    times: list[float] = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        began = time.monotonic()
        while len(times) < MOST:
            check()
            if times and time.monotonic() - began > seconds:
                break
            before = time.perf_counter()
            os.write(fd, piece)
            os.fdatasync(fd)
            times.append(time.perf_counter() - before)
    finally:
        os.close(fd)
        path.unlink()
    times.sort()
    last = len(times) - 1
    return SyncTimes(len(times), times[int(0.5 * last)], times[int(0.99 * last)])
