"""Scale: what a long queue costs at a start, and while it is dumped.

Two measurements, each of a service whose queue is full of tasks for another day. How
long a start takes until it answers, and from what. Pushes, delivered at once, at a rate
that one core can bear: first without dumps, then while one dump follows the other;
beside them the memory of supervisor and dump writer, shared pages counted once.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import programs
from bench.figures import percentiles, progress
from bench.programs import Service

PAYLOAD = "eCB4IHggeCB4IHggeCB4IHggeCB4IHggeCB4IHggeCB4IHggeCB4IHggeCB4IHggeCB4"
DAY = 86_400.0
#: How often memory is looked at, seconds; a look holds the process up for a moment.
LOOK = 0.25
NEVER = "720h"


def measure(cold: int, dumped: int, rate: int, seconds: int) -> dict[str, Any]:
    """The figures, by name. Raises RuntimeError if the service fails."""
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "settings": {
            "cold": cold,
            "dumped": dumped,
            "rate": rate,
            "seconds": seconds,
        },
    }
    with _directory(cold) as directory:
        figures["cold"] = _cold(directory)
    with _directory(dumped) as directory:
        for name, interval in (("calm", NEVER), ("dumping", "0.1s")):
            progress(f"{rate} pushes a second, {name}")
            figures[name] = _pushes(directory, interval, rate, rate * seconds)
    return figures


@contextmanager
def _directory(tasks: int) -> Iterator[str]:
    """A data directory with so many waiting tasks."""
    progress(f"making a queue of {tasks} tasks")
    with tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as directory:
        command = [sys.executable, "-m", "poussetaches", "store", "import", "-"]
        command += ["--data-dir", directory]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdin is not None
            eta = time.time() + DAY
            for number in range(tasks):
                process.stdin.write(
                    f'{{"kind":"task","id":"{number:032x}","eta":{eta:.3f},'
                    f'"order":{number},"url":"http://127.0.0.1:9/","'
                    f'payload":"{PAYLOAD}"}}\n'
                )
        if process.returncode != 0:
            raise RuntimeError("the queue cannot be made")
        yield directory


def _cold(directory: str) -> dict[str, Any]:
    progress("starting on it")
    [dump] = Path(directory).glob("dump-*")
    began = time.monotonic()
    with programs.service([], directory) as service:
        answered = time.monotonic() - began
        return {
            "seconds": answered,
            "dump_bytes": dump.stat().st_size,
            "memory": service.memory()["supervisor"],
            "peak_memory": service.peak_memory()["supervisor"],
        }


def _pushes(directory: str, interval: str, rate: int, count: int) -> dict[str, Any]:
    settings = ["--dump-interval", interval, "--workers", "1"]
    with (
        programs.program("bench.receiver") as receiver,
        programs.service(settings, directory) as service,
        _Memory(service) as memory,
    ):
        target = f"http://127.0.0.1:{receiver.port}/task"
        arguments = (service.port, target, count, 16, rate)
        pushed = programs.run("bench.generator", *arguments)
        return {
            "answer": percentiles(pushed["latencies"]),
            "dump_seconds": service.stats()["store"]["last_dump_seconds"],
            "memory": memory.before,
            "peak_memory": memory.most,
        }


class _Memory:
    """Watches the memory of the supervisor and its dump writer together."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Memory:
        pids = self._service.pids()
        self._supervisor = pids.pop("supervisor")
        self._others = set(pids.values())
        # Not its share of what a dump writer may have already.
        self.most = self.before = self._service.memory()["supervisor"]
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        path = f"/proc/{self._supervisor}/task/{self._supervisor}/children"
        while not self._ended.wait(LOOK):
            children = {int(pid) for pid in Path(path).read_text().split()}
            both = [self._supervisor, *(children - self._others)]
            self.most = max(self.most, sum(map(_proportional, both)))


def _proportional(pid: int) -> int:
    """Bytes of memory of a process, shared ones in equal shares; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            line = next(line for line in file if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(line.split()[1]) * 1024


def show(figures: dict[str, Any]) -> str:
    """The figures as a table."""
    cold, calm, dumping = figures["cold"], figures["calm"], figures["dumping"]
    settings = figures["settings"]
    more = dumping["peak_memory"] / dumping["memory"]
    rows = [
        (f"start with {settings['cold']:,} tasks", f"{cold['seconds']:.1f} s"),
        ("  from a dump of", _megabytes(cold["dump_bytes"])),
        ("  memory after it, and at most", _both(cold)),
        (f"{settings['rate']:,} pushes/s, {settings['dumped']:,} tasks waiting", ""),
        ("  answer, p50 / p99 / max", _three(calm["answer"])),
        ("  the same while dumps are written", _three(dumping["answer"])),
        ("  a dump takes", f"{dumping['dump_seconds']:.1f} s"),
        ("  memory before, and with its writer", f"{_both(dumping)}, x{more:.2f}"),
    ]
    lines = [f"{name:<44} {value}".rstrip() for name, value in rows]
    return "\n".join([figures["machine"], *lines])


def main(arguments: Any) -> None:
    """Measure, print the table, and write the figures where asked."""
    figures = measure(
        arguments.cold, arguments.dumped, arguments.rate, arguments.seconds
    )
    sys.stdout.write(show(figures) + "\n")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n")


def _three(answer: dict[str, float]) -> str:
    return f"{answer['p50']:.1f} / {answer['p99']:.1f} / {answer['max']:.1f} ms"


def _both(sizes: dict[str, int]) -> str:
    return f"{_megabytes(sizes['memory'])}, {_megabytes(sizes['peak_memory'])}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
