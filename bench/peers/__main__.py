"""Measure the same work on poussetaches and on its peers, in one run on one machine.

Installs what is missing: each family of peers into a virtual environment below .bench/,
the brokers (root on Debian only) with apt-get. Ends everything that it starts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import poussetaches
from bench.figures import progress
from bench.peers import brokers, environments
from bench.peers.measuring import CALM, CALM_SECONDS, measure
from bench.peers.subjects import SUBJECTS, Settings
from bench.peers.table import medians, ratios, show

#: What --quick divides the numbers of tasks by.
QUICKER = 10


def main(arguments: argparse.Namespace) -> None:
    """Measure, print the table, and write the figures where asked."""
    ours, *peers = SUBJECTS
    chosen = [ours, *(each for each in peers if each.name in arguments.only)]
    _install(chosen)
    report = _report(arguments, chosen)
    runs: dict[str, list[dict[str, Any]]] = {each.name: [] for each in chosen}
    # Round by round: what else the machine does is spread over all of them.
    for number in range(1, arguments.runs + 1):
        for each in chosen:
            tasks = each.tasks // (QUICKER if arguments.quick else 1)
            progress(f"run {number} of {arguments.runs}: {each.name}, {tasks} tasks")
            runs[each.name].append(measure(each, tasks, arguments.client))
    figures = {name: medians(of_one) for name, of_one in runs.items()}
    progress("done")
    sys.stderr.write("\n" if sys.stderr.isatty() else "")
    sys.stdout.write(f"{report['machine']}; medians of {arguments.runs}\n")
    sys.stdout.write(show(figures, {each.name: each.on_disk for each in chosen}) + "\n")
    if arguments.json:
        first = figures[ours.name]
        report["medians"] = figures
        report["ratios"] = {name: ratios(first, each) for name, each in figures.items()}
        report["runs"] = runs
        Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n")


def _report(arguments: argparse.Namespace, chosen: list[Settings]) -> dict[str, Any]:
    """What the figures are of."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": _versions(chosen),
        "settings": {
            "runs": arguments.runs,
            "quick": arguments.quick,
            "client": arguments.client,
            "latency_rate": CALM,
            "latency_seconds": CALM_SECONDS,
            "how": {each.name: each.how for each in chosen},
            "tasks": {each.name: each.tasks for each in chosen},
        },
    }


def _install(chosen: list[Settings]) -> None:
    progress("installing the brokers")
    brokers.install({each.broker for each in chosen if each.broker})
    for family in dict.fromkeys(each.family for each in chosen if each.family):
        progress(f"installing {family} into .bench/{family}")
        environments.make(family)


def _machine() -> str:
    cpus = len(os.sched_getaffinity(0))
    return f"{_processor()}, {cpus} cores, Python {platform.python_version()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _versions(chosen: list[Settings]) -> dict[str, Any]:
    versions: dict[str, Any] = {"poussetaches": poussetaches.__version__}
    for each in chosen:
        if each.family:
            versions[each.family] = environments.versions(each.family)
        if each.broker:
            versions[brokers.PACKAGES[each.broker]] = brokers.version(each.broker)
    return versions


def _names(text: str) -> list[str]:
    """Raises ArgumentTypeError if there is no such peer."""
    names = text.split(",")
    unknown = set(names) - {each.name for each in SUBJECTS}
    if unknown:
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(sorted(unknown))}")
    return names


parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
parser.add_argument("--runs", type=int, help="Medians of so many (default: 3).")
parser.add_argument("--quick", action="store_true", help="Once, with few tasks.")
parser.add_argument(
    "--only",
    type=_names,
    metavar="PEER,...",
    default=[each.name for each in SUBJECTS],
    help="Only these, beside poussetaches: "
    + ", ".join(each.name for each in SUBJECTS[1:]),
)
parser.add_argument(
    "--client",
    choices=["cheapest", "requests"],
    default="cheapest",
    help="What the tasks of the peers send their request with (default: cheapest, which"
    " few applications use).",
)
parser.add_argument("--json", metavar="FILE", help="Write the figures here, too.")
arguments = parser.parse_args()
if arguments.runs is None:
    arguments.runs = 1 if arguments.quick else 3
# As for ^C: everything that was started is ended on the way out.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    main(arguments)
except RuntimeError as error:
    sys.exit(f"{error}")
