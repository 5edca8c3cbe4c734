"""Attack: what honest clients notice while others do their worst to the same port.

In pairs: some seconds without the attack, some seconds with it, and again; so what else
the machine does is in both. Attacker, clients and service share the processors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import programs
from bench.attacker import KINDS
from bench.figure import Figure, Found, Note, at_most
from bench.figures import middle, percentiles, progress
from bench.settings import Settings

#: Pushes a second of honest clients, for how many seconds each time.
RATE, SECONDS = 100, 3.0
#: From the begin of an attack until it is measured, seconds: what is slow to begin with
#: has begun.
REST = 1.0
#: What an attack may add, ms.
MOST = 100.0


def measure(settings: Settings) -> Iterator[Found]:
    """Each attack alone."""
    # That they wait for an hour is not what is measured; nor is a sync of the disk.
    flags = settings.flags("--durability", "off", "--max-tasks", "10000000")
    with programs.service(flags) as service:
        for kind in KINDS:
            yield from pairs(service.port, kind, settings.rounds, SECONDS)
    yield Note(
        f"{RATE} pushes a second, half of them over a new connection each; 99 of 100"
        " took no longer, the median of the rounds."
    )


def pairs(port: int, kind: str, rounds: int, seconds: float) -> Iterator[Figure | Note]:
    """One attack, with and without. Raises RuntimeError if a push is not accepted."""
    without, within = [], []
    _honest(port, 1.0)
    for number in range(rounds):
        progress(f"attack {kind}, round {number + 1}")
        without.append(_honest(port, seconds))
        with programs.program("bench.attacker", port, kind) as attacker:
            time.sleep(REST)
            within.append(_honest(port, seconds))
            did = attacker.ask("report")
    calm, attacked = middle(without), middle(within)
    yield Figure(
        f"attack.{kind}.p99",
        f"attack {kind}: p99 of honest pushes",
        attacked,
        "ms",
        calm,
    )
    yield Figure(
        f"attack.{kind}.extra",
        "  more than without",
        max(0.0, middle([b - a for a, b in zip(without, within, strict=True)])),
        "ms",
        aim=at_most(MOST),
    )
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(did.items()))
    yield Note(f"{kind}: {told}")


def _honest(port: int, seconds: float) -> float:
    """p99 of both clients together, ms."""
    found = programs.run("bench.honest", port, seconds, RATE)
    return percentiles(sorted([*found["kept"], *found["new"]]))["p99"]
