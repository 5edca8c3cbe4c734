"""Where and when: what a figure means little without."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import gevent

import poussetaches
from bench.figures import percentiles

#: About the size of a push's record, bytes.
RECORD = 300
#: So many show what a sync takes when the disk is asked for nothing else.
SYNCS = 200


def describe() -> dict[str, Any]:
    """The machine, the versions, the date, and what a sync of this disk takes, ms."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "gevent": gevent.__version__,
        "poussetaches": poussetaches.__version__,
        "filesystem": _filesystem(Path(tempfile.gettempdir())),
        "sync": syncs(SYNCS),
    }


def line(machine: dict[str, Any]) -> str:
    """For the head of a table and the foot of a chart."""
    sync = machine["sync"]
    return (
        f"{machine['date']}: {machine['cores']} cores of {machine['processor']},"
        f" Linux {machine['kernel']}, Python {machine['python']},"
        f" gevent {machine['gevent']}, poussetaches {machine['poussetaches']};"
        f" a sync on {machine['filesystem']} takes {sync['p50']:.2f} ms"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.machine()


def _filesystem(directory: Path) -> str:
    """The type of what ``directory`` is on: a sync means nothing on a tmpfs."""
    best, found = 0, "?"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if directory.resolve().is_relative_to(mount) and len(mount) >= best:
            best, found = len(mount), kind
    return found


def syncs(count: int, pause: float = 0.0) -> dict[str, float]:
    """What it takes to append a record and sync it, where the services have their data;
    ms. ``pause``: seconds before each."""
    with tempfile.TemporaryFile(prefix="poussetaches-bench-") as file:
        descriptor = file.fileno()
        taken = []
        for _ in range(count):
            time.sleep(pause)
            began = time.perf_counter()
            os.write(descriptor, bytes(RECORD))
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    return percentiles(sorted(taken))
