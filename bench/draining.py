"""Draining: a backlog that is due, against the bare loop of as many processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from bench import programs
from bench.backlog import backlog
from bench.figure import Figure, Found, Note, at_least, ratio_at_least
from bench.figures import middle, progress
from bench.nginx import Nginx, nginx
from bench.settings import Settings

TASKS = 100_000
#: Of the bare loop, before and after the service, in all its processes together.
BARE_TASKS = 40_000


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if not exactly the backlog arrives."""
    with nginx() as receiver, backlog(TASKS, [receiver.target]) as directory:
        bare = [_bare(settings, receiver)]
        rate, cost = _drain(settings, receiver, directory)
        bare.append(_bare(settings, receiver))
    rates = [one[0] for one in bare]
    yield Figure(
        "draining.rate",
        f"tasks of a backlog of {TASKS:,} arrived",
        rate,
        "/s",
        middle(rates),
        f"bare loop, {settings.workers} processes",
        at_least(15_000),
    )
    yield Figure(
        "draining.share",
        "  the same, seen from its baseline",
        rate,
        "/s",
        middle(rates),
        "bare loop",
        ratio_at_least(0.7),
    )
    yield Figure(
        "draining.cpu",
        "processor time per task, whole service",
        sum(cost.values()),
        "us",
        middle([one[1] for one in bare]),
        "bare loop",
    )
    for name, micros in cost.items():
        yield Figure(f"draining.cpu.{name}", f"  {name}", micros, "us")
    yield Note(
        f"The bare loop was run before and after: {rates[0]:,.0f}/s, {rates[1]:,.0f}/s."
    )


def _drain(
    settings: Settings, receiver: Nginx, directory: str
) -> tuple[float, dict[str, float]]:
    """Tasks a second, and the microseconds of each process for one."""
    progress(f"draining {TASKS:,} tasks")
    before = receiver.arrived()
    with programs.service(
        settings.flags("--start-paused", "yes"), directory
    ) as service:
        used = service.usage()
        began = time.monotonic()
        service.post("/resume")
        last_at = receiver.wait_for(before + TASKS)
        cost = {
            name: (after - used[name]) / TASKS * 1e6
            for name, after in service.usage().items()
        }
    if (arrived := receiver.arrived() - before) != TASKS:
        raise RuntimeError(f"{arrived} of {TASKS} tasks arrived")
    return TASKS / (last_at - began), cost


def _bare(settings: Settings, receiver: Nginx) -> tuple[float, float]:
    """Requests a second, and microseconds for one."""
    progress("the bare loop")
    before = receiver.arrived()
    share = BARE_TASKS // settings.workers
    command = [sys.executable, "-m", "bench.bare_loop", receiver.target]
    command += [str(share), str(settings.concurrency)]
    with ExitStack() as stack:
        loops = [
            stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(settings.workers)
        ]
        for loop in loops:
            _read(loop)
        for loop in loops:
            assert loop.stdin is not None
            loop.stdin.write("go\n")
            loop.stdin.flush()
        said = [_read(loop) for loop in loops]
    count = receiver.arrived() - before
    if count != share * settings.workers:
        raise RuntimeError(f"{count} requests of the bare loop arrived")
    took = max(one["ended"] for one in said) - min(one["began"] for one in said)
    return count / took, sum(one["cpu"] for one in said) / count * 1e6


def _read(loop: subprocess.Popen[str]) -> Any:
    assert loop.stdout is not None
    line = loop.stdout.readline()
    if not line:
        raise RuntimeError("the bare loop failed")
    return json.loads(line)
