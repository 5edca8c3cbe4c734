"""A million waiting tasks: what they cost at a start, in memory, and everybody else.

Each is due on another day. Beside the service with them runs one without, which is the
baseline, and is driven in turn.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from bench import process, programs
from bench.backlog import PAYLOAD_SIZE, backlog
from bench.figure import Figure, Found, at_most, ratio_at_least
from bench.figures import middle, progress, timed
from bench.programs import Service
from bench.settings import Settings
from bench.wrk import push_body, wrk

TASKS = 1_000_000
#: Nothing listens there.
TARGET = "http://127.0.0.1:9/task"
#: When the first is due, and each after the one before, seconds.
DAY, GAP = 86_400.0, 0.01
#: How long is pushed in each round, to each, seconds.
SECONDS = 2
#: How often a page and the numbers are asked for.
PAGES, NUMBERS = 7, 21
MEGABYTE = 1e6
NEVER = "720h"


def queue(tasks: int = TASKS) -> Any:
    """A directory with the tasks, as a context."""
    return backlog(tasks, [TARGET], eta=time.time() + DAY, gap=GAP)


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if the service does not do what it is asked."""
    flags = settings.flags("--start-paused", "yes", "--dump-interval", NEVER)
    with queue() as directory:
        [dump] = Path(directory).glob("dump-*")
        _forget_cache(dump)
        progress("starting on it")
        with (
            programs.service(flags, directory) as full,
            programs.service(flags) as empty,
        ):
            yield from _start(full, empty, dump.stat().st_size)
            yield from _memory(full, empty)
            yield from _pages(full)
            yield from _numbers(full, empty)
            yield from _pushes(settings, full, empty)


def _forget_cache(path: Path) -> None:
    """A start after a reboot reads the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _start(full: Service, empty: Service, size: int) -> Iterator[Figure]:
    yield Figure(
        "million.start",
        f"start until READY with {TASKS:,} tasks",
        full.start_seconds,
        "s",
        empty.start_seconds,
        "empty queue",
        at_most(8),
    )
    yield Figure("million.dump", "  read from a dump of", size / MEGABYTE, "MB")


def _memory(full: Service, empty: Service) -> Iterator[Figure]:
    pid, baseline = (each.pids()["supervisor"] for each in (full, empty))
    resident, without = process.resident(pid), process.resident(baseline)
    yield Figure(
        "million.resident",
        "memory of the supervisor",
        resident / MEGABYTE,
        "MB",
        without / MEGABYTE,
        "empty queue",
    )
    yield Figure(
        "million.peak", "  its peak, at the start", process.peak(pid) / MEGABYTE, "MB"
    )
    yield Figure(
        "million.bytes",
        f"  of a task, beyond its {PAYLOAD_SIZE} bytes of payload",
        (resident - without) / TASKS - PAYLOAD_SIZE,
        "bytes",
        aim=at_most(600),
    )


def _pages(full: Service) -> Iterator[Figure]:
    """Of the list of those that wait; each begins after the task of a number."""
    cursor = full.get("/waiting?limit=1")["cursor"]
    eta, order = cursor.split(",")
    with closing(http.client.HTTPConnection("127.0.0.1", full.port)) as connection:
        for limit in (1000, 100):
            for where, number in (
                ("first", -1),
                ("middle", TASKS // 2),
                ("last", TASKS - 1 - limit),
            ):
                progress(f"{where} page of {limit}")
                path = f"/waiting?limit={limit}"
                if number >= 0:
                    # To turn half a million pages would take longer than the rest.
                    path += f"&cursor={float(eta) + number * GAP!r}"
                    path += f",{int(order) + number}"
                tasks = _get(connection, path)["tasks"]
                begins = int(tasks[0]["id"], 16)
                if len(tasks) != limit or abs(begins - number - 1) > 1:
                    raise RuntimeError(f"{path}: {len(tasks)} tasks from {begins}")
                taken = timed(partial(_fetch, connection, path), PAGES)
                yield Figure(
                    f"million.page.{where}.{limit}",
                    f"{where} page of {limit} waiting, median",
                    middle(taken) * 1e3,
                    "ms",
                    aim=at_most(20),
                )


def _numbers(full: Service, empty: Service) -> Iterator[Figure]:
    values = []
    for each in (full, empty):
        with closing(http.client.HTTPConnection("127.0.0.1", each.port)) as connection:
            taken = timed(partial(_fetch, connection, "/stats"), NUMBERS)
        values.append(middle(taken) * 1e3)
    yield Figure(
        "million.stats",
        "/stats, median",
        values[0],
        "ms",
        values[1],
        "empty queue",
        at_most(5),
    )


def _pushes(settings: Settings, full: Service, empty: Service) -> Iterator[Figure]:
    body = push_body(TARGET)
    rates: dict[Service, list[float]] = {full: [], empty: []}
    for number in range(1, settings.rounds + 1):
        progress(f"single pushes, round {number} of {settings.rounds}")
        for each in (empty, full):
            before = each.stats()["accepted"]
            load = wrk(
                each.port, body, seconds=SECONDS, connections=settings.connections
            )
            accepted = each.stats()["accepted"] - before
            rates[each].append(accepted / load.seconds)
    yield Figure(
        "million.pushes",
        "single pushes accepted",
        middle(rates[full]),
        "/s",
        middle(rates[empty]),
        "empty queue",
        ratio_at_least(0.8),
    )


def _fetch(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {data.decode()}")
    return data


def _get(connection: http.client.HTTPConnection, path: str) -> Any:
    return json.loads(_fetch(connection, path))
