"""Idle: what the service costs that has nothing to do."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import process, programs
from bench.figure import Figure, Found, at_most, ratio_at_most
from bench.figures import progress
from bench.settings import Settings

#: How long it is watched, and left alone before, seconds.
SECONDS, REST = 10.0, 1.0
#: A child sends so many heartbeats a second: ``heartbeat_timeout`` is 10 s, four in
#: that time.
HEARTBEATS = 0.4
MEGABYTE = 1e6


def measure(settings: Settings) -> Iterator[Found]:
    """Each process alone, then all their memory together."""
    with programs.service(settings.flags()) as service:
        pids = service.pids()
        progress(f"idle for {SECONDS:.0f} s")
        time.sleep(REST)
        before = {name: process.wakeups(pid) for name, pid in pids.items()}
        used = {name: process.cpu(pid) for name, pid in pids.items()}
        time.sleep(SECONDS)
        for name, pid in pids.items():
            yield Figure(
                f"idle.wakeups.{name}",
                f"wake-ups of {name}",
                (process.wakeups(pid) - before[name]) / SECONDS,
                "/s",
                _explained(name, len(pids) - 1),
                "heartbeats",
                # Ten seconds may begin or end on either side of a heartbeat.
                ratio_at_most(1.5),
            )
        cpu = sum(process.cpu(pid) - used[name] for name, pid in pids.items())
        yield Figure("idle.cpu", "processor time, all", cpu / SECONDS * 1e3, "ms/s")
        resident = sum(map(process.resident, pids.values())) / MEGABYTE
        shares = sum(map(process.proportional, pids.values())) / MEGABYTE
        yield Figure(
            "idle.proportional",
            f"memory of {len(pids)} processes together",
            shares,
            "MB",
            aim=at_most(120),
        )
        # Each with the pages of libraries that it shares with the others.
        yield Figure("idle.resident", "  resident, added up", resident, "MB")
        for name, pid in pids.items():
            value = process.resident(pid) / MEGABYTE
            yield Figure(f"idle.resident.{name}", f"  {name}", value, "MB")


def _explained(name: str, children: int) -> float:
    """Wake-ups a second that heartbeats explain."""
    if name == "supervisor":
        return HEARTBEATS * children
    if name.startswith("api-"):
        # Each of its own is answered with a pulse, from which it tells its health.
        return HEARTBEATS * 2
    return HEARTBEATS
