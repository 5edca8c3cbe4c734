"""What a service has done up to a moment, as ``tune`` sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from poussetaches.cli.service import Service
from poussetaches.cli.tune_plan import Point, Setting
from poussetaches.errors import Unavailable

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


class Look(NamedTuple):
    """Counts since its start."""

    #: By the clock of the service, seconds.
    uptime: float
    waiting: int
    succeeded: int
    failed: int
    #: How long attempts have taken together, seconds.
    busy: float
    #: Processor seconds, and resident bytes, of all its processes.
    cpu: float
    memory: int

    @classmethod
    def at(cls, control: Service) -> Look:
        """Of now. Raises Unavailable."""
        stats: dict[str, Any] = control.get("/stats")
        pids = [stats["supervisor"]["pid"]]
        pids += [child["pid"] for child in stats["children"]]
        return cls(
            uptime=stats["uptime"],
            waiting=stats["waiting"],
            succeeded=stats["attempts"]["succeeded"],
            failed=stats["attempts"]["failed"],
            busy=sum(child["busy"] for child in stats["children"]),
            cpu=sum(map(_cpu, pids)),
            memory=sum(map(_memory, pids)),
        )

    def since(self, first: Look, setting: Setting) -> Point:
        """What has been done since then."""
        return Point(
            setting=setting,
            seconds=round(self.uptime - first.uptime, 3),
            succeeded=self.succeeded - first.succeeded,
            failed=self.failed - first.failed,
            busy=self.busy - first.busy,
            cpu=self.cpu - first.cpu,
            memory=self.memory,
        )


def _cpu(pid: int) -> float:
    values = _read(pid, "stat").rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / TICKS


def _memory(pid: int) -> int:
    return int(_read(pid, "statm").split()[1]) * PAGE_SIZE


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Unavailable("a process of the service has ended meanwhile") from error
