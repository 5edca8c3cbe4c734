"""Latency: from the request that pushes a task to its arrival, at a calm rate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bench import programs
from bench.figure import Aim, Figure, Found, at_most
from bench.figures import percentiles, progress
from bench.machine import syncs
from bench.programs import Program
from bench.settings import Settings

#: Pushes a second, for how many seconds, over how many connections.
RATE, SECONDS, CONNECTIONS = 100, 10, 4
#: The baseline takes as long as it needs to have enough of them, seconds.
BASELINE_SECONDS = 3
AIMS: dict[str, Aim | None] = {"p50": at_most(1.5), "p99": at_most(8.0), "max": None}
#: Without any progress for so long, a measurement is given up; seconds.
PATIENCE = 30.0


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if not every task arrives."""
    with programs.program("bench.receiver") as receiver:
        target = f"http://127.0.0.1:{receiver.port}/task"
        progress(f"latency at {RATE} pushes a second")
        # What a request takes from the same generator to the same receiver, directly.
        _generate(receiver.port, target, RATE * BASELINE_SECONDS)
        direct = percentiles(arrivals(receiver, RATE * BASELINE_SECONDS)["latencies"])
        # What the disk makes of it, whoever else uses it at this time.
        disk = syncs(RATE * BASELINE_SECONDS, 1 / RATE)
        with programs.service(settings.flags()) as service:
            # The first tasks also pay for what is made once.
            _generate(service.port, target, RATE)
            arrivals(receiver, RATE)
            pushed = _generate(service.port, target, RATE * SECONDS)
            arrived = arrivals(receiver, RATE * SECONDS)
    to_arrival = percentiles(arrived["latencies"])
    to_answer = percentiles(pushed["latencies"])
    for name, aim in AIMS.items():
        yield Figure(
            f"latency.arrival.{name}",
            f"push to arrival at {RATE} pushes/s, {name}",
            to_arrival[name],
            "ms",
            direct[name],
            "one request, no service",
            aim,
        )
    for name in AIMS:
        yield Figure(
            f"latency.sync.{name}",
            f"  a sync of the disk alone, {name}",
            disk[name],
            "ms",
        )
    for name in AIMS:
        yield Figure(
            f"latency.answer.{name}",
            f"  push to its answer, {name}",
            to_answer[name],
            "ms",
        )


def arrivals(receiver: Program, tasks: int) -> Any:
    """The receiver's report when all have arrived. Raises RuntimeError if they stop
    arriving before."""
    seen, at = -1, time.monotonic()
    while (count := receiver.ask("count")) < tasks:
        if count > seen:
            seen, at = count, time.monotonic()
        elif time.monotonic() - at > PATIENCE:
            raise RuntimeError(f"{count} of {tasks} tasks arrived, then none")
        time.sleep(0.05)
    return receiver.ask("report")


def _generate(port: int, target: str, count: int) -> Any:
    return programs.run("bench.generator", port, target, count, CONNECTIONS, RATE)
