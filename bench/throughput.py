"""Throughput: how many tasks a second, how late, and at what cost.

Four measurements in one run, of the same generator, service and receiver: single pushes
to a service that delivers at once, pushes alone, the draining of a backlog, and the
latency at 100 pushes a second. The baseline, in the same run: pushes to a bottle
application that does nothing.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

from bench import programs
from bench.figures import percentiles, progress
from bench.programs import Program, Service

#: Pushes a second at which latency is measured.
CALM = 100
#: Without any progress for so long, a measurement is given up; seconds.
PATIENCE = 30.0


def measure(
    tasks: int, connections: int, workers: int, concurrency: int, durability: str
) -> dict[str, Any]:
    """The figures, by name. Raises RuntimeError if tasks do not arrive."""
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "settings": {
            "tasks": tasks,
            "connections": connections,
            "workers": workers,
            "concurrency": concurrency,
            "durability": durability,
        },
    }
    progress("baseline: a null bottle application on pywsgi")
    with programs.program("bench.null_application") as null:
        pushed = _generate(null.port, "http://127.0.0.1/", tasks, connections)
    figures["null_rate"] = _rate(tasks, pushed)
    settings = ["--workers", str(workers), "--concurrency", str(concurrency)]
    settings += ["--durability", durability]
    with programs.program("bench.receiver") as receiver:
        target = f"http://127.0.0.1:{receiver.port}/task"
        with programs.service(settings) as service:
            figures["end_to_end"] = _end_to_end(
                service, receiver, target, tasks, connections
            )
            figures["calm"] = _calm(service, receiver, target)
            figures.update(_backlog(service, receiver, target, tasks, connections))
            figures["peak_memory"] = service.peak_memory()
    return figures


def _end_to_end(
    service: Service, receiver: Program, target: str, tasks: int, connections: int
) -> dict[str, Any]:
    progress(f"end to end: {tasks} pushes, delivered at once")
    before = service.usage()
    received_before = receiver.ask("report")
    pushed = _generate(service.port, target, tasks, connections)
    report = _await(receiver, tasks)
    after = service.usage()
    cost = {name: _micros(after[name] - before[name], tasks) for name in before}
    return {
        "submitted_rate": _rate(tasks, pushed),
        "delivered_rate": tasks / (report["last_at"] - pushed["began"]),
        "latency": percentiles(report["latencies"]),
        "answer": percentiles(pushed["latencies"]),
        "cpu_per_task": cost,
        "cpu_per_task_total": round(sum(cost.values()), 1),
        "cpu_per_task_generator": _micros(pushed["cpu"], tasks),
        "cpu_per_task_receiver": _micros(report["cpu"] - received_before["cpu"], tasks),
    }


def _calm(service: Service, receiver: Program, target: str) -> dict[str, float]:
    count = CALM * 5
    progress(f"latency at {CALM} pushes a second")
    receiver.ask("report")
    programs.run("bench.generator", service.port, target, count, 4, CALM)
    return percentiles(_await(receiver, count)["latencies"])


def _backlog(
    service: Service, receiver: Program, target: str, tasks: int, connections: int
) -> dict[str, float]:
    progress(f"pushing {tasks} without delivering")
    service.post("/pause")
    pushed = _generate(service.port, target, tasks, connections)
    progress(f"draining {tasks}")
    receiver.ask("report")
    began = time.monotonic()
    service.post("/resume")
    report = _await(receiver, tasks)
    return {
        "push_rate": _rate(tasks, pushed),
        "drain_rate": tasks / (report["last_at"] - began),
    }


def _generate(port: int, target: str, tasks: int, connections: int) -> Any:
    return programs.run("bench.generator", port, target, tasks, connections)


def _await(receiver: Program, tasks: int) -> Any:
    """The receiver's report when all tasks have arrived."""
    seen, at = -1, time.monotonic()
    while (count := receiver.ask("count")) < tasks:
        if count > seen:
            seen, at = count, time.monotonic()
        elif time.monotonic() - at > PATIENCE:
            raise RuntimeError(f"{count} of {tasks} tasks arrived, then none any more")
        time.sleep(0.05)
    return receiver.ask("report")


def show(figures: dict[str, Any]) -> str:
    """The figures as a table, ratios against the baseline of the same run."""
    end, null = figures["end_to_end"], figures["null_rate"]
    rows = [
        ("null bottle on pywsgi, pushes", f"{null:,.0f}/s", "1.00"),
        *(
            (name, f"{rate:,.0f}/s", f"{rate / null:.2f}")
            for name, rate in (
                ("pushes alone", figures["push_rate"]),
                ("end to end, submitted", end["submitted_rate"]),
                ("end to end, delivered", end["delivered_rate"]),
                ("draining a backlog", figures["drain_rate"]),
            )
        ),
        ("latency under load, p50 / p99", _pair(end["latency"]), ""),
        (f"latency at {CALM}/s, p50 / p99", _pair(figures["calm"]), ""),
        ("answer under load, p50 / p99", _pair(end["answer"]), ""),
        ("CPU per task, the service", f"{end['cpu_per_task_total']:.0f} us", ""),
        *(
            (f"  {name}", f"{cost:.0f} us", "")
            for name, cost in end["cpu_per_task"].items()
        ),
        ("  generator", f"{end['cpu_per_task_generator']:.0f} us", ""),
        ("  receiver", f"{end['cpu_per_task_receiver']:.0f} us", ""),
        *(
            (f"peak memory, {name}", f"{size / 1e6:.0f} MB", "")
            for name, size in figures["peak_memory"].items()
        ),
    ]
    lines = [
        f"{name:<34} {value:>20} {ratio:>6}".rstrip() for name, value, ratio in rows
    ]
    settings = ", ".join(f"{k} {v}" for k, v in figures["settings"].items())
    head = f"{settings}; {figures['machine']}"
    return "\n".join([head, f"{'':<34} {'':>20}  ratio", *lines])


def main(arguments: Any) -> None:
    """Measure, print the table, and write the figures where asked."""
    figures = measure(
        arguments.tasks,
        arguments.connections,
        arguments.workers,
        arguments.concurrency,
        arguments.durability,
    )
    sys.stdout.write(show(figures) + "\n")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n")


def _rate(tasks: int, pushed: dict[str, float]) -> float:
    return tasks / (pushed["ended"] - pushed["began"])


def _micros(seconds: float, tasks: int) -> float:
    return round(seconds / tasks * 1e6, 1)


def _pair(percentiles: dict[str, float]) -> str:
    return f"{percentiles['p50']:.2f} / {percentiles['p99']:.2f} ms"
