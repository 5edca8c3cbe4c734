"""Dumping: what pushes notice while a million tasks are written to disk, and the memory
of that.

Pushes come at a moderate rate, delivered at once, before, during and after a dump. The
memory is looked at during the next dump: each look holds the supervisor up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from bench import process, programs
from bench.figure import Aim, Figure, Found, Series, at_most, ratio_at_most
from bench.figures import percentiles, progress
from bench.million import MEGABYTE, TASKS, queue
from bench.programs import Service
from bench.settings import Settings

#: Pushes a second, for how many seconds, over how many connections.
RATE, SECONDS, CONNECTIONS = 500, 50, 16
#: From the start of one dump to that of the next.
INTERVAL = 18
#: How often is looked for a dump writer, and at memory, seconds.
LOOK, LOOK_AT_MEMORY = 0.02, 0.5
#: After the writer has ended, files that are no longer needed go, seconds.
TIDYING = 1.0
#: A point of the chart is the slowest push of so long, seconds.
STEP = 0.1
AIMS: dict[str, Aim | None] = {"p50": None, "p99": None, "max": at_most(100)}

Span = tuple[float, float]


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if no two dumps are seen."""
    flags = settings.flags("--dump-interval", f"{INTERVAL}s")
    with (
        queue() as directory,
        programs.program("bench.receiver") as receiver,
        programs.service(flags, directory) as service,
        Watch(service) as watch,
    ):
        progress(f"{RATE} pushes a second, and dumps")
        target = f"http://127.0.0.1:{receiver.port}/task"
        arguments = (service.port, target, RATE * SECONDS, CONNECTIONS, RATE)
        pushed = programs.run("bench.generator", *arguments)
    if len(watch.dumps) < 2:
        raise RuntimeError(f"{len(watch.dumps)} dumps within {SECONDS} s, not two")
    yield from _figures(pushed, watch)
    yield from _chart(pushed, watch)


def _figures(pushed: dict[str, Any], watch: Watch) -> Iterator[Figure]:
    timeline = pushed["timeline"]
    first = watch.dumps[0]
    before, during = (
        percentiles(sorted(taken for at, taken in timeline if within(at, taken, span)))
        for span in (
            (pushed["began"], first[0] - TIDYING),
            (first[0], first[1] + TIDYING),
        )
    )
    for name, aim in AIMS.items():
        yield Figure(
            f"dumping.answer.{name}",
            f"answer to a push during a dump, {RATE}/s, {name}",
            during[name],
            "ms",
            before[name],
            "before it",
            aim,
        )
    yield Figure(
        "dumping.seconds", f"a dump of {TASKS:,} tasks", first[1] - first[0], "s"
    )
    yield Figure(
        "dumping.memory",
        "memory of supervisor and writer, most",
        watch.most / MEGABYTE,
        "MB",
        watch.before / MEGABYTE,
        "supervisor before",
        ratio_at_most(1.6),
    )


def within(at: float, taken: float, span: Span) -> bool:
    """Whether a push of the moment ``at``, that took ``taken``, was under way in
    ``span``."""
    return at < span[1] and at + taken > span[0]


def _chart(pushed: dict[str, Any], watch: Watch) -> Iterator[Series]:
    began = pushed["began"]
    ends = watch.dumps[1][0]
    # The next dump has looks at memory in it.
    points = sorted(
        (at - began, taken) for at, taken in pushed["timeline"] if at < ends
    )
    slowest = [
        (step * STEP, max(taken for _, taken in group) * 1e3)
        for step, group in groupby(points, lambda point: int(point[0] / STEP))
    ]
    yield Series("dumping.timeline", [(round(t, 1), round(ms, 3)) for t, ms in slowest])
    yield Series("dumping.dumps", [(s - began, e - began) for s, e in watch.dumps[:1]])


class Watch:
    """Looks for dump writers, and from the second on at their memory."""

    def __init__(self, service: Service) -> None:
        pids = service.pids()
        self._supervisor = pids.pop("supervisor")
        self._others = set(pids.values())
        #: When each began and ended, monotonic seconds.
        self.dumps: list[Span] = []
        #: Bytes, shared pages counted once: before, and with a writer at most.
        self.before = self.most = process.proportional(self._supervisor)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        began: float | None = None
        looked_at = 0.0
        while not self._ended.wait(LOOK):
            writers = process.children(self._supervisor) - self._others
            now = time.monotonic()
            if writers and began is None:
                began = now
            elif began is not None and not writers:
                self.dumps.append((began, now))
                began = None
            if writers and self.dumps and now - looked_at > LOOK_AT_MEMORY:
                looked_at = now
                both = [self._supervisor, *writers]
                self.most = max(self.most, sum(map(process.proportional, both)))
        if began is not None:
            self.dumps.append((began, time.monotonic()))
