"""One subject measured once: a backlog, the latency of calm times, everything at once.

The workers are started (or no longer paused) when the backlog is there, and stay for
the rest. Its rate is taken from the moment a tenth of it has arrived, so that the start
of the workers is in nobody's figure.
"""

from __future__ import annotations

import time
from typing import Any

from bench import programs
from bench.figures import percentiles
from bench.peers.subjects import Settings, Subject
from bench.programs import Program

#: Tasks a second at which latency is measured, and for how many seconds.
CALM, CALM_SECONDS = 100, 5
#: Without any progress for so long, a measurement is given up; seconds.
PATIENCE = 30.0


def measure(settings: Settings, tasks: int, client: str) -> dict[str, Any]:
    """The figures, by name; ``client``: what a peer's tasks send their request with.

    Raises RuntimeError if tasks do not arrive.
    """
    with (
        programs.program("bench.receiver") as receiver,
        settings.run(receiver.port, client) as subject,
    ):
        return {
            **_backlog(subject, receiver, tasks),
            **_calm(subject, receiver),
            **_end_to_end(subject, receiver, tasks),
        }


def _backlog(subject: Subject, receiver: Program, tasks: int) -> dict[str, float]:
    enqueued = subject.enqueue(tasks)
    receiver.ask("report")
    subject.work()
    first = _await(receiver, tasks // 10)
    began = time.monotonic()
    _await(receiver, tasks)
    report = receiver.ask("report")
    return {
        "enqueue_rate": tasks / (enqueued["ended"] - enqueued["began"]),
        "drain_rate": (tasks - first) / (report["last_at"] - began),
    }


def _calm(subject: Subject, receiver: Program) -> dict[str, Any]:
    count = CALM * CALM_SECONDS
    subject.enqueue(count, CALM)
    _await(receiver, count)
    return {"latency": percentiles(receiver.ask("report")["latencies"])}


def _end_to_end(subject: Subject, receiver: Program, tasks: int) -> dict[str, Any]:
    before, received = subject.usage(), receiver.ask("report")
    enqueued = subject.enqueue(tasks)
    _await(receiver, tasks)
    report, after = receiver.ask("report"), subject.usage()
    parts = {part: _micros(after[part] - before[part], tasks) for part in before}
    return {
        "end_to_end_rate": tasks / (report["last_at"] - enqueued["began"]),
        "cpu": sum(parts.values()),
        "cpu_parts": parts,
        "cpu_client": _micros(enqueued["cpu"], tasks),
        "cpu_receiver": _micros(report["cpu"] - received["cpu"], tasks),
    }


def _await(receiver: Program, tasks: int) -> int:
    """How many tasks have arrived, as soon as it is so many."""
    seen, at = -1, time.monotonic()
    while (count := int(receiver.ask("count"))) < tasks:
        if count > seen:
            seen, at = count, time.monotonic()
        elif time.monotonic() - at > PATIENCE:
            raise RuntimeError(f"{count} of {tasks} tasks arrived, then none any more")
        time.sleep(0.02)
    return count


def _micros(seconds: float, tasks: int) -> float:
    return seconds / tasks * 1e6
