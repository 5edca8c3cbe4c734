"""Lateness: how long after its slot the run of a schedule arrives.

Ten thousand schedules of ten seconds, pushed evenly over ten seconds. Their slots are
the service's own word: ``GET /cron`` gives the next one of each, and those before it
lie ten seconds apart. That every slot brought exactly one arrival is checked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bench import programs
from bench.figure import Figure, Found, Note, at_most
from bench.figures import percentiles, progress
from bench.programs import Program, Service
from bench.settings import Settings

SCHEDULES, PERIOD = 10_000, 10
#: Runs of each that are waited for.
RUNS = 3
CONNECTIONS = 16
#: Between two looks at what has arrived, seconds.
LOOK = 0.5
NANOSECONDS = 1e9


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if runs are missing, early, or come twice."""
    with (
        programs.program("bench.slow_receiver", 0, 1, 0) as receiver,
        programs.service(settings.flags()) as service,
    ):
        progress(f"{SCHEDULES:,} schedules")
        target = f"http://127.0.0.1:{receiver.port}/task"
        rate = SCHEDULES / PERIOD
        arguments = (service.port, target, SCHEDULES, CONNECTIONS, rate)
        programs.run("bench.generator", *arguments, f"@every {PERIOD}s")
        _wait(receiver, SCHEDULES * RUNS)
        service.post("/pause")
        while service.stats()["in_flight"]:
            time.sleep(LOOK)
        arrived: dict[str, list[float]] = {}
        for payload, _, _, wall in receiver.ask("arrivals"):
            arrived.setdefault(payload, []).append(wall)
        slots = _slots(service)
    latenesses = sorted(_latenesses(arrived, slots))
    found = percentiles(latenesses)
    for name in ("p50", "p99", "max"):
        yield Figure(
            f"lateness.{name}",
            f"{SCHEDULES:,} schedules @every {PERIOD}s: lateness, {name}",
            found[name],
            "ms",
            aim=at_most(50),
        )
    together = max(Counter(slot % PERIOD for slot in slots.values()).values())
    yield Note(
        f"{len(latenesses):,} runs; as many as {together:,} schedules have the same"
        " slot."
    )


def _wait(receiver: Program, runs: int) -> None:
    ends = time.monotonic() + PERIOD * (RUNS + 3)
    while (arrived := receiver.ask("counts")[0]) < runs:
        if time.monotonic() > ends:
            raise RuntimeError(f"only {arrived:,} of {runs:,} runs have arrived")
        time.sleep(LOOK)


def _slots(service: Service) -> dict[str, float]:
    """The next slot of each schedule, posix seconds, by its payload."""
    slots: dict[str, float] = {}
    cursor = ""
    while True:
        page: dict[str, Any] = service.get(f"/cron?limit=1000{cursor}")
        for task in page["tasks"]:
            slots[task["payload"]] = task["next_scheduled_run"] / NANOSECONDS
        if page["cursor"] is None:
            return slots
        cursor = f"&cursor={page['cursor']}"


def _latenesses(
    arrived: dict[str, list[float]], slots: dict[str, float]
) -> Iterator[float]:
    if arrived.keys() != slots.keys() or len(slots) != SCHEDULES:
        raise RuntimeError(f"{len(slots)} schedules, {len(arrived)} of them arrived")
    for payload, next_slot in slots.items():
        times = arrived[payload]
        for ago, at in enumerate(reversed(times), 1):
            lateness = at - (next_slot - ago * PERIOD)
            if not 0.0 <= lateness < PERIOD:
                raise RuntimeError(f"a run came {lateness:.3f} s after its slot")
            yield lateness
