"""End to end: single pushes, delivered at once, until the last one has arrived."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import programs
from bench.figure import Figure, Found, at_least, at_most
from bench.figures import middle, progress
from bench.nginx import Nginx, nginx
from bench.programs import Service
from bench.settings import Settings
from bench.wrk import Load, push_body, wrk

#: How long is pushed in each round, and to the baseline, seconds.
SECONDS, BASELINE_SECONDS = 4, 2
NULL = "null application"


def measure(settings: Settings) -> Iterator[Found]:
    """Raises RuntimeError if not exactly what was accepted arrives."""
    nulls, rates, loads = [], [], []
    tasks = 0
    with (
        programs.program("bench.null_application") as null,
        nginx() as receiver,
        programs.service(settings.flags()) as service,
    ):
        body = push_body(receiver.target)
        used, received = service.usage(), receiver.cpu()
        for number in range(1, settings.rounds + 1):
            progress(f"end to end, round {number} of {settings.rounds}")
            connections = settings.connections
            load = wrk(
                null.port, body, seconds=BASELINE_SECONDS, connections=connections
            )
            nulls.append(load.answers / load.seconds)
            began = time.monotonic()
            load = wrk(service.port, body, seconds=SECONDS, connections=connections)
            arrived, last_at = _settle(service, receiver)
            rates.append((arrived - tasks) / (last_at - began))
            tasks = arrived
            loads.append(load)
        cost = {
            name: (after - used[name]) / tasks * 1e6
            for name, after in service.usage().items()
        }
        received = (receiver.cpu() - received) / tasks * 1e6
    yield Figure(
        "end_to_end.rate",
        "tasks pushed and arrived",
        middle(rates),
        "/s",
        middle(nulls),
        NULL,
        at_least(7_000),
    )
    yield from _costs(cost)
    yield from _answers(loads)
    yield Figure("end_to_end.cpu.receiver", "  nginx, the receiver", received, "us")


def _settle(service: Service, receiver: Nginx) -> tuple[int, float]:
    """How many tasks have arrived when no more are to come, and when the last one did.

    Who was pushing is gone, but what it pushed last may still be on its way.
    """
    accepted = -1
    while (now_accepted := service.stats()["accepted"]) != accepted:
        accepted = now_accepted
        last_at = receiver.wait_for(accepted)
    arrived = receiver.arrived()
    if arrived != accepted:
        raise RuntimeError(f"{accepted} tasks were accepted, {arrived} arrived")
    return arrived, last_at


def _costs(cost: dict[str, float]) -> Iterator[Figure]:
    yield Figure(
        "end_to_end.cpu",
        "processor time per task, whole service",
        sum(cost.values()),
        "us",
        aim=at_most(200),
    )
    for name, micros in cost.items():
        yield Figure(f"end_to_end.cpu.{name}", f"  {name}", micros, "us")


def _answers(loads: list[Load]) -> Iterator[Figure]:
    answers = sum(load.answers for load in loads)
    generated = sum(load.cpu for load in loads) / answers * 1e6
    for name in ("p50", "p99"):
        value = middle([getattr(load, name) for load in loads]) * 1e3
        yield Figure(f"end_to_end.answer.{name}", f"  answer, {name}", value, "ms")
    yield Figure("end_to_end.cpu.generator", "  wrk, the generator", generated, "us")
