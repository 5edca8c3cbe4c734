"""A suite: which parts are measured together, shown as one table and kept as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import (
    attack,
    draining,
    dumping,
    end_to_end,
    idle,
    latency,
    lateness,
    machine,
    million,
    pushing,
    scaling,
    searching,
    targets,
)
from bench.figure import Figure, Found, Note, Series
from bench.figures import progress, progress_ends
from bench.settings import Settings
from bench.table import table


class Part(NamedTuple):
    """One measurement."""

    title: str
    measure: Callable[[Settings], Iterator[Found]]


SUITES: dict[str, dict[str, Part]] = {
    "rates": {
        "end_to_end": Part("End to end", end_to_end.measure),
        "draining": Part("Draining", draining.measure),
        "pushing": Part("Pushing", pushing.measure),
        "latency": Part("Latency", latency.measure),
        "scaling": Part("Scaling", scaling.measure),
        "targets": Part("Many targets", targets.measure),
        "idle": Part("Idle", idle.measure),
    },
    "million": {
        "million": Part("A million waiting tasks", million.measure),
        "searching": Part("Lists of them, under load", searching.measure),
        "dumping": Part("A dump of them", dumping.measure),
        "lateness": Part("Schedules", lateness.measure),
    },
    "attack": {
        "attack": Part("Attacks on the port", attack.measure),
    },
}


def main(arguments: Namespace) -> None:
    """Measure, print the table, write the JSON."""
    settings = Settings(
        workers=arguments.workers,
        concurrency=arguments.concurrency,
        durability=arguments.durability,
        connections=arguments.connections,
        rounds=arguments.rounds,
    )
    began = time.monotonic()
    progress("a sync of the disk")
    result: dict[str, Any] = {
        "suite": arguments.suite,
        "machine": machine.describe(),
        "settings": str(settings),
        "figures": [],
        "series": {},
        "notes": [],
    }
    _show(f"{machine.line(result['machine'])}\n\n{settings}")
    parts = SUITES[arguments.suite]
    for name in arguments.only or parts:
        part = parts[name]
        # What the part before has written is not to be in the way of this one.
        os.sync()
        found = list(part.measure(settings))
        figures = [one for one in found if isinstance(one, Figure)]
        notes = [one.text for one in found if isinstance(one, Note)]
        _show("\n".join([table(part.title, figures), *notes]))
        result["figures"] += [figure.to_json() for figure in figures]
        result["notes"] += notes
        result["series"].update(
            (one.key, one.points) for one in found if isinstance(one, Series)
        )
    result["seconds"] = round(time.monotonic() - began, 1)
    _show(_verdict(result))
    if arguments.json:
        path = Path(arguments.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")


def _show(text: str) -> None:
    """What is known is shown at once, should a later part fail."""
    progress_ends()
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


def _verdict(result: dict[str, Any]) -> str:
    met = [figure["met"] for figure in result["figures"] if figure["aim"] is not None]
    return f"{met.count(True)} of {len(met)} aims met; {result['seconds']:.0f} s"
