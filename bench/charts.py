"""``python -m bench charts``: what was measured, drawn into ``docs/``.

Each chart is made from the JSON of one command, if that is there, and says below where
and when its figures were measured.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import drawing, machine, scaling

#: Milliseconds a push may take while a dump is written.
WORST = 100
US = "poussetaches"
ROLES = ("supervisor", "api", "worker")

Result = Mapping[str, Any]


def main(arguments: Namespace) -> None:
    """Draw all that can be drawn, and say what."""
    source, target = Path(arguments.source), Path(arguments.target)
    target.mkdir(parents=True, exist_ok=True)
    for name, charts in CHARTS.items():
        path = source / f"{name}.json"
        if not path.exists():
            sys.stdout.write(f"{path} is not there: nothing drawn from it\n")
            continue
        result = json.loads(path.read_text())
        for title, draw in charts.items():
            try:
                draw(target / f"{title}.svg", result)
            except KeyError as error:
                raise SystemExit(f"{path} has no {error}: measure all of it") from error
            sys.stdout.write(f"{target / title}.svg\n")


def foot(result: Result) -> str:
    """Where and when."""
    return machine.line(result["machine"])


def rates(path: Path, result: Result) -> None:
    """Every rate beside its baseline."""
    figures = _by_key(result)
    values = {}
    for key, name in (
        ("pushing.rate", "single pushes"),
        ("end_to_end.rate", "end to end"),
        ("draining.rate", "draining"),
    ):
        values[f"{US}: {name}"] = figures[key]["value"]
    for key in ("pushing.rate", "draining.rate"):
        values[figures[key]["against"]] = figures[key]["baseline"]
    with drawing.chart(path, foot(result), height=2.6) as [axis]:
        drawing.bars(axis, "Tasks a second", values, US, "/s")


def processor(path: Path, result: Result) -> None:
    """Who uses the processor for a task."""
    figures = _by_key(result)
    rows = {}
    for part, name in (
        ("pushing", "pushed"),
        ("draining", "delivered"),
        ("end_to_end", "both"),
    ):
        rows[name] = {
            role: sum(
                figure["value"]
                for key, figure in figures.items()
                if key.startswith(f"{part}.cpu.{role}")
            )
            for role in ROLES
        }
    with drawing.chart(path, foot(result), height=2.8) as [axis]:
        drawing.stacks(axis, "Processor time per task, microseconds", rows)


def latency(path: Path, result: Result) -> None:
    """From push to answer and to arrival."""
    figures = _by_key(result)
    values = {}
    for name in ("p50", "p99"):
        arrival = figures[f"latency.arrival.{name}"]
        answer = figures[f"latency.answer.{name}"]
        values[f"{US}: answered, {name}"] = answer["value"]
        values[f"{US}: arrived, {name}"] = arrival["value"]
        values[f"one request, {name}"] = arrival["baseline"]
    with drawing.chart(path, foot(result), height=2.8) as [axis]:
        title = "From a push at 100 pushes a second, milliseconds"
        drawing.bars(axis, title, values, US, "ms")


def workers(path: Path, result: Result) -> None:
    """The rate by workers."""
    figures = _by_key(result)
    rows = [(count, figures[f"scaling.rate.{count}"]) for count in scaling.WORKERS]
    series = {
        US: [(float(count), figure["value"]) for count, figure in rows],
        "ideal": [(float(count), figure["baseline"]) for count, figure in rows],
    }
    title = f"A receiver that takes {scaling.DELAY * 1e3:.0f} ms for each task"
    with drawing.chart(path, foot(result), height=3.4) as [axis]:
        drawing.lines(
            axis, title, series, x="workers", y="tasks a second", dashed="ideal"
        )


def dump(path: Path, result: Result) -> None:
    """Pushes while a million tasks are dumped."""
    pushes = [(at, taken) for at, taken in result["series"]["dumping.timeline"]]
    spans = [(start, end) for start, end in result["series"]["dumping.dumps"]]
    series = {
        "slowest of each 0.1 s": pushes,
        f"aim: {WORST} ms": [(pushes[0][0], WORST), (pushes[-1][0], WORST)],
    }
    with drawing.chart(path, foot(result), height=3.4) as [axis]:
        drawing.lines(
            axis,
            "Pushes beside a million tasks",
            series,
            x="seconds",
            y="milliseconds",
            dashed=f"aim: {WORST} ms",
            points=False,
        )
        drawing.shade(axis, spans, "a dump")


def peers_work(path: Path, result: Result) -> None:
    """The same work on each of the peers: rates, and what they cost."""
    _peers(
        path,
        result,
        ("end to end", "End to end, tasks a second", "/s"),
        ("draining", "Draining a backlog, tasks a second", "/s"),
        ("CPU a task", "Processor time per task, with broker, without client", "us"),
    )


def peers_latency(path: Path, result: Result) -> None:
    """The same, when there is next to nothing to do."""
    rate = result["settings"]["latency_rate"]
    _peers(
        path,
        result,
        ("latency p50", f"From push to arrival at {rate} tasks a second, median", "ms"),
        ("p99", "99th percentile", "ms"),
    )


def _peers(path: Path, result: Result, *columns: tuple[str, str, str]) -> None:
    subjects = result["medians"]
    height = len(columns) * (0.7 + 0.24 * len(subjects)) + 0.3
    with drawing.chart(
        path, _peers_foot(result), panels=len(columns), height=height
    ) as axes:
        for axis, (column, title, unit) in zip(axes, columns, strict=True):
            values = {name: figures[column] for name, figures in subjects.items()}
            drawing.bars(axis, title, values, US, unit)


def _peers_foot(result: Result) -> str:
    versions = ", ".join(
        f"{name} {version[name] if isinstance(version, dict) else version}"
        for name, version in result["versions"].items()
    )
    return f"{result['date'][:10]}: {result['machine']}, {versions}"


def _by_key(result: Result) -> dict[str, Any]:
    return {figure["key"]: figure for figure in result["figures"]}


#: By the file they are made from.
CHARTS: dict[str, dict[str, Callable[[Path, Result], None]]] = {
    "rates": {
        "rates": rates,
        "processor": processor,
        "latency": latency,
        "workers": workers,
    },
    "million": {"dump": dump},
    "peers": {"peers": peers_work, "peers-latency": peers_latency},
}
