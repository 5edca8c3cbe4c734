"""Scaling: the rate by the number of workers, of a receiver that takes its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from bench import programs
from bench.backlog import backlog
from bench.figure import Figure, Found, ratio_at_least
from bench.figures import progress
from bench.programs import Program
from bench.settings import Settings

WORKERS = (1, 2, 4, 8)
#: How long the receiver takes for an answer, and what each run would if all went
#: ideally, seconds.
DELAY, SECONDS = 0.02, 2.5
#: Between two looks at how many have arrived, seconds.
LOOK = 0.1


def measure(settings: Settings) -> Iterator[Found]:
    """Ideal is: each slot of each worker always waits for an answer."""
    for workers in WORKERS:
        ideal = workers * settings.concurrency / DELAY
        yield Figure(
            f"scaling.rate.{workers}",
            f"tasks, {workers} x {settings.concurrency} at once,"
            f" {DELAY * 1e3:.0f} ms each",
            _rate(replace(settings, workers=workers), int(ideal * SECONDS)),
            "/s",
            ideal,
            "ideal",
            ratio_at_least(0.8),
        )


def _rate(settings: Settings, tasks: int) -> float:
    flags = settings.flags("--start-paused", "yes")
    with (
        programs.program("bench.slow_receiver", DELAY, 1, 0) as receiver,
        backlog(tasks, [f"http://127.0.0.1:{receiver.port}/task"]) as directory,
        programs.service(flags, directory) as service,
    ):
        progress(f"{settings.workers} workers, a slow receiver")
        began = time.monotonic()
        service.post("/resume")
        return tasks / (wait(receiver, tasks, SECONDS * 20) - began)


def wait(receiver: Program, tasks: int, patience: float, ports: int = 1) -> float:
    """When ``tasks`` had arrived at the first ``ports``, monotonic seconds. Raises
    TimeoutError if they have not within ``patience`` seconds."""
    ends = time.monotonic() + patience
    while sum(receiver.ask("counts")[:ports]) < tasks:
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(LOOK)
    ats = [at for _, port, at, _ in receiver.ask("arrivals") if port < ports]
    return float(ats[tasks - 1])
